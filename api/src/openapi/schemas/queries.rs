//! Queries: where they are, what they did, and their results.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

use super::shared::TableVersion;

/// Which versions of the tables a statement reads.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum AsOf {
    /// Those that were the newest at this time.
    Time(DateTime<Utc>),
    /// These, by table; the newest ones of tables that are not named.
    Versions(HashMap<String, u64>),
}

/// Where a query is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum QueryState {
    Pending,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    Expired,
}

/// What was read from files.
#[derive(ToSchema)]
pub(crate) struct Scanned {
    /// Rows that left the scans.
    rows: u64,
    /// Bytes read from the store.
    bytes: u64,
    /// Files, or parts of them, that were looked into.
    files: u64,
    /// Files, or parts of them, that statistics ruled out.
    files_skipped: u64,
    /// Row groups that were read.
    row_groups: u64,
    /// Row groups that statistics or Bloom filters ruled out.
    row_groups_skipped: u64,
}

/// Why a query failed.
#[derive(ToSchema)]
pub(crate) struct QueryFailure {
    /// The stable code.
    code: String,
    /// What is wrong.
    detail: String,
    /// What can be done about it.
    #[schema(nullable = false)]
    hint: Option<String>,
}

/// Consecutive rows of a result.
#[derive(ToSchema)]
pub(crate) struct ResultChunk {
    /// Number of the chunk, from 0.
    chunk: usize,
    /// Number of its first row, from 0.
    first_row: u64,
    /// Its rows.
    rows: u64,
}

/// Where the result of an asynchronous query is.
#[derive(ToSchema)]
pub(crate) struct KeptResult {
    /// Its address.
    href: String,
    /// Bytes that it takes on the server's disk.
    bytes: u64,
    /// Its chunks.
    chunks: Vec<ResultChunk>,
}

/// What is known of a query.
#[derive(ToSchema)]
pub(crate) struct QueryInfo {
    /// The query's id.
    query_id: Uuid,
    /// Who asked.
    principal: String,
    /// The statement, without the parameters' values.
    statement: String,
    /// Where it is.
    state: QueryState,
    /// When it was asked.
    submitted_at: DateTime<Utc>,
    /// Milliseconds since then, or until it ended.
    elapsed_ms: u64,
    /// Rows handed out, or kept, so far.
    rows: u64,
    /// Rows were left out because of a limit.
    truncated: bool,
    /// What was read so far.
    scanned: Scanned,
    /// Bytes that its operators held in memory at the most.
    peak_memory_bytes: u64,
    /// The tables it reads, each at one version.
    tables: Vec<TableVersion>,
    /// Why it failed.
    #[schema(nullable = false)]
    error: Option<QueryFailure>,
    /// The result, where it is kept.
    #[schema(nullable = false)]
    result: Option<KeptResult>,
    /// Address of what its operators did; not in lists.
    #[schema(nullable = false)]
    profile: Option<String>,
}

/// Queries, newest first.
#[derive(ToSchema)]
pub(crate) struct QueryList {
    /// The queries.
    queries: Vec<QueryInfo>,
}

/// One operator and those that feed it.
#[derive(ToSchema)]
#[schema(no_recursion)]
pub(crate) struct ProfileNode {
    /// The operator, as in `HashJoinExec`.
    operator: String,
    /// What it does, in one line.
    detail: String,
    /// Rows that it handed on.
    rows: u64,
    /// Milliseconds that it computed, over all partitions.
    time_ms: f64,
    /// Bytes that it held in memory at the most, where it says.
    memory_bytes: u64,
    /// Bytes that it wrote to disk for want of memory.
    spilled_bytes: u64,
    /// Its other counters, by name.
    counters: HashMap<String, u64>,
    /// The operators that feed it.
    inputs: Vec<ProfileNode>,
}

/// What a query did.
#[derive(ToSchema)]
pub(crate) struct QueryProfile {
    /// The query's id.
    query_id: Uuid,
    /// Where it is.
    state: QueryState,
    /// Milliseconds since it was asked, or until it ended.
    elapsed_ms: u64,
    /// What was read.
    scanned: Scanned,
    /// Bytes that its operators held in memory at the most.
    peak_memory_bytes: u64,
    /// The operators; none before they began.
    plan: Option<ProfileNode>,
}
