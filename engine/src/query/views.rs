//! What the catalogue tells of a view.

use arrow::datatypes::{DataType, Schema, TimeUnit};

use crate::catalog::{ColumnDetail, ColumnType, TableDetail, TableSummary, ViewDef};

pub(super) fn detail(view: &ViewDef, summary: TableSummary, schema: &Schema) -> TableDetail {
    let columns = schema.fields().iter().map(|field| ColumnDetail {
        name: field.name().clone(),
        column_type: type_name(field.data_type()),
        nullable: field.is_nullable(),
        title: None,
        description: None,
        unit: None,
    });
    TableDetail {
        summary,
        description: view.description.clone(),
        owner: view.owner.clone(),
        primary_key: Vec::new(),
        license: None,
        source: None,
        sql: Some(view.sql.clone()),
        columns: columns.collect(),
    }
}

/// The contract's spelling where there is one; a view may compute types that no contract has.
fn type_name(data_type: &DataType) -> String {
    let known = match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => ColumnType::Text,
        DataType::Int64 => ColumnType::Int64,
        DataType::Float64 => ColumnType::Float64,
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => ColumnType::Timestamp,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            ColumnType::Decimal { precision: *precision, scale: scale.unsigned_abs() }
        }
        other => return other.to_string(),
    };
    known.to_string()
}
