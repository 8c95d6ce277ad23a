//! How many periods are filled in at the most. The range is the data's, so that it is known only while the plan runs:
//! one open end written as 9999-12-31 would make three million days of a single row.

use std::sync::Arc;

use datafusion::arrow::array::Date32Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, lit};

use crate::Error;
use crate::functions::adapter::{Argument, Rows, Section, date, scalar, text};
use crate::semantic::definition::TimeGrain;
use crate::semantic::error::SemanticError;
use crate::semantic::period::{date_of, periods_between};

/// A hundred and thirty-seven years of days.
pub(super) const MAX_PERIODS: i64 = 50_000;

const ARGUMENTS: &[Argument] = &[date("first"), date("last"), text("grain"), text("column")];

/// `last`, the first day of the last period; an error of the query where more than [`MAX_PERIODS`] begin from `first` on.
/// Of hours both are days. `column` is where the dates come from.
pub(super) fn bounded(first: Expr, last: Expr, grain: TimeGrain, column: &str) -> Expr {
    let description = "The last period, where not too many lie between it and the first.";
    let function = scalar(Section("Metrics"), "bounded_period", ARGUMENTS, DataType::Date32, description, check);
    function.call(vec![first, last, lit(grain.name()), lit(column)])
}

fn check(rows: &Rows<'_>) -> Result<Arc<dyn datafusion::arrow::array::Array>> {
    let (firsts, lasts, grains, columns) = (rows.date(0)?, rows.date(1)?, rows.text(2)?, rows.text(3)?);
    let checked = rows.iter().map(|row| {
        let (Some(first), Some(last)) = (firsts.get(row), lasts.get(row)) else { return Ok(None) };
        let grain = grains.get(row).and_then(|name| name.parse().ok()).unwrap_or(TimeGrain::Day);
        let (from, to) = (date_of(first), date_of(last));
        let count = periods_between(grain, from, to);
        if count > MAX_PERIODS {
            let column = columns.get(row).unwrap_or_default().to_owned();
            let error = SemanticError::TooManyPeriods { column, from, to, grain, count, limit: MAX_PERIODS };
            return Err(DataFusionError::External(Box::new(Error::from(error))));
        }
        Ok(Some(last))
    });
    Ok(Arc::new(checked.collect::<Result<Date32Array>>()?))
}
