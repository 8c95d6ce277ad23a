//! Which column of the rows becomes which column of the table, and whether it can.

use arrow::datatypes::{DataType, Schema};
use indexmap::IndexMap;
use xiangyun_engine::catalog::{ColumnType, TableDef};

use super::places::{FILE_COLUMN, LINE_COLUMN};
use super::written::Form;

/// How one column of the table is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnPlan {
    /// Its name in the table.
    pub(crate) name: String,
    /// Its type.
    pub(crate) column_type: ColumnType,
    /// Whether a value may be missing.
    pub(crate) nullable: bool,
    /// Position of the column it is made of.
    pub(crate) input: usize,
    /// How its values become the table's.
    pub(crate) step: Step,
}

/// How values of one type become values of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read as text.
    Parse,
    /// Read as text of a declared form.
    Written(Form),
    /// Converted, and refused where the way back does not give the same value.
    Convert,
}

/// A column of the table that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MismatchedColumn {
    /// The rows have no such column.
    #[error("there is no column `{input}`{}; there are: {}", for_column(.input, .column), .present.join(", "))]
    Missing {
        /// The table's column.
        column: String,
        /// The column it is made of.
        input: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// A type that does not become the table's without a decision.
    #[error(
        "column `{input}` is {found} and `{column}` of the table is {expected}: say with CAST in the SQL how one becomes the other"
    )]
    Type {
        /// The table's column.
        column: String,
        /// The column it is made of.
        input: String,
        /// Its type.
        found: String,
        /// The table's type.
        expected: ColumnType,
    },
    /// A column of the transform that the table does not have.
    #[error("the transform gives a column `{input}` that the table does not have; its columns are: {}", .expected.join(", "))]
    Unknown {
        /// The transform's column.
        input: String,
        /// The columns of the table.
        expected: Vec<String>,
    },
}

fn for_column(input: &str, column: &str) -> String {
    if input == column { String::new() } else { format!(" for `{column}`") }
}

/// Finds the column that each of the table's columns is made of. With `exact` every column must be used.
pub(crate) fn plan_columns(
    table: &TableDef,
    names: &IndexMap<String, String>,
    rows: &Schema,
    exact: bool,
) -> Result<Vec<ColumnPlan>, Vec<MismatchedColumn>> {
    let (mut plans, mut faults) = (Vec::new(), Vec::new());
    let is_carried = |name: &str| name == FILE_COLUMN || name == LINE_COLUMN;
    let present = || rows.fields().iter().map(|field| field.name().clone()).filter(|name| !is_carried(name)).collect();
    for column in &table.columns {
        let input = names.get(&column.name).unwrap_or(&column.name);
        let Ok(index) = rows.index_of(input) else {
            faults.push(MismatchedColumn::Missing {
                column: column.name.clone(),
                input: input.clone(),
                present: present(),
            });
            continue;
        };
        let found = rows.field(index).data_type();
        match step(found, column.column_type) {
            Some(step) => plans.push(ColumnPlan {
                name: column.name.clone(),
                column_type: column.column_type,
                nullable: column.nullable,
                input: index,
                step,
            }),
            None => faults.push(MismatchedColumn::Type {
                column: column.name.clone(),
                input: input.clone(),
                found: found.to_string(),
                expected: column.column_type,
            }),
        }
    }
    if exact {
        for (index, field) in rows.fields().iter().enumerate() {
            if !is_carried(field.name()) && faults.is_empty() && !plans.iter().any(|plan| plan.input == index) {
                let expected = table.columns.iter().map(|column| column.name.clone()).collect();
                faults.push(MismatchedColumn::Unknown { input: field.name().clone(), expected });
            }
        }
    }
    if faults.is_empty() { Ok(plans) } else { Err(faults) }
}

/// A number does not silently become text (a code would have lost its zeros), nor a day an instant.
fn step(found: &DataType, wanted: ColumnType) -> Option<Step> {
    let convert = match (found, wanted) {
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, _) => return Some(Step::Parse),
        (DataType::Dictionary(_, values), _) => return step(values, wanted),
        (DataType::Null, _) => true,
        (found, ColumnType::Int64 | ColumnType::Float64 | ColumnType::Decimal { .. }) => found.is_numeric(),
        (DataType::Boolean, ColumnType::Boolean) => true,
        (DataType::Date32 | DataType::Date64, ColumnType::Date) => true,
        // Without a zone it is UTC, as everywhere in SQL here.
        (DataType::Timestamp(..), ColumnType::Timestamp) => true,
        _ => false,
    };
    convert.then_some(Step::Convert)
}
