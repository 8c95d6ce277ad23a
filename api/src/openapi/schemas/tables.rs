//! Tables, their rows, and rows that are sent.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;

use super::shared::{Bilingual, QueryReply};

/// A page of a table.
#[derive(ToSchema)]
pub(crate) struct PageReply {
    #[serde(flatten)]
    rows: QueryReply,
    /// The token of the next page, for use where `truncated` is true.
    next_page: String,
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
