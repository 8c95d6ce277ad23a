//! What the catalog tells about a table.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::definition::{Bilingual, DataLevel, SharingType};
use super::table_name::TableName;

/// Table or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Rows in a Delta table.
    Table,
    /// A named query.
    View,
    /// Made by the engine (`system.*`).
    System,
}

/// A table in a list.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TableSummary {
    /// Name.
    pub name: TableName,
    /// Table or view.
    pub kind: TableKind,
    /// Title.
    pub title: Bilingual,
    /// Agency in full.
    pub agency: String,
    /// Made by the seeded generator.
    pub synthetic: bool,
    /// Data level.
    pub level: Option<DataLevel>,
    /// Sharing type.
    pub sharing: Option<SharingType>,
    /// Newest version; none for a view, and for a table that was never loaded.
    pub version: Option<u64>,
    /// When that version was committed.
    pub committed_at: Option<DateTime<Utc>>,
    /// Rows, from the log's statistics.
    pub rows: Option<u64>,
    /// Data files.
    pub files: Option<u64>,
    /// Bytes of the data files.
    pub size_bytes: Option<u64>,
    /// Differences between contract and log, as in `column x is declared and not in the table`.
    pub drift: Vec<String>,
}

/// A column as queries see it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ColumnDetail {
    /// Name.
    pub name: String,
    /// Type, in the contract's spelling.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// Title.
    pub title: Option<Bilingual>,
    /// Description.
    pub description: Option<Bilingual>,
    /// Unit.
    pub unit: Option<String>,
}

/// One table in full.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TableDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: TableSummary,
    /// Description.
    pub description: Bilingual,
    /// Who answers for it.
    pub owner: String,
    /// Columns that identify a row.
    pub primary_key: Vec<String>,
    /// Licence.
    pub license: Option<String>,
    /// Where the data comes from.
    pub source: Option<String>,
    /// A view's query.
    pub sql: Option<String>,
    /// Columns in order.
    pub columns: Vec<ColumnDetail>,
}

/// One commit of a table.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CommitSummary {
    /// Version.
    pub version: u64,
    /// When it was committed.
    pub committed_at: Option<DateTime<Utc>>,
    /// Delta operation, as in `WRITE`.
    pub operation: Option<String>,
    /// The run that committed it.
    pub run: Option<RunRecord>,
    /// Which rows are left of those before.
    #[serde(skip)]
    pub(crate) basis: CommitBasis,
}

/// Which of the rows before it a commit leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitBasis {
    /// Those of the version before, or some of them.
    Previous,
    /// None: it replaced them all.
    Nothing,
    /// Those of an older version: a restoration.
    Version(u64),
}

impl CommitSummary {
    /// The version whose rows this one builds on.
    pub(crate) fn before(&self) -> Option<u64> {
        match self.basis {
            CommitBasis::Previous => self.version.checked_sub(1),
            CommitBasis::Nothing => None,
            CommitBasis::Version(version) => (version < self.version).then_some(version),
        }
    }

    /// Whether the rows changed by it, and not only how they are stored.
    pub(crate) fn changed_rows(&self) -> bool {
        const UPKEEP: [&str; 5] = ["OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "CREATE TABLE"];
        self.run.is_some() || !self.operation.as_deref().is_some_and(|operation| UPKEEP.contains(&operation))
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Rows were committed.
    Succeeded,
    /// The same content was committed before: nothing to do.
    Unchanged,
    /// Nothing was committed.
    Failed,
}

/// One source file of a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunSource {
    /// Path or URL as declared and found, relative to the project.
    pub path: String,
    /// Bytes as read from disk, before decompression.
    pub size_bytes: u64,
    /// SHA-256 of those bytes, lower-case hex. A large new file is hashed while its rows are read: a run that failed
    /// before it came to the end has none. What was committed always has one.
    pub sha256: Option<String>,
    /// Encoding that was decided, as in `GB18030`.
    pub encoding: Option<String>,
}

impl RunSource {
    /// Whether both are known to hold the same bytes.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.sha256.is_some() && self.sha256 == other.sha256
    }
}

/// A table that a run read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunRead {
    /// The table.
    pub table: TableName,
    /// Version of its log.
    pub version: u64,
}

/// Quarantined rows of one run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResolvedRows {
    /// The run that rejected them.
    pub run_id: String,
    /// Their numbers within that run's quarantine, from 1: first and last of each stretch.
    pub rows: Vec<(u64, u64)>,
}

/// The record of a load: a row of `system.runs`. It rides in the data commit's `commitInfo` under `xiangyun.run`, as
/// one JSON object, so that the runs of a lake can be told from its data alone; a run that committed no data is kept
/// in the runs log.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RunRecord {
    /// UUID version 7, as text.
    pub run_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The table.
    pub table: TableName,
    /// How it ended.
    pub status: RunStatus,
    /// What was read.
    pub sources: Vec<RunSource>,
    /// Rows read. Always loaded + rejected + duplicate when the run succeeded.
    pub rows_read: u64,
    /// Rows committed.
    pub rows_loaded: u64,
    /// Rows in quarantine.
    pub rows_rejected: u64,
    /// Rows left out as duplicates of others.
    pub rows_duplicate: u64,
    /// Findings of checks with `on_fail = "warn"`.
    pub warnings: u64,
    /// Rows of the table that others took the place of, or that were closed by a later version.
    #[serde(default)]
    pub rows_updated: u64,
    /// Rows that were taken out of the table.
    #[serde(default)]
    pub rows_deleted: u64,
    /// Version that the data commit made.
    pub version: Option<u64>,
    /// What was decided or changed on the way, in words, as in columns that were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The run whose rows this one took out before it loaded their sources again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redo_of: Option<String>,
    /// The high-water mark of an incremental source: the next run begins behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The tables that its transform read, each at one version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<RunRead>,
    /// What stopped it, as in `max-rejected`, `row-count`: its rows were judged, nothing was committed, and the rejected
    /// ones are in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
    /// The quarantined rows of earlier runs that this one took up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolves: Vec<ResolvedRows>,
    /// The columns that its sources had, before any transform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What started it, where it was not a person: `schedule`, `after`, `arrival`, `freshness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The time of its schedule that it ran for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// End.
    pub finished_at: DateTime<Utc>,
    /// Why it failed, with its causes.
    pub error: Option<String>,
}

impl RunRecord {
    /// A run of `pipeline` into `table` that begins now and has done nothing yet.
    pub fn started(pipeline: &str, table: &TableName, now: DateTime<Utc>) -> Self {
        Self {
            run_id: Uuid::now_v7().to_string(),
            pipeline: pipeline.into(),
            table: table.clone(),
            status: RunStatus::Succeeded,
            sources: Vec::new(),
            rows_read: 0,
            rows_loaded: 0,
            rows_rejected: 0,
            rows_duplicate: 0,
            warnings: 0,
            version: None,
            notes: Vec::new(),
            cursor: None,
            rows_updated: 0,
            rows_deleted: 0,
            redo_of: None,
            reads: Vec::new(),
            columns: Vec::new(),
            stopped_by: None,
            resolves: Vec::new(),
            trigger: None,
            due_at: None,
            started_at: now,
            finished_at: now,
            error: None,
        }
    }
}
