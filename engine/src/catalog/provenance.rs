//! The hidden columns that tell of each row where it came from: the run that loaded it, and its file and line.
//!
//! They are ordinary nullable columns of the Delta table, so that every reader sees them. No contract can declare
//! them: a declared name begins with a letter.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

/// The run that loaded the row, as in [`super::RunRecord::run_id`].
pub const RUN_COLUMN: &str = "_run";
/// The file the row stood in, as in [`super::RunSource::path`]; all files of the load where a transform groups.
pub const FILE_COLUMN: &str = "_file";
/// The line on which the row begins, from 1, the header included; missing where a transform groups.
pub const LINE_COLUMN: &str = "_line";

/// The hidden columns' names, in the order in which tables have them, behind all others.
pub const PROVENANCE_COLUMNS: [&str; 3] = [RUN_COLUMN, FILE_COLUMN, LINE_COLUMN];

/// The hidden columns.
pub fn provenance_fields() -> [FieldRef; 3] {
    PROVENANCE_COLUMNS.map(|name| {
        let data_type = if name == LINE_COLUMN { DataType::Int64 } else { DataType::Utf8 };
        Arc::new(Field::new(name, data_type, true))
    })
}

/// `schema` with the hidden columns behind its own.
pub fn with_provenance(schema: &Schema) -> SchemaRef {
    let missing = provenance_fields().into_iter().filter(|field| schema.column_with_name(field.name()).is_none());
    Arc::new(Schema::new(schema.fields().iter().cloned().chain(missing).collect::<Vec<_>>()))
}

/// `schema` without the hidden columns. Another tool's column of the same name and another type is none of ours.
pub(super) fn without_provenance(schema: &Schema) -> SchemaRef {
    let own = provenance_fields();
    let is_own = |field: &FieldRef| {
        own.iter().any(|own| own.name() == field.name() && own.data_type() == field.data_type() && field.is_nullable())
    };
    Arc::new(Schema::new(schema.fields().iter().filter(|field| !is_own(field)).cloned().collect::<Vec<_>>()))
}
