//! Whether tables keep the freshness promise of their contract, told of what they hold, without a load.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Date32Type;
use chrono::NaiveDate;
use xiangyun_engine::catalog::{Freshness, TableDef, TableName};
use xiangyun_engine::functions::calendar::WorkCalendar;
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Engine, Error, ErrorKind, Principal, Result};

use crate::check::china_days;

/// How a table stands to its promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshnessState {
    /// Its newest data are not overdue.
    Fresh,
    /// Newer data were due.
    Stale,
    /// Whether newer data were due cannot be told: the working days of a year are not published.
    CalendarMissing,
    /// No row says of which day its data are.
    NoData,
}

impl FreshnessState {
    /// The word for it in lists, which is also the code of the finding.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fresh => "FRESH",
            Self::Stale => "STALE",
            Self::CalendarMissing => "CALENDAR_MISSING",
            Self::NoData => "NO_DATA",
        }
    }
}

/// A table that promises freshness, judged on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFreshness {
    /// The table.
    pub table: TableName,
    /// Whether a generator filled it: its promise is not meant for today.
    pub synthetic: bool,
    /// The day up to which it has data.
    pub data_date: Option<NaiveDate>,
    /// The last day on which newer data are not overdue; none where it cannot be told.
    pub due_on: Option<NaiveDate>,
    /// How it stands.
    pub state: FreshnessState,
    /// What is wrong, in words; none where it is fresh.
    pub message: Option<String>,
}

impl TableFreshness {
    /// Whether somebody should be told.
    pub fn is_broken(&self) -> bool {
        !self.synthetic && matches!(self.state, FreshnessState::Stale | FreshnessState::CalendarMissing)
    }

    /// What is wrong, as an error of data quality.
    pub fn error(&self) -> Error {
        let message = self.message.clone().unwrap_or_else(|| format!("`{}` is fresh", self.table));
        Error::new(ErrorKind::DataQuality, message)
    }

    fn judge(
        table: &TableDef,
        promise: &Freshness,
        data_date: Option<NaiveDate>,
        today: NaiveDate,
        calendar: &WorkCalendar,
    ) -> Self {
        let name = &table.name;
        let due = data_date.map_or(Ok(None), |date| promise.due_on(date, calendar));
        let (state, due_on, message) = match (data_date, due) {
            (None, _) => (FreshnessState::NoData, None, Some(format!("no row says how fresh `{name}` is"))),
            (Some(date), Ok(Some(due))) if today > due => {
                let message = format!("`{name}` has data up to {date}, newer ones were due by {due}");
                (FreshnessState::Stale, Some(due), Some(message))
            }
            (Some(_), Ok(due)) => (FreshnessState::Fresh, due, None),
            (Some(_), Err(error)) => {
                let message = format!("calendar_missing: whether `{name}` is fresh cannot be told: {error}");
                (FreshnessState::CalendarMissing, None, Some(message))
            }
        };
        Self { table: name.clone(), synthetic: table.synthetic, data_date, due_on, state, message }
    }
}

/// Judges `table` as if it had data up to `newest`, beside what it has where `counts_stored` says so; none where it
/// promises nothing that a column tells.
pub(crate) async fn freshness_of(
    engine: &Engine,
    table: &TableDef,
    newest: Option<NaiveDate>,
    counts_stored: bool,
) -> Result<Option<TableFreshness>> {
    let Some((promise, column)) = promise_of(table) else { return Ok(None) };
    let stored = if counts_stored { data_date(engine, &table.name, column).await? } else { None };
    let (today, calendar) = (engine.clock().today(), &engine.reference().calendar);
    Ok(Some(TableFreshness::judge(table, promise, newest.max(stored), today, calendar)))
}

/// Every declared table that promises freshness, judged today.
///
/// # Errors
/// Where a table cannot be read.
pub async fn freshness(engine: &Engine) -> Result<Vec<TableFreshness>> {
    let mut found = Vec::new();
    for table in &engine.project().tables {
        found.extend(freshness_of(engine, &table.def, None, true).await?);
    }
    Ok(found)
}

/// Whether any declared table promises what can be judged.
pub(crate) fn is_promised(engine: &Engine) -> bool {
    engine.project().tables.iter().any(|table| promise_of(&table.def).is_some())
}

fn promise_of(table: &TableDef) -> Option<(&Freshness, &str)> {
    let promise = table.freshness.as_ref()?;
    Some((promise, promise.column.as_deref()?))
}

/// The greatest day of the column, in China; none for a table that was never loaded or has no values in it.
async fn data_date(engine: &Engine, table: &TableName, column: &str) -> Result<Option<NaiveDate>> {
    let sql = format!("select max(\"{column}\") from {table}");
    let result = match engine.query_as(Principal::system()).sql(SqlRequest::new(sql)).await {
        Ok(result) => result.collect().await?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(batch) = result.iter().find(|batch| batch.num_rows() > 0) else { return Ok(None) };
    let days = china_days(batch.column(0)).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the days of `{column}` of `{table}` cannot be told"))
            .with_source(error)
    })?;
    let days = days.as_primitive_opt::<Date32Type>().filter(|days| days.is_valid(0));
    Ok(days.and_then(|days| NaiveDate::from_epoch_days(days.value(0))))
}
