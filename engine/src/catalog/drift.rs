//! Differences between what the project says a table should be and what its log says it is.

use arrow::datatypes::{DataType, SchemaRef};

use super::definition::{ColumnType, TableDef};
use super::snapshot::TableSnapshot;

/// The differences, a sentence each, in the contract's order.
pub(super) fn drift(def: &TableDef, snapshot: &TableSnapshot) -> Vec<String> {
    let schema = snapshot.schema();
    let mut found = Vec::new();
    for column in &def.columns {
        let Some((_, field)) = schema.column_with_name(&column.name) else {
            found.push(format!("column `{}` is declared and not in the table", column.name));
            continue;
        };
        if *field.data_type() != column.column_type.arrow() {
            let actual = type_name(field.data_type());
            found.push(format!("column `{}` is declared as {} and is {actual}", column.name, column.column_type));
        }
        if field.is_nullable() != column.nullable {
            let (declared, actual) = (nullability(column.nullable), nullability(field.is_nullable()));
            found.push(format!("column `{}` is declared {declared} and is {actual}", column.name));
        }
    }
    found.extend(undeclared(def, schema).map(|name| format!("column `{name}` is in the table and not declared")));
    if def.partition_by != snapshot.partition_by() {
        let (declared, actual) = (list(&def.partition_by), list(snapshot.partition_by()));
        found.push(format!("partition columns are declared as {declared} and are {actual}"));
    }
    found
}

fn undeclared<'a>(def: &'a TableDef, schema: &'a SchemaRef) -> impl Iterator<Item = &'a str> {
    schema.fields().iter().map(|field| field.name().as_str()).filter(|name| def.column(name).is_none())
}

fn nullability(nullable: bool) -> &'static str {
    if nullable { "nullable" } else { "not null" }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// An Arrow type in the contract's spelling, or Arrow's where a contract has no such type.
pub(super) fn type_name(data_type: &DataType) -> String {
    let known = match data_type {
        DataType::Utf8 => Some(ColumnType::Text),
        DataType::Int64 => Some(ColumnType::Int64),
        DataType::Float64 => Some(ColumnType::Float64),
        DataType::Boolean => Some(ColumnType::Boolean),
        DataType::Date32 => Some(ColumnType::Date),
        DataType::Timestamp(_, Some(_)) => Some(ColumnType::Timestamp),
        DataType::Decimal128(precision, scale) => {
            u8::try_from(*scale).ok().map(|scale| ColumnType::Decimal { precision: *precision, scale })
        }
        _ => None,
    };
    known.map_or_else(|| data_type.to_string(), |known| known.to_string())
}
