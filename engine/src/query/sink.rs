//! What is remembered of a query: a record, handed to whoever keeps records.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::result::TableVersion;
use crate::error::ErrorKind;
use crate::policy::Principal;

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryOutcome {
    /// Its rows were handed out to the end.
    Succeeded,
    /// Its rows were handed out up to the row limit.
    Truncated,
    /// It was not run: the caller has the rows already.
    Unchanged,
    /// It failed.
    Failed(ErrorKind),
    /// Its reader went away.
    Cancelled,
}

impl QueryOutcome {
    /// The name in telemetry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Truncated => "truncated",
            Self::Unchanged => "unchanged",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A query that ended.
#[derive(Debug, Clone)]
pub struct QueryRecord {
    /// The query's id.
    pub id: Uuid,
    /// Who asked.
    pub principal: Principal,
    /// The statement, or how a metric was asked, without the parameters' values.
    pub statement: Arc<str>,
    /// The tables it read, each at one version.
    pub tables: Arc<[TableVersion]>,
    /// When it was asked.
    pub started_at: DateTime<Utc>,
    /// From the question to the last row.
    pub elapsed: Duration,
    /// Rows handed out.
    pub rows: u64,
    /// How it ended.
    pub outcome: QueryOutcome,
}

/// Keeps records of queries. The engine writes nothing itself: what has to last is handed to an implementation that
/// may write. Called on the query's own task, so it must not block.
pub trait QuerySink: Debug + Send + Sync {
    /// Takes the record of a query that ended.
    fn record(&self, record: QueryRecord);
}

/// Keeps records in the process's log.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogQueries;

impl QuerySink for LogQueries {
    fn record(&self, record: QueryRecord) {
        // The statement may hold literals about persons, so it is left to the sinks that guard what they keep.
        tracing::debug!(
            query.id = %record.id,
            principal.name = record.principal.name(),
            duration_ms = u64::try_from(record.elapsed.as_millis()).unwrap_or(u64::MAX),
            rows = record.rows,
            outcome = ?record.outcome,
            "query ended"
        );
    }
}
