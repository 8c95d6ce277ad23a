//! What figures rest on: tables, loads, files and lines.

use chrono::{DateTime, NaiveDate, Utc};
use utoipa::ToSchema;

use super::metrics::MetricSummary;
use super::shared::{TableVersion, TimeGrain};

/// The tables under a metric's figures.
#[derive(ToSchema)]
pub(crate) struct Provenance {
    /// Each table.
    tables: Vec<TableProvenance>,
    /// Where more is told.
    links: ProvenanceLinks,
}

/// Where more is told of what figures rest on.
#[derive(ToSchema)]
pub(crate) struct ProvenanceLinks {
    /// The files and lines.
    lines: String,
}

/// The tables under the figures of several questions.
#[derive(ToSchema)]
pub(crate) struct TablesProvenance {
    /// Each table.
    tables: Vec<TableProvenance>,
}

/// What the rows of one table are known to rest on.
#[derive(ToSchema)]
pub(crate) struct TableProvenance {
    /// The table.
    table: String,
    /// The version that was read.
    version: u64,
    /// Whether a generator made its rows.
    synthetic: bool,
    /// When its rows were changed last; none where that lies further back than was looked.
    data_committed_at: Option<DateTime<Utc>>,
    /// Working days from that day to today, that day not counted; none where `calendar_missing`.
    age_working_days: Option<i64>,
    /// The working days of a year are not published, so that an age or a promise cannot be told.
    calendar_missing: bool,
    /// How it stands to the promise of its contract, where it makes one.
    freshness: Option<Promise>,
    /// Counts over all of its runs, or over the newest ones.
    counts: RunCounts,
    /// Whether the counts are over all runs that the rows may come from. Where not, asking again counts further.
    counts_complete: bool,
    /// The newest runs, newest first.
    runs: Vec<RunMention>,
    /// Where more is told of it.
    links: TableLinks,
}

/// Where more is told of a table.
#[derive(ToSchema)]
pub(crate) struct TableLinks {
    /// The table.
    table: String,
}

/// How a table stands to the promise of its contract.
#[derive(ToSchema)]
pub(crate) struct Promise {
    /// The day up to which it has data; none where the log's statistics do not tell.
    data_date: Option<NaiveDate>,
    /// The last day on which newer data are not overdue.
    due_on: Option<NaiveDate>,
    /// Whether newer data were due; none where that cannot be told.
    late: Option<bool>,
}

/// Counts over runs.
#[derive(ToSchema)]
pub(crate) struct RunCounts {
    /// Runs.
    runs: u64,
    /// Rows that they committed.
    rows_loaded: u64,
    /// Rows that they rejected.
    rows_rejected: u64,
    /// Rows that they left out as duplicates.
    rows_duplicate: u64,
}

/// A run, as an answer mentions it.
#[derive(ToSchema)]
pub(crate) struct RunMention {
    /// Its id.
    run_id: String,
    /// The pipeline.
    pipeline: String,
    /// The version that it committed.
    version: Option<u64>,
    /// When it was committed.
    committed_at: Option<DateTime<Utc>>,
    /// Rows committed.
    rows_loaded: u64,
    /// Rows rejected.
    rows_rejected: u64,
    /// Rows left out as duplicates.
    rows_duplicate: u64,
    /// Number of its files.
    files_total: u64,
    /// The first of them, with `provenance=full`.
    files: Vec<RunSource>,
    /// Where more is told of it.
    links: RunLinks,
}

/// A file that a run read.
#[derive(ToSchema)]
pub(crate) struct RunSource {
    /// Path or address, as declared and found.
    path: String,
    /// Bytes, before decompression.
    size_bytes: u64,
    /// SHA-256 of those bytes; none where the run failed before it came to their end.
    sha256: Option<String>,
    /// Encoding that was decided, as in `GB18030`.
    encoding: Option<String>,
}

/// Where more is told of a run.
#[derive(ToSchema)]
pub(crate) struct RunLinks {
    /// The run.
    run: String,
    /// Its files.
    files: String,
    /// The rows that it rejected, where there are any.
    #[schema(nullable = false)]
    rejected: Option<String>,
}

/// The files and lines that a figure is made of.
#[derive(ToSchema)]
pub(crate) struct MetricOrigins {
    /// The metric, with its definition.
    metric: MetricSummary,
    /// The condition that was asked with.
    r#where: Option<String>,
    /// Length of a period.
    grain: Option<TimeGrain>,
    /// First day, inclusive.
    from: Option<NaiveDate>,
    /// Last day, inclusive.
    to: Option<NaiveDate>,
    /// The tables, each at one version.
    tables: Vec<TableVersion>,
    /// Rows of all files.
    rows: u64,
    /// The number of files.
    files_total: u64,
    /// The files, those with the most rows first; a thousand at the most.
    files: Vec<FileOrigin>,
    /// The lines of the page, in the order of tables, files and lines.
    lines: Vec<LineOrigin>,
    /// The token of the next page; none behind the last one.
    next_page: Option<String>,
}

/// A file that rows of a figure stood in.
#[derive(ToSchema)]
pub(crate) struct FileOrigin {
    /// The table it was loaded into.
    table: String,
    /// The run that loaded it.
    run_id: Option<String>,
    /// The file; none for rows that were written without saying.
    file: Option<String>,
    /// Its rows among those of the figure.
    rows: u64,
    /// The first of their lines.
    first_line: Option<i64>,
    /// The last of them.
    last_line: Option<i64>,
    /// Where more is told of the run, where there is one.
    #[schema(nullable = false)]
    links: Option<RunLinks>,
}

/// A line that a row of a figure stood on.
#[derive(ToSchema)]
pub(crate) struct LineOrigin {
    /// The table it was loaded into.
    table: String,
    /// The run that loaded it.
    run_id: Option<String>,
    /// The file.
    file: Option<String>,
    /// The line, from 1; none where a transform made one row of several lines.
    line: Option<i64>,
    /// Rows that were made of it.
    rows: u64,
}
