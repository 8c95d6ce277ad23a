//! Loads, their files, and what they rejected.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;

use super::provenance::RunSource;
use super::shared::QueryReply;

/// How a run ended.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RunStatus {
    Succeeded,
    Unchanged,
    Failed,
}

/// A load.
#[derive(ToSchema)]
pub(crate) struct RunReply {
    /// Its id.
    run_id: String,
    /// The pipeline.
    pipeline: String,
    /// The table.
    table: String,
    /// How it ended.
    status: RunStatus,
    /// What was read: a hundred files at the most.
    sources: Vec<RunSource>,
    /// The number of files.
    sources_total: u64,
    /// Rows read.
    rows_read: u64,
    /// Rows committed.
    rows_loaded: u64,
    /// Rows in quarantine.
    rows_rejected: u64,
    /// Rows left out as duplicates.
    rows_duplicate: u64,
    /// Findings of checks that only warn.
    warnings: u64,
    /// Rows that others took the place of, or that were closed by a later version.
    rows_updated: u64,
    /// Rows that were taken out of the table.
    rows_deleted: u64,
    /// Version that its commit made.
    version: Option<u64>,
    /// What was decided or changed on the way, in words.
    #[schema(required = false)]
    notes: Vec<String>,
    /// The run whose rows this one took out before it loaded their sources again.
    #[schema(nullable = false)]
    redo_of: Option<String>,
    /// The high-water mark of an incremental source.
    #[schema(nullable = false)]
    cursor: Option<String>,
    /// The tables that its transform read, each at one version.
    #[schema(required = false)]
    reads: Vec<RunRead>,
    /// What stopped it, as in `max-rejected`.
    #[schema(nullable = false)]
    stopped_by: Option<String>,
    /// The quarantined rows of earlier runs that this one took up.
    #[schema(required = false)]
    resolves: Vec<ResolvedRows>,
    /// The columns that its sources had, before any transform.
    #[schema(required = false)]
    columns: Vec<String>,
    /// What started it, where it was not a person, as in `schedule`.
    #[schema(nullable = false)]
    trigger: Option<String>,
    /// The time of its schedule that it ran for.
    #[schema(nullable = false)]
    due_at: Option<DateTime<Utc>>,
    /// Start.
    started_at: DateTime<Utc>,
    /// End.
    finished_at: DateTime<Utc>,
    /// Why it failed.
    error: Option<String>,
    /// Where more is told.
    links: LoadLinks,
}

/// A table that a run read.
#[derive(ToSchema)]
pub(crate) struct RunRead {
    /// The table.
    table: String,
    /// Version of its log.
    version: u64,
}

/// Quarantined rows of one run.
#[derive(ToSchema)]
pub(crate) struct ResolvedRows {
    /// The run that rejected them.
    run_id: String,
    /// Their numbers within that run's quarantine, from 1: first and last of each stretch.
    rows: Vec<Vec<u64>>,
}

/// Where more is told of a load.
#[derive(ToSchema)]
pub(crate) struct LoadLinks {
    /// The run.
    run: String,
    /// Its files.
    files: String,
    /// The rows that it rejected, where there are any.
    #[schema(nullable = false)]
    rejected: Option<String>,
    /// The table.
    table: String,
}

/// The files of a load.
#[derive(ToSchema)]
pub(crate) struct RunFiles {
    /// The run's id.
    run_id: String,
    /// The table.
    table: String,
    /// The number of files.
    files_total: u64,
    /// The files of the page.
    files: Vec<RunFile>,
    /// The token of the next page; none behind the last one.
    next_page: Option<String>,
}

/// A file of a load.
#[derive(ToSchema)]
pub(crate) struct RunFile {
    #[serde(flatten)]
    source: RunSource,
    /// Rows of it that the table still holds; none where nothing was committed.
    rows: Option<u64>,
}

/// A page of the rows that a load rejected.
#[derive(ToSchema)]
pub(crate) struct RejectedReply {
    #[serde(flatten)]
    rows: QueryReply,
    /// The run's id.
    run_id: String,
    /// Rows that it rejected.
    rows_rejected: u64,
    /// The token of the next page, for use where `truncated` is true.
    next_page: String,
}
