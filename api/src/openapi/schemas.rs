//! Bodies of replies. The engine's own types know nothing of this document, so their shapes are told here; a test reads
//! real replies against them.

#![allow(dead_code, reason = "these types are only described, never made")]

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A text in both languages.
#[derive(ToSchema)]
pub(crate) struct Bilingual {
    /// Chinese.
    zh: String,
    /// English.
    en: String,
}

/// How the server is.
#[derive(ToSchema)]
pub(crate) struct Health {
    /// `ok` or `ready`.
    status: String,
}

/// A table as one query saw it.
#[derive(ToSchema)]
pub(crate) struct TableVersion {
    /// The table.
    name: String,
    /// Version of its Delta log.
    version: u64,
    /// When that version was committed.
    committed_at: Option<DateTime<Utc>>,
}

/// A column of a result.
#[derive(ToSchema)]
pub(crate) struct ResultColumn {
    /// Its name.
    name: String,
    /// Its type, as in `decimal(38,6)`.
    r#type: String,
    /// Whether a value may be missing.
    nullable: bool,
}

/// Rows, their types, and what they rest on.
#[derive(ToSchema)]
pub(crate) struct QueryReply {
    /// The query's id.
    query_id: Uuid,
    /// The tables it rests on, each at one version.
    tables: Vec<TableVersion>,
    /// The columns in order.
    schema: Vec<ResultColumn>,
    /// The rows, each with every column. 64-bit integers and decimals are strings unless `numbers=native`.
    rows: Vec<HashMap<String, Value>>,
    /// Rows in this reply.
    row_count: u64,
    /// Rows were left out because of a limit.
    truncated: bool,
}

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

/// A page of a table.
#[derive(ToSchema)]
pub(crate) struct PageReply {
    #[serde(flatten)]
    rows: QueryReply,
    /// The token of the next page, for use where `truncated` is true.
    next_page: String,
}

/// A metric's figures, with all that one needs to quote them.
#[derive(ToSchema)]
pub(crate) struct MetricReply {
    #[serde(flatten)]
    rows: QueryReply,
    /// The metric, with its definition.
    metric: MetricSummary,
    /// Length of a period.
    grain: Option<TimeGrain>,
    /// How regions were read.
    regions: Option<RegionMode>,
    /// The same in words.
    regions_label: Option<Bilingual>,
    /// Any of the tables is synthetic.
    synthetic: bool,
    /// The rollups that the figures were read from, and those that would have answered if they were not behind.
    rollups: Vec<RollupUse>,
    /// What each column is.
    columns: Vec<MetricColumn>,
    /// The tables under the figures, with their newest runs and how fresh they are; not with `provenance=none`.
    #[schema(value_type = Object, required = false)]
    provenance: Option<Value>,
}

/// What a rollup had to do with an answer.
#[derive(ToSchema)]
pub(crate) struct RollupUse {
    /// The rollup.
    name: String,
    /// What became of it.
    state: RollupState,
}

/// What became of a rollup.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RollupState {
    /// The figures were read from it.
    Used,
    /// It does not stand for the versions that the figures rest on, so that the tables were read.
    Behind,
}

/// Figures, or with `explain=true` what would be run for them.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum MetricAnswer {
    /// Figures.
    Figures(MetricReply),
    /// What would be run.
    Explanation(MetricExplanation),
}

/// What a question to a metric would run.
#[derive(ToSchema)]
pub(crate) struct MetricExplanation {
    /// The metric, with its definition.
    metric: MetricSummary,
    /// The tables it would read, each at one version.
    tables: Vec<TableVersion>,
    /// The rollups that it would be read from, and those that would answer if they were not behind.
    rollups: Vec<RollupUse>,
    /// A statement that gives the same figures; none where the plan has no form in SQL.
    sql: Option<String>,
    /// Why there is no statement.
    sql_missing: Option<String>,
    /// The logical plan.
    logical_plan: String,
    /// The operators that would run.
    physical_plan: String,
}

/// Length of a period.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum TimeGrain {
    Hour,
    Day,
    WorkingDay,
    Week,
    Month,
    Quarter,
    Year,
}

/// How old division codes are read.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RegionMode {
    AsWas,
    AsIs,
}

/// A metric.
#[derive(ToSchema)]
pub(crate) struct MetricSummary {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// Definition in words.
    description: Bilingual,
    /// Version of the definition.
    definition_version: u32,
    /// `simple`, `ratio`, `derived`, `cumulative` or `change`.
    kind: String,
    /// Unit of the value.
    unit: Option<String>,
    /// Who answers for it.
    owner: String,
    /// The table or view of its model.
    table: String,
    /// Grains that may be asked for.
    grains: Vec<TimeGrain>,
    /// Dimensions that may be grouped by.
    dimensions: Vec<String>,
    /// Ways to drill down.
    hierarchies: Vec<Hierarchy>,
    /// What its figures may be added over.
    additive: Additivity,
    /// Whether it is an estimate.
    approximate: bool,
    /// The month with which its years begin, from 1.
    fiscal_year_start: Option<u32>,
}

/// Dimensions from the whole to its parts.
#[derive(ToSchema)]
pub(crate) struct Hierarchy {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// Names as in `by`, the coarsest first.
    levels: Vec<String>,
}

/// Whether the figure of a whole is the sum of the figures of its parts.
#[derive(ToSchema)]
pub(crate) struct Additivity {
    /// Over groups.
    groups: bool,
    /// Over periods.
    periods: bool,
}

/// A column of a metric's figures.
#[derive(ToSchema)]
pub(crate) struct MetricColumn {
    /// Name in the rows.
    name: String,
    /// What it is.
    role: MetricColumnRole,
    /// Title.
    title: Bilingual,
}

/// What a column of a metric's figures is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum MetricColumnRole {
    Period,
    Dimension,
    Label,
    Value,
    Reason,
}

/// The metrics.
#[derive(ToSchema)]
pub(crate) struct MetricList {
    /// In the order of their names.
    metrics: Vec<MetricSummary>,
}

/// The tables and views.
#[derive(ToSchema)]
pub(crate) struct TableList {
    /// In the order of their names.
    tables: Vec<TableSummary>,
}

/// Table, view, or made by the engine.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TableKind {
    Table,
    View,
    System,
}

/// A table in a list.
#[derive(ToSchema)]
pub(crate) struct TableSummary {
    /// Name.
    name: String,
    /// Table or view.
    kind: TableKind,
    /// Title.
    title: Bilingual,
    /// Agency in full.
    agency: String,
    /// Made by the seeded generator.
    synthetic: bool,
    /// Data level, as in `general-1`.
    level: Option<String>,
    /// Sharing type, as in `unconditional`.
    sharing: Option<String>,
    /// Newest version; none for a view, and for a table that was never loaded.
    version: Option<u64>,
    /// When that version was committed.
    committed_at: Option<DateTime<Utc>>,
    /// Rows.
    rows: Option<u64>,
    /// Data files.
    files: Option<u64>,
    /// Bytes of the data files.
    size_bytes: Option<u64>,
    /// Differences between contract and log.
    drift: Vec<String>,
}

/// One table in full.
#[derive(ToSchema)]
pub(crate) struct TableDetail {
    #[serde(flatten)]
    summary: TableSummary,
    /// Description.
    description: Bilingual,
    /// Who answers for it.
    owner: String,
    /// Columns that identify a row.
    primary_key: Vec<String>,
    /// Licence.
    license: Option<String>,
    /// Where the data comes from.
    source: Option<String>,
    /// A view's query.
    sql: Option<String>,
    /// Columns in order.
    columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(ToSchema)]
pub(crate) struct TableColumn {
    /// Name.
    name: String,
    /// Type, in the contract's spelling.
    r#type: String,
    /// Whether a value may be missing.
    nullable: bool,
    /// Title.
    title: Option<Bilingual>,
    /// Description.
    description: Option<Bilingual>,
    /// Unit.
    unit: Option<String>,
}

/// What became of rows that were sent.
#[derive(ToSchema)]
pub(crate) struct PushReply {
    /// The table.
    table: String,
    /// `unchanged` where the request had been loaded before.
    status: PushStatus,
    /// The run that has the rows.
    run_id: String,
    /// The version that has the rows.
    version: u64,
    /// Rows in the request; not told where it had been loaded before, as the other counts.
    rows_read: Option<u64>,
    /// Rows in the table.
    rows_loaded: Option<u64>,
    /// Rows in quarantine.
    rows_rejected: Option<u64>,
    /// Rows left out as duplicates.
    rows_duplicate: Option<u64>,
    /// The first rejected rows.
    rejects: Vec<Reject>,
}

/// Whether rows were loaded now.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum PushStatus {
    Loaded,
    Unchanged,
}

/// A row that breaks the contract.
#[derive(ToSchema)]
pub(crate) struct Reject {
    /// Its line in the body.
    line: u64,
    /// The column at fault.
    column: Option<String>,
    /// The stable reason, as in `NOT_NULL`.
    reason: String,
    /// The same in words.
    message: String,
}

/// How an alert stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlertWord {
    Never,
    Failed,
    Firing,
    Ok,
}

/// How bad it is.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum AlertSeverity {
    Info,
    Warning,
    Critical,
}

/// Where more is told of an alert.
#[derive(ToSchema)]
pub(crate) struct AlertLinks {
    /// Its definition and state.
    definition: String,
}

/// The alerts.
#[derive(ToSchema)]
pub(crate) struct AlertList {
    /// In the order of their names.
    alerts: Vec<AlertSummary>,
}

/// An alert in a list.
#[derive(ToSchema)]
pub(crate) struct AlertSummary {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// The metric.
    metric: String,
    /// Its rule in words.
    bounds: Bilingual,
    /// How bad it is.
    severity: AlertSeverity,
    /// Who answers for it.
    owner: String,
    /// How it stood when it was evaluated last.
    status: AlertWord,
    /// Groups that are out of bounds.
    firing: u64,
    /// Groups that were judged.
    groups: u64,
    /// When it was evaluated last.
    evaluated_at: Option<DateTime<Utc>>,
    /// Why it could not be evaluated.
    error: Option<String>,
    /// Where more is told.
    links: AlertLinks,
}

/// An alert and how each group stands.
#[derive(ToSchema)]
pub(crate) struct AlertDetail {
    /// Name.
    name: String,
    /// How it stood when it was evaluated last.
    status: AlertWord,
    /// As it is declared.
    definition: HashMap<String, Value>,
    /// Its rule in words.
    bounds: Bilingual,
    /// When it was evaluated last.
    evaluated_at: Option<DateTime<Utc>>,
    /// Why it could not be evaluated.
    error: Option<String>,
    /// The tables that it was evaluated over.
    tables: Vec<AlertTable>,
    /// Every group of the last answer.
    groups: Vec<AlertGroup>,
    /// Notices that were not delivered yet.
    waiting: u64,
    /// What happened, newest first; the latest hundred events.
    history: Vec<AlertEvent>,
    /// Where this is told.
    links: AlertLinks,
}

/// A table as an evaluation found it.
#[derive(ToSchema)]
pub(crate) struct AlertTable {
    /// The table.
    table: String,
    /// The version that was read.
    version: u64,
    /// When its rows were changed last; none where that lies further back than was looked.
    data_committed_at: Option<DateTime<Utc>>,
}

/// What is known of one group.
#[derive(ToSchema)]
pub(crate) struct AlertGroup {
    /// Its values by dimension; empty for the whole.
    group: HashMap<String, Option<String>>,
    /// Names of its divisions.
    names: HashMap<String, String>,
    /// How it stands.
    status: GroupStatus,
    /// Since when it is out of bounds.
    since: Option<DateTime<Utc>>,
    /// Evaluations in succession that found it out of bounds.
    in_succession: u32,
    /// What was found last.
    last: AlertFinding,
    /// When somebody was told of it last.
    notified_at: Option<DateTime<Utc>>,
}

/// How a group stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum GroupStatus {
    Ok,
    Firing,
}

/// A figure that was judged.
#[derive(ToSchema)]
pub(crate) struct AlertFinding {
    /// Whether the rule is broken; none where that cannot be told.
    breaks: Option<bool>,
    /// The figure, as metrics write it; the newest day where the rule is about the age of data.
    value: Option<String>,
    /// First day of its period.
    period: Option<String>,
    /// The figure that it was compared with.
    base: Option<f64>,
    /// The change against that one.
    change: Option<f64>,
    /// Working days since the newest data.
    age_working_days: Option<i64>,
    /// Why it cannot be told, or what is missing.
    reason: Option<String>,
}

/// Something that happened.
#[derive(ToSchema)]
pub(crate) struct AlertEvent {
    /// What.
    event: AlertEventKind,
    /// When.
    at: DateTime<Utc>,
    /// To which group; none for the alert as a whole.
    group: Option<HashMap<String, Option<String>>>,
    /// What was found.
    finding: Option<AlertFinding>,
    /// Why it could not be evaluated.
    error: Option<String>,
}

/// What happened.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlertEventKind {
    Firing,
    Resolved,
    Failed,
}
