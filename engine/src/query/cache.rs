//! Small results, kept in memory for those who ask the same of the same versions. A key covers everything that decides a
//! result, so nothing is ever removed because it became wrong: a commit makes new keys. Beside them, and within the same
//! bound, are whole replies; those are known by their question alone and say themselves which versions they are of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, ready};
use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::recall::KeptReply;
use super::result::QueryStatus;
use crate::error::Result;

/// What a result is known by: see [`super::prepared`].
pub(crate) type ResultKey = [u8; 32];

/// One result takes no more than this part of the memory.
const LARGEST_PART: u64 = 32;

/// What the cache had to do with a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// The rows come from it.
    Hit,
    /// It did not have them; it will, if they are not too many.
    Miss,
    /// It was not asked: the result depends on more than tables, or there is no cache.
    Bypass,
}

impl CacheUse {
    /// What it had to do with two results together: all of their rows come from it, or not.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hit, Self::Hit) => Self::Hit,
            (Self::Bypass, _) | (_, Self::Bypass) => Self::Bypass,
            _ => Self::Miss,
        }
    }

    /// The name in telemetry.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// A whole result.
#[derive(Debug)]
pub(crate) struct CachedResult {
    pub(crate) schema: SchemaRef,
    batches: Vec<RecordBatch>,
    truncated: bool,
    bytes: u32,
}

/// What is kept under a key.
#[derive(Debug, Clone)]
enum Kept {
    Result(Arc<CachedResult>),
    Reply(Arc<KeptReply>),
}

/// Results and replies by key, the least used removed first.
#[derive(Debug)]
pub(crate) struct ResultCache {
    kept: Option<Cache<ResultKey, Kept>>,
    largest: u64,
    /// Removed for want of room.
    evicted: Arc<AtomicU64>,
}

/// What the cache holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Bytes of the results and replies in it.
    pub bytes: u64,
    /// Bytes that there may be.
    pub limit_bytes: u64,
    /// Results and replies.
    pub entries: u64,
    /// Results and replies that had to make room for others, since the engine was opened.
    pub evicted: u64,
}

impl ResultCache {
    /// Of so many bytes; 0: none.
    pub(crate) fn new(bytes: u64) -> Self {
        let evicted = Arc::<AtomicU64>::default();
        let cache = || {
            let weigh = |_: &ResultKey, kept: &Kept| match kept {
                Kept::Result(result) => result.bytes,
                Kept::Reply(reply) => reply.bytes,
            };
            let evicted = Arc::clone(&evicted);
            let count = move |_: Arc<ResultKey>, _: Kept, cause: RemovalCause| {
                evicted.fetch_add(u64::from(cause == RemovalCause::Size), Ordering::Relaxed);
            };
            Cache::builder().max_capacity(bytes).weigher(weigh).eviction_listener(count).build()
        };
        Self { kept: (bytes > 0).then(cache), largest: bytes / LARGEST_PART, evicted }
    }

    /// What is in it now.
    pub(crate) fn size(&self) -> CacheSize {
        let Some(kept) = &self.kept else { return CacheSize::default() };
        // What was put in and removed lately is counted first.
        kept.run_pending_tasks();
        CacheSize {
            bytes: kept.weighted_size(),
            limit_bytes: kept.policy().max_capacity().unwrap_or_default(),
            entries: kept.entry_count(),
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn get(&self, key: &ResultKey) -> Option<Arc<CachedResult>> {
        match self.kept.as_ref()?.get(key)? {
            Kept::Result(result) => Some(result),
            Kept::Reply(_) => None,
        }
    }

    /// The reply to a question; whether it still holds is for the caller to see.
    pub(super) fn reply(&self, question: &ResultKey) -> Option<Arc<KeptReply>> {
        match self.kept.as_ref()?.get(question)? {
            Kept::Reply(reply) => Some(reply),
            Kept::Result(_) => None,
        }
    }

    /// Keeps a reply, in place of an earlier one to the same question.
    pub(super) fn keep_reply(&self, question: ResultKey, reply: KeptReply) {
        if let Some(kept) = self.kept.as_ref().filter(|_| u64::from(reply.bytes) <= self.largest) {
            kept.insert(question, Kept::Reply(Arc::new(reply)));
        }
    }

    /// Whether results are kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.kept.is_some()
    }
}

impl CachedResult {
    /// Its rows, once more.
    pub(crate) fn replay(self: &Arc<Self>, status: &Arc<QueryStatus>) -> BoxStream<'static, Result<RecordBatch>> {
        let (result, status) = (Arc::clone(self), Arc::clone(status));
        if result.truncated {
            status.set_truncated();
        }
        let mut next = 0;
        stream::poll_fn(move |_| {
            let batch = result.batches.get(next).cloned();
            next += 1;
            match &batch {
                Some(batch) => status.add_rows(batch.num_rows() as u64),
                None => status.set_complete(),
            }
            Poll::Ready(batch.map(Ok))
        })
        .boxed()
    }
}

/// Hands the rows on, and keeps them under `key` where they came to their end and are not too many.
pub(crate) fn keeping(
    cache: Arc<ResultCache>,
    key: ResultKey,
    schema: SchemaRef,
    status: Arc<QueryStatus>,
    mut rows: BoxStream<'static, Result<RecordBatch>>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let (mut kept, mut bytes) = (Some(Vec::new()), 0_u64);
    stream::poll_fn(move |cx| {
        let next = ready!(rows.poll_next_unpin(cx));
        match &next {
            Some(Ok(batch)) => {
                // What one row of it keeps alive may be large, and counts.
                bytes += batch.get_array_memory_size() as u64;
                if bytes > cache.largest {
                    kept = None;
                }
                if let Some(kept) = &mut kept {
                    kept.push(batch.clone());
                }
            }
            Some(Err(_)) => kept = None,
            None => {
                if let (Some(batches), Some(results), true) = (kept.take(), &cache.kept, status.is_complete()) {
                    let bytes = u32::try_from(bytes + 512).unwrap_or(u32::MAX);
                    let truncated = status.is_truncated();
                    let result = CachedResult { schema: Arc::clone(&schema), batches, truncated, bytes };
                    results.insert(key, Kept::Result(Arc::new(result)));
                }
            }
        }
        Poll::Ready(next)
    })
    .boxed()
}
