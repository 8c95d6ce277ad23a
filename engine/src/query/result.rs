//! What comes back: a schema, the table versions it rests on, and a stream of record batches.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::cache::{CacheUse, ResultKey};
use crate::catalog::TableName;
use crate::error::Result;

/// A table as one query saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableVersion {
    /// The table.
    pub name: TableName,
    /// Version of its Delta log.
    pub version: u64,
    /// When that version was committed.
    pub committed_at: Option<DateTime<Utc>>,
}

/// Counters of a running stream; read them after its end.
#[derive(Debug, Default)]
pub struct QueryStatus {
    rows: AtomicU64,
    truncated: AtomicBool,
    complete: AtomicBool,
}

impl QueryStatus {
    /// Rows handed out so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
    }

    /// Whether rows were left out because of the row limit.
    pub fn is_truncated(&self) -> bool {
        self.truncated.load(Ordering::Acquire)
    }

    /// Whether the stream reached its end without a failure. A stream that ends without this was cut.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    pub(crate) fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::AcqRel);
    }

    pub(crate) fn set_truncated(&self) {
        self.truncated.store(true, Ordering::Release);
    }

    pub(crate) fn set_complete(&self) {
        self.complete.store(true, Ordering::Release);
    }
}

/// What a query was that depends on nothing but tables: who asks the same again may be given the reply that was made of it.
#[derive(Debug)]
pub(crate) struct Basis {
    pub(super) id: Uuid,
    pub(super) key: ResultKey,
    pub(super) statement: Arc<str>,
    pub(super) tables: Arc<[TableVersion]>,
    /// The tables and views that it names, in whatever depth.
    pub(super) reached: Vec<TableName>,
    /// Counts the rows of all of it.
    pub(super) status: Arc<QueryStatus>,
}

/// A running query. Dropping it cancels the work.
pub struct QueryResult {
    /// The query's id.
    pub id: Uuid,
    /// The result's schema. Two columns never have one name.
    pub schema: SchemaRef,
    /// The tables it reads, each at one version, in the order of their names.
    pub tables: Vec<TableVersion>,
    /// Counters, to be read after the end.
    pub status: Arc<QueryStatus>,
    /// What the cache of results had to do with it.
    pub cache: CacheUse,
    pub(crate) basis: Option<Arc<Basis>>,
    /// Where its operators work, if not where they are polled.
    pub(crate) threads: Option<Handle>,
    pub(crate) batches: BoxStream<'static, Result<RecordBatch>>,
}

impl QueryResult {
    /// The threads that its operators work on, if they have some of their own. Whoever has more to do with its rows than to
    /// hand them on does it there, so that it gives way to others as the query does.
    pub fn threads(&self) -> Option<&Handle> {
        self.threads.as_ref()
    }

    /// All rows at once: for small results and tests.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

impl Stream for QueryResult {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_next_unpin(cx)
    }
}
