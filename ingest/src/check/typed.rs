//! Rows of any columns → rows of the table's columns and types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::cast::{ColumnPlan, Step};
use super::rules::Failure;
use super::values::parse_column;
use super::written::parse_written;

/// Typed rows and what is wrong with some of them.
#[derive(Debug)]
pub(crate) struct Typed {
    /// One row for each row that was given, in the table's columns. A value that could not be made is null.
    pub(crate) batch: RecordBatch,
    /// Rows with the column and the reason, in the order of the columns; a row may occur several times.
    pub(crate) failures: Vec<Failure>,
}

/// Makes the table's columns. `schema` has them all nullable, because rows that fail are only left out later.
pub(crate) fn type_columns(
    rows: &RecordBatch,
    columns: &[ColumnPlan],
    schema: &SchemaRef,
) -> Result<Typed, ArrowError> {
    let mut failures = Vec::new();
    let mut arrays = Vec::with_capacity(columns.len());
    for plan in columns {
        let input = rows.column(plan.input);
        let (array, bad) = match plan.step {
            Step::Parse => {
                let texts = cast(input, &DataType::Utf8)?;
                parse_column(texts.as_string::<i32>(), plan.column_type)
            }
            Step::Written(form) => {
                let texts = cast(input, &DataType::Utf8)?;
                parse_written(texts.as_string::<i32>(), plan.column_type, form)?
            }
            Step::Convert => convert(input, plan)?,
        };
        failures.extend(bad.iter().map(|bad| Failure {
            row: bad.row,
            column: Some(plan.name.clone()),
            rule: None,
            reason: bad.reason.into(),
            message: bad.message.clone(),
        }));
        if !plan.nullable && array.null_count() > 0 {
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                if bad.iter().any(|bad| bad.row == row) {
                    continue;
                }
                failures.push(Failure {
                    row,
                    column: Some(plan.name.clone()),
                    rule: None,
                    reason: "NOT_NULL".into(),
                    message: format!("`{}` is missing and the contract wants a value", plan.name),
                });
            }
        }
        arrays.push(array);
    }
    Ok(Typed { batch: RecordBatch::try_new(Arc::clone(schema), arrays)?, failures })
}

/// Converts and converts back: where the values differ, digits would have been lost.
fn convert(input: &ArrayRef, plan: &ColumnPlan) -> Result<(ArrayRef, Vec<super::values::Unreadable>), ArrowError> {
    let wanted = plan.column_type.arrow();
    let unpacked = match input.data_type() {
        DataType::Dictionary(_, values) => cast(input, values)?,
        DataType::Null => return Ok((new_null_array(&wanted, input.len()), Vec::new())),
        _ => Arc::clone(input),
    };
    if *unpacked.data_type() == wanted {
        return Ok((unpacked, Vec::new()));
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let converted = cast_with_options(&unpacked, &wanted, &options)?;
    let back = cast_with_options(&converted, unpacked.data_type(), &options)?;
    let lost: BooleanArray = distinct(&back, &unpacked)?;
    if lost.true_count() == 0 {
        return Ok((converted, Vec::new()));
    }
    let formatter = ArrayFormatter::try_new(&unpacked, &FormatOptions::default())?;
    let bad = (0..lost.len()).filter(|row| lost.value(*row)).map(|row| super::values::Unreadable {
        row,
        reason: "TYPE",
        message: format!("`{}` does not fit {} without loss", formatter.value(row), plan.column_type),
    });
    let bad = bad.collect();
    let kept = arrow::compute::nullif(&converted, &lost)?;
    Ok((kept, bad))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array, Int32Array, StringArray};
    use arrow::datatypes::{Decimal128Type, Field, Schema};
    use xiangyun_engine::catalog::ColumnType;

    use super::*;

    fn plan(name: &str, column_type: ColumnType, nullable: bool, input: usize, step: Step) -> ColumnPlan {
        ColumnPlan { name: name.into(), column_type, nullable, input, step }
    }

    #[test]
    fn numbers_are_converted_exactly_or_refused() {
        let decimals = Decimal128Array::from(vec![150, 155, 10]).with_precision_and_scale(10, 2).unwrap();
        let floats = Float64Array::from(vec![Some(1.0), Some(1.5), None]);
        let fields = vec![
            Field::new("d", decimals.data_type().clone(), true),
            Field::new("f", DataType::Float64, true),
            Field::new("i", DataType::Int32, true),
        ];
        let rows = RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            vec![Arc::new(decimals), Arc::new(floats), Arc::new(Int32Array::from(vec![1, 2, 3]))],
        )
        .unwrap();
        let one_place = ColumnType::Decimal { precision: 5, scale: 1 };
        let plans = [
            plan("d", one_place, true, 0, Step::Convert),
            plan("f", ColumnType::Int64, false, 1, Step::Convert),
            plan("i", one_place, true, 2, Step::Convert),
        ];
        let schema = Arc::new(Schema::new(
            plans.iter().map(|plan| Field::new(&plan.name, plan.column_type.arrow(), true)).collect::<Vec<_>>(),
        ));
        let typed = type_columns(&rows, &plans, &schema).unwrap();
        let found: Vec<_> =
            typed.failures.iter().map(|f| (f.row, f.column.as_deref().unwrap(), f.reason.as_str())).collect();
        assert_eq!(found, [(1, "d", "TYPE"), (1, "f", "TYPE"), (2, "f", "NOT_NULL")]);
        assert_eq!(typed.failures[0].message, "`1.55` does not fit decimal(5,1) without loss");
        let kept = typed.batch["d"].as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>();
        assert_eq!(kept, [Some(15), None, Some(1)]);
    }

    #[test]
    fn a_text_that_is_no_value_is_one_failure_and_not_also_a_missing_value() {
        let rows = RecordBatch::try_from_iter([(
            "n",
            Arc::new(StringArray::from(vec![Some("1"), Some("x"), None])) as ArrayRef,
        )])
        .unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let plans = [plan("n", ColumnType::Int64, false, 0, Step::Parse)];
        let typed = type_columns(&rows, &plans, &schema).unwrap();
        let found: Vec<_> = typed.failures.iter().map(|f| (f.row, f.reason.as_str())).collect();
        assert_eq!(found, [(1, "TYPE"), (2, "NOT_NULL")]);
    }
}
