//! The session's calendar of working days: as expressions over rows, and asked while a question is planned.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, lit, when};

use super::error::SemanticError;
use super::period::{date, date_of};
use crate::error::Error;

/// The day from which working days are numbered: no calendar begins earlier.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2007, 1, 1).expect("a date");

/// The calendar functions of a session.
#[derive(Debug, Clone)]
pub(super) struct WorkingDays {
    is_working: Arc<ScalarUDF>,
    add: Arc<ScalarUDF>,
    between: Arc<ScalarUDF>,
}

impl WorkingDays {
    /// Finds the functions in `session`.
    pub(super) fn try_new(session: &SessionState) -> Result<Self, SemanticError> {
        let function = |name: &'static str| {
            session.scalar_functions().get(name).cloned().ok_or(SemanticError::MissingFunction { name })
        };
        Ok(Self {
            is_working: function("is_working_day")?,
            add: function("add_working_days")?,
            between: function("working_days_between")?,
        })
    }

    /// Whether `day` is worked; an error of the query in a year without a notice.
    pub(super) fn is_working(&self, day: Expr) -> Expr {
        self.is_working.call(vec![day])
    }

    /// The working day that what happens on `day` counts to: the day itself, or the next that is worked.
    pub(super) fn counted_on(&self, day: Expr) -> Expr {
        let next = self.add.call(vec![day.clone(), lit(1_i64)]);
        // Two arms of one type always make a case.
        when(self.is_working(day.clone()), day).otherwise(next.clone()).unwrap_or(next)
    }

    /// The number of a working day: what lies `n` working days before it has a number less by `n`.
    pub(super) fn number(&self, day: Expr) -> Expr {
        self.between.call(vec![date(FIRST), day])
    }

    /// The first and the last day whose rows count to the working days from `from` to `to`: the days off before
    /// `from` are among them, those behind the last working day are not.
    pub(super) fn bounds(
        &self,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        session: &SessionState,
    ) -> Result<(Option<NaiveDate>, Option<NaiveDate>), SemanticError> {
        let first = from.map(|from| self.before(from, 1, session)).transpose()?;
        let last = match to {
            None => None,
            Some(to) if self.works_on(to, session)? => Some(to),
            Some(to) => Some(self.before(to, 1, session)?),
        };
        Ok((first.and_then(|day| day.succ_opt()), last))
    }

    /// The `n`-th working day before `day`.
    pub(super) fn before(&self, day: NaiveDate, n: u32, session: &SessionState) -> Result<NaiveDate, SemanticError> {
        match evaluate(self.add.call(vec![date(day), lit(-i64::from(n))]), session)? {
            ScalarValue::Date32(Some(days)) => Ok(date_of(days)),
            _ => Err(SemanticError::OutOfCalendar { date: day }),
        }
    }

    fn works_on(&self, day: NaiveDate, session: &SessionState) -> Result<bool, SemanticError> {
        let answer = evaluate(self.is_working(date(day)), session)?;
        Ok(answer == ScalarValue::Boolean(Some(true)))
    }
}

/// The value of an expression without columns.
fn evaluate(expr: Expr, session: &SessionState) -> Result<ScalarValue, SemanticError> {
    let value = session.create_physical_expr(expr, &DFSchema::empty()).and_then(|expr| {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        match expr.evaluate(&no_rows)? {
            ColumnarValue::Scalar(value) => Ok(value),
            ColumnarValue::Array(values) => ScalarValue::try_from_array(&values, 0),
        }
    });
    value.map_err(|error| match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => SemanticError::WorkingDays { reason: ours.to_string(), hint: ours.hint().map(Into::into) },
            None => SemanticError::WorkingDays { reason: inner.to_string(), hint: None },
        },
        other => SemanticError::WorkingDays { reason: other.strip_backtrace(), hint: None },
    })
}
