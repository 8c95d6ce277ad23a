//! `is_working_day`, `working_days_between`, `add_working_days`, each with a `try_` variant.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ScalarUDF, Volatility};

use crate::functions::adapter::{Argument, Rows, Section, date, integer, scalar_with};
use crate::functions::calendar::{CalendarError, WorkCalendar};

pub(super) const SECTION: Section = Section("Working days");
const DAY: &[Argument] = &[date("day")];
const SPAN: &[Argument] = &[date("start"), date("end")];
const STEP: &[Argument] = &[date("day"), integer("n")];

/// The functions of working days over `calendar`.
pub(super) fn scalar_functions(calendar: &Arc<WorkCalendar>) -> Vec<ScalarUDF> {
    let function = |name, arguments, returns, description: &str, body: Body| {
        let calendar = calendar.clone();
        let reference = calendar.fingerprint();
        scalar_with(reference, Volatility::Immutable, SECTION, name, arguments, returns, description, move |rows| {
            body(&calendar, rows)
        })
    };
    vec![
        function(
            "is_working_day",
            DAY,
            DataType::Boolean,
            "True on a working day by the State Council's notices; an error outside the published years.",
            |calendar, rows| is_working_day(calendar, rows, strict),
        ),
        function(
            "try_is_working_day",
            DAY,
            DataType::Boolean,
            "Like `is_working_day`, and NULL outside the published years.",
            |calendar, rows| is_working_day(calendar, rows, lenient),
        ),
        function(
            "working_days_between",
            SPAN,
            DataType::Int64,
            "Number of working days d with start < d <= end; an error when the end lies before the start or outside the published years.",
            |calendar, rows| working_days_between(calendar, rows, strict),
        ),
        function(
            "try_working_days_between",
            SPAN,
            DataType::Int64,
            "Like `working_days_between`, and NULL instead of an error.",
            |calendar, rows| working_days_between(calendar, rows, lenient),
        ),
        function(
            "add_working_days",
            STEP,
            DataType::Date32,
            "The n-th working day after the day, before it when n is negative, the day itself when n is 0; an error outside the published years.",
            |calendar, rows| add_working_days(calendar, rows, strict),
        ),
        function(
            "try_add_working_days",
            STEP,
            DataType::Date32,
            "Like `add_working_days`, and NULL outside the published years.",
            |calendar, rows| add_working_days(calendar, rows, lenient),
        ),
        function(
            "last_published_year",
            &[],
            DataType::Int32,
            "The last year whose working days are published.",
            |calendar, rows| Ok(Arc::new(Int32Array::from_value(calendar.last_published_year(), rows.iter().len()))),
        ),
    ]
}

type Result<T> = datafusion::common::Result<T>;
type Body = fn(&WorkCalendar, &Rows<'_>) -> Result<ArrayRef>;

/// What becomes of a row that the calendar cannot answer.
type OnError<T> = fn(std::result::Result<T, CalendarError>) -> Result<Option<T>>;

/// The query fails.
#[inline]
fn strict<T>(answer: std::result::Result<T, CalendarError>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(query_error(error)),
    }
}

/// The error as the query's caller gets it, with its kind and hint.
#[cold]
pub(super) fn query_error(error: CalendarError) -> DataFusionError {
    DataFusionError::External(Box::new(crate::Error::from(error)))
}

/// The row is NULL.
#[inline]
fn lenient<T>(answer: std::result::Result<T, CalendarError>) -> Result<Option<T>> {
    Ok(answer.ok())
}

fn is_working_day(calendar: &WorkCalendar, rows: &Rows<'_>, on_error: OnError<bool>) -> Result<ArrayRef> {
    let day = rows.date(0)?;
    let answer = |row| match day.get(row) {
        Some(day) => on_error(calendar.is_working(day)),
        None => Ok(None),
    };
    Ok(Arc::new(rows.iter().map(answer).collect::<Result<BooleanArray>>()?))
}

fn working_days_between(calendar: &WorkCalendar, rows: &Rows<'_>, on_error: OnError<i64>) -> Result<ArrayRef> {
    let (start, end) = (rows.date(0)?, rows.date(1)?);
    let answer = |row| match (start.get(row), end.get(row)) {
        (Some(start), Some(end)) => on_error(calendar.between(start, end)),
        _ => Ok(None),
    };
    Ok(Arc::new(rows.iter().map(answer).collect::<Result<Int64Array>>()?))
}

fn add_working_days(calendar: &WorkCalendar, rows: &Rows<'_>, on_error: OnError<i32>) -> Result<ArrayRef> {
    let (day, n) = (rows.date(0)?, rows.integer(1)?);
    let answer = |row| match (day.get(row), n.get(row)) {
        (Some(day), Some(n)) => on_error(calendar.add(day, n)),
        _ => Ok(None),
    };
    Ok(Arc::new(rows.iter().map(answer).collect::<Result<Date32Array>>()?))
}
