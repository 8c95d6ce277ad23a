//! What an answer rests on: the runs behind each table, how fresh it is, and what its loads rejected.

use chrono::{DateTime, NaiveDate, Utc};

use super::context::QueryContext;
use super::result::TableVersion;
use super::scope::Pins;
use crate::catalog::{Freshness, RunCounts, RunRecord, RunSource, TableDef, TableName};
use crate::clock::china_date_of;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::calendar::WorkCalendar;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Nothing.
    None,
    /// The newest runs of each table, without their files.
    Summary,
    /// More runs, each with its files.
    Full,
}

impl Depth {
    /// Runs of a table that are listed.
    fn runs(self) -> usize {
        match self {
            Self::None => 0,
            Self::Summary => 3,
            Self::Full => 50,
        }
    }

    /// Commits of a table that one answer reads where nobody has read them before.
    fn commits(self) -> usize {
        match self {
            Self::None => 0,
            Self::Summary => 16,
            Self::Full => 256,
        }
    }

    /// Files of a run that are listed.
    fn files(self) -> usize {
        if self == Self::Full { 20 } else { 0 }
    }
}

/// What rows of one table are known to rest on.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TableProvenance {
    /// The table.
    pub table: TableName,
    /// The version that was read.
    pub version: u64,
    /// Whether a generator made its rows.
    pub synthetic: bool,
    /// When its rows were changed last; compaction and the like do not count. None where that lies further back than was
    /// looked.
    pub data_committed_at: Option<DateTime<Utc>>,
    /// Working days from that day to today, that day not counted; none where `calendar_missing`.
    pub age_working_days: Option<i64>,
    /// The working days of a year are not published, so that an age or a promise cannot be told.
    pub calendar_missing: bool,
    /// How it stands to the promise of its contract, where it makes one.
    pub freshness: Option<Promise>,
    /// Counts over all of its runs, or over the newest ones.
    pub counts: RunCounts,
    /// Whether the counts are over all runs that the rows may come from. Where not, asking again counts further.
    pub counts_complete: bool,
    /// The newest runs, newest first.
    pub runs: Vec<RunMention>,
}

/// How a table stands to the promise of its contract.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Promise {
    /// The day up to which it has data; none where the log's statistics do not tell.
    pub data_date: Option<NaiveDate>,
    /// The last day on which newer data are not overdue.
    pub due_on: Option<NaiveDate>,
    /// Whether newer data were due; none where that cannot be told.
    pub late: Option<bool>,
}

/// A run, as an answer mentions it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RunMention {
    /// Its id.
    pub run_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The version that it committed.
    pub version: Option<u64>,
    /// When it was committed.
    pub committed_at: Option<DateTime<Utc>>,
    /// Rows committed.
    pub rows_loaded: u64,
    /// Rows rejected.
    pub rows_rejected: u64,
    /// Rows left out as duplicates.
    pub rows_duplicate: u64,
    /// Number of its files.
    pub files_total: usize,
    /// The first of them, where they are wanted.
    pub files: Vec<RunSource>,
}

impl QueryContext {
    /// What the tables of an answer rest on. `tables` are its versions, of `pins`. Told from commits that the catalog keeps, and
    /// from a few that it does not: an answer never reads a whole log for this.
    pub async fn provenance(&self, pins: &Pins, tables: &[TableVersion], depth: Depth) -> Vec<TableProvenance> {
        let mut told = Vec::with_capacity(tables.len());
        for table in tables {
            told.push(self.table_provenance(pins, table, depth).await);
        }
        told
    }

    async fn table_provenance(&self, pins: &Pins, table: &TableVersion, depth: Depth) -> TableProvenance {
        let engine = self.engine();
        let recent = engine.catalog().recent_runs(&table.name, table.version, depth.runs(), depth.commits()).await;
        let (today, calendar) = (engine.clock().today(), &engine.reference().calendar);
        let def = engine.project().table(&table.name).map(|document| &document.def);
        let age = recent.data_committed_at.map(|at| calendar.working_days_between(china_date_of(at), today));
        let mut calendar_missing = matches!(age, Some(Err(_)));
        let newest = pins.held(&table.name).filter(|pin| pin.version == table.version).map(|pin| pin.newest_days);
        let day = |column: &str| newest.as_ref().and_then(|days| days.get(column).copied());
        let freshness = def.and_then(|def| promise(def, day, today, calendar, &mut calendar_missing));
        let mention = |(run, committed_at): (RunRecord, Option<DateTime<Utc>>)| RunMention {
            files_total: run.sources.len(),
            files: run.sources.into_iter().take(depth.files()).collect(),
            run_id: run.run_id,
            pipeline: run.pipeline,
            version: run.version,
            committed_at,
            rows_loaded: run.rows_loaded,
            rows_rejected: run.rows_rejected,
            rows_duplicate: run.rows_duplicate,
        };
        TableProvenance {
            table: table.name.clone(),
            version: table.version,
            synthetic: def.is_some_and(|def| def.synthetic),
            data_committed_at: recent.data_committed_at,
            age_working_days: age.and_then(Result::ok),
            calendar_missing,
            freshness,
            counts: recent.counts,
            counts_complete: recent.complete,
            runs: recent.newest.into_iter().map(mention).collect(),
        }
    }

    /// The run called `id`, whatever became of it.
    ///
    /// # Errors
    /// `NotFound` where there is none, or its table may not be seen.
    pub async fn run(&self, id: &str) -> Result<RunRecord> {
        let unknown = || {
            Error::new(ErrorKind::NotFound, format!("there is no run `{id}`"))
                .with_hint("`select run_id, table_name, finished_at from system.runs` lists them")
        };
        let run = self.engine().catalog().run(id).await?.ok_or_else(unknown)?;
        if self.check_visible(&run.table).is_err() {
            return Err(unknown());
        }
        Ok(run)
    }
}

/// How the table stands to its promise, if the promise names the column that tells.
fn promise(
    def: &TableDef,
    newest: impl Fn(&str) -> Option<NaiveDate>,
    today: NaiveDate,
    calendar: &WorkCalendar,
    calendar_missing: &mut bool,
) -> Option<Promise> {
    let promise: &Freshness = def.freshness.as_ref()?;
    let data_date = newest(promise.column.as_deref()?);
    let due = data_date.map(|date| promise.due_on(date, calendar));
    *calendar_missing |= matches!(due, Some(Err(_)));
    let late = match &due {
        Some(Ok(due)) => Some(due.is_some_and(|due| today > due)),
        _ => None,
    };
    Some(Promise { data_date, due_on: due.and_then(Result::ok).flatten(), late })
}

impl std::str::FromStr for Depth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "summary" => Ok(Self::Summary),
            "full" => Ok(Self::Full),
            _ => Err(Error::new(ErrorKind::InvalidInput, format!("`{text}` is none of full, summary, none"))),
        }
    }
}
