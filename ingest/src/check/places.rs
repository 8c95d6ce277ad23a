//! Where the rows of a batch stand in their files.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;

/// Column that carries a row's file through a transform.
pub(crate) const FILE_COLUMN: &str = "_file";
/// Column that carries a row's line through a transform.
pub(crate) const LINE_COLUMN: &str = "_line";

/// A row's file and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as in the run's sources.
    pub file: Arc<str>,
    /// The line, from 1, the header included.
    pub line: u64,
}

/// The places of a batch's rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    columns: Option<(arrow::array::StringArray, arrow::array::UInt64Array)>,
}

impl Places {
    /// Takes the two columns out of a batch that has them.
    pub(crate) fn take(batch: &RecordBatch) -> Self {
        let file = batch.column_by_name(FILE_COLUMN).and_then(|column| column.as_string_opt::<i32>());
        let line = batch.column_by_name(LINE_COLUMN).and_then(|column| column.as_primitive_opt::<UInt64Type>());
        Self { columns: file.cloned().zip(line.cloned()) }
    }

    /// Where row `row` stands, where that is known.
    pub(crate) fn of(&self, row: usize) -> Option<Place> {
        let (files, lines) = self.columns.as_ref()?;
        (files.is_valid(row) && lines.is_valid(row))
            .then(|| Place { file: files.value(row).into(), line: lines.value(row) })
    }
}
