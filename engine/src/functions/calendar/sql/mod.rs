//! The SQL functions over the rules of this folder.

mod china_date;
mod working_days;
mod working_days_union;
mod written_date;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::WorkCalendar;
pub(crate) use china_date::china_date;

/// All functions of one row.
pub(in crate::functions) fn scalar_functions(calendar: &Arc<WorkCalendar>) -> Vec<ScalarUDF> {
    let mut functions = working_days::scalar_functions(calendar);
    functions.extend(written_date::scalar_functions());
    functions.push(china_date());
    functions
}

/// All functions of many rows.
pub(in crate::functions) fn aggregate_functions(calendar: &Arc<WorkCalendar>) -> Vec<AggregateUDF> {
    working_days_union::aggregate_functions(calendar)
}
