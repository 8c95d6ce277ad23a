//! Asynchronous queries: they run while nobody waits, and their results lie on the scratch disk until they are read or
//! nobody has read them for a while.
//!
//! Whoever asked holds a lease by asking about the query. A query without one is cancelled: a screen that was closed
//! costs nothing for long.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use futures::stream;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::cache::CacheUse;
use super::context::QueryContext;
use super::error::QueryError;
use super::limits::KeptLimits;
use super::prepared::Prepared;
use super::registry::{Entry, QueryInfo, QueryState};
use super::request::SqlRequest;
use super::result::{QueryResult, QueryStatus, TableVersion};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Principal;
use crate::scratch::Scratch;

/// A chunk has at least so many rows, where there are as many, ...
const CHUNK_ROWS: u64 = 1 << 16;
/// ... or so many bytes in memory.
const CHUNK_BYTES: u64 = 16 << 20;
/// Batches between the query and the disk.
const WAITING: usize = 4;

/// What is asked asynchronously.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// The statement.
    pub request: SqlRequest,
    /// An id of the caller's choice; a new one unless said.
    pub query_id: Option<Uuid>,
    /// Names the request: sent again under the same key it is the same query.
    pub idempotency_key: Option<String>,
}

/// Consecutive rows of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ResultChunk {
    /// Number of the chunk, from 0.
    pub chunk: usize,
    /// Number of its first row, from 0.
    pub first_row: u64,
    /// Its rows.
    pub rows: u64,
    #[serde(skip)]
    batches: (usize, usize),
}

/// A result on the scratch disk, removed with the last who reads it.
#[derive(Debug)]
pub struct KeptResult {
    id: Uuid,
    schema: SchemaRef,
    tables: Vec<TableVersion>,
    chunks: Vec<ResultChunk>,
    truncated: bool,
    file: SpoolFile,
}

/// The queries of this process whose results are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    limits: KeptLimits,
    state: Mutex<State>,
    bytes: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct State {
    queries: HashMap<Uuid, Arc<Query>>,
    /// By principal and idempotency key.
    keys: HashMap<(String, String), (Uuid, [u8; 32])>,
}

#[derive(Debug)]
struct Query {
    entry: Arc<Entry>,
    key: Option<(String, String)>,
    touched: Mutex<Instant>,
    result: Mutex<Option<Arc<KeptResult>>>,
    ended: watch::Sender<bool>,
}

impl Kept {
    pub(crate) fn new(limits: KeptLimits) -> Self {
        Self { limits, state: Mutex::default(), bytes: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: Uuid) -> Option<Arc<Query>> {
        self.state().queries.get(&id).cloned()
    }

    /// Lets go of a query's result, where it has one already.
    pub(super) fn forget(&self, id: Uuid) {
        if self.find(id).is_some_and(|query| *query.ended.borrow()) {
            self.remove(id);
        }
    }

    fn remove(&self, id: Uuid) {
        let mut state = self.state();
        if let Some(query) = state.queries.remove(&id) {
            query.entry.expired();
            if let Some(key) = &query.key {
                state.keys.remove(key);
            }
        }
    }

    /// The query that was submitted under `key` before.
    fn repeated(&self, key: &(String, String), hash: &[u8; 32]) -> Result<Option<Uuid>> {
        match self.state().keys.get(key) {
            None => Ok(None),
            Some((id, known)) if known == hash => Ok(Some(*id)),
            Some(_) => {
                Err(Error::new(ErrorKind::Conflict, "the idempotency key was used for another statement a while ago")
                    .with_hint("take a new key for each question"))
            }
        }
    }
}

impl Query {
    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn overdue_at(&self, lease: Duration) -> Instant {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) + lease
    }

    /// Ends when nobody has asked for `lease`.
    async fn is_left(&self, lease: Duration) {
        loop {
            let overdue = self.overdue_at(lease);
            if Instant::now() >= overdue {
                return;
            }
            tokio::time::sleep_until(overdue).await;
        }
    }
}

impl QueryContext {
    /// Starts a query that runs while nobody waits. It is planned when this returns. Given the same key again, it is the
    /// same query, and nothing is started.
    ///
    /// # Errors
    /// As [`Self::sql`]; `Conflict` for an id that is taken, or a key that named another statement.
    pub async fn submit(&self, submission: Submission) -> Result<Uuid> {
        let kept = Arc::clone(self.engine().kept());
        let key = submission.idempotency_key.map(|key| (owner(self.principal()), key));
        let hash = hash(&submission.request);
        if let Some(key) = &key
            && let Some(id) = kept.repeated(key, &hash)?
        {
            return Ok(id);
        }
        let prepared = self.prepare_as(submission.request, submission.query_id).await?;
        let id = prepared.id();
        let entry = Arc::clone(prepared.ticket.entry());
        entry.is_kept();
        let query = Arc::new(Query {
            entry,
            key: key.clone(),
            touched: Mutex::new(Instant::now()),
            result: Mutex::new(None),
            ended: watch::Sender::new(false),
        });
        {
            let mut state = kept.state();
            if let Some(key) = key {
                // Another request of the same key may have come while this one was planned.
                if let Some((first, _)) = state.keys.get(&key) {
                    return Ok(*first);
                }
                state.keys.insert(key, (id, hash));
            }
            state.queries.insert(id, Arc::clone(&query));
        }
        tokio::spawn(keep(kept, query, prepared));
        Ok(id)
    }

    /// A query of this process; whoever asks about an asynchronous one keeps its lease.
    ///
    /// # Errors
    /// As [`Self::query_info`].
    pub fn poll(&self, id: Uuid) -> Result<QueryInfo> {
        let info = self.query_info(id)?;
        if let Some(query) = self.engine().kept().find(id) {
            query.touch();
        }
        Ok(info)
    }

    /// Waits until an asynchronous query has ended, for `patience` at the most, and tells where it is then.
    ///
    /// # Errors
    /// As [`Self::query_info`].
    pub async fn wait(&self, id: Uuid, patience: Duration) -> Result<QueryInfo> {
        self.query_info(id)?;
        if let Some(query) = self.engine().kept().find(id) {
            let mut ended = query.ended.subscribe();
            // The sender lives as long as the query.
            let _ = tokio::time::timeout(patience, ended.wait_for(|ended| *ended)).await;
        }
        self.poll(id)
    }

    /// The result of an asynchronous query.
    ///
    /// # Errors
    /// `NotFound` for a query that there is not; `Conflict` for one that still runs, that failed or was cancelled, that
    /// keeps no result, or whose result is gone.
    pub fn kept_result(&self, id: Uuid) -> Result<Arc<KeptResult>> {
        let info = self.poll(id)?;
        let query = self.engine().kept().find(id);
        let result = query.and_then(|query| query.result.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let refused = |message: String, hint: &str| Err(Error::new(ErrorKind::Conflict, message).with_hint(hint));
        match (info.state, result) {
            (QueryState::Succeeded, Some(result)) => Ok(result),
            (QueryState::Pending | QueryState::Running, _) => {
                refused(format!("query {id} has not ended"), "ask for its state, and for its result afterwards")
            }
            (QueryState::Succeeded, None) => {
                refused(format!("query {id} was answered at once"), "send it with `wait` to have its result kept")
            }
            (QueryState::Expired, _) => {
                refused(format!("the result of query {id} is no longer kept"), "send the statement again")
            }
            (QueryState::Failed | QueryState::Cancelled, _) => match info.error {
                Some(failure) => Err(Error::new(failure.kind, failure.detail)
                    .with_hint(failure.hint.unwrap_or_else(|| "send the statement again".into()))),
                None => Err(QueryError::Cancelled.into()),
            },
        }
    }
}

fn owner(principal: &Principal) -> String {
    format!("{}/{}", principal.agency(), principal.name())
}

fn hash(request: &SqlRequest) -> [u8; 32] {
    let mut hash = Sha256::new();
    let text = format!("{}\n{:?}\n{:?}\n{:?}", request.sql, request.params, request.as_of, request.max_rows);
    hash.update(text);
    hash.finalize().into()
}

/// Runs a query to its end or to that of its lease, then keeps its result as long as somebody reads it.
async fn keep(kept: Arc<Kept>, query: Arc<Query>, prepared: Prepared) {
    let id = query.entry.id;
    {
        let mut work = std::pin::pin!(run(&kept, &query, prepared));
        tokio::select! {
            () = &mut work => {}
            () = query.is_left(kept.limits.lease) => {
                query.entry.cancel();
                // It ends by itself now.
                work.as_mut().await;
            }
        }
    }
    query.touch();
    query.ended.send_replace(true);
    query.is_left(kept.limits.retention).await;
    kept.remove(id);
}

async fn run(kept: &Kept, query: &Query, prepared: Prepared) {
    let spooled = async {
        let mut result = prepared.run().await?;
        let spooled = spool(kept, &mut result).await;
        if let Err(error) = &spooled {
            // Before the rows are let go of, which looks as if nobody wanted them.
            query.entry.fails(error);
        }
        spooled
    };
    match spooled.await {
        Ok(result) => {
            *query.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(result));
            query.entry.result_is_kept();
        }
        Err(error) => query.entry.fails(&error),
    }
}

/// Writes the rows of `result` to the scratch disk.
async fn spool(kept: &Kept, result: &mut QueryResult) -> Result<KeptResult> {
    let failed = |source: io::Error| {
        Error::new(ErrorKind::Unavailable, "cannot keep a result on the disk for temporary files")
            .with_hint("see that it has room, or ask without `wait`")
            .with_source(source)
    };
    let file = SpoolFile::create(result.id, Arc::clone(&kept.bytes)).map_err(failed)?;
    let (id, schema, tables) = (result.id, Arc::clone(&result.schema), result.tables.clone());
    let (sender, receiver) = mpsc::channel(WAITING);
    let (limits, path) = (kept.limits, file.path.clone());
    let (announced, counted) = (Arc::clone(&schema), Arc::clone(&file.bytes));
    let total = Arc::clone(&kept.bytes);
    let writing = tokio::task::spawn_blocking(move || write(receiver, &announced, &path, &counted, &total, limits));
    let mut failure = None;
    while let Some(batch) = result.next().await {
        match batch {
            Ok(batch) => {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let written = writing.await.map_err(|error| failed(io::Error::other(error)))?;
    if let Some(error) = failure {
        return Err(error);
    }
    let chunks = match written {
        Ok(chunks) => chunks,
        Err(Spooling::Limit(error)) => return Err(error.into()),
        Err(Spooling::Failed(error)) => return Err(failed(error)),
    };
    if !result.status.is_complete() {
        return Err(Error::new(ErrorKind::Internal, "the result ended before it was complete"));
    }
    Ok(KeptResult { id, schema, tables, chunks, truncated: result.status.is_truncated(), file })
}

enum Spooling {
    Limit(QueryError),
    Failed(io::Error),
}

fn write(
    mut batches: mpsc::Receiver<RecordBatch>,
    schema: &SchemaRef,
    path: &PathBuf,
    counted: &AtomicU64,
    total: &AtomicU64,
    limits: KeptLimits,
) -> Result<Vec<ResultChunk>, Spooling> {
    let failed = |error: arrow::error::ArrowError| Spooling::Failed(io::Error::other(error));
    let file = File::create(path).map_err(Spooling::Failed)?;
    let counting = Counting { file: BufWriter::new(file), bytes: counted, total };
    let mut writer = FileWriter::try_new(counting, schema).map_err(failed)?;
    let (mut chunks, mut number, mut open) = (Vec::new(), 0, None::<(ResultChunk, u64)>);
    let mut rows = 0;
    while let Some(batch) = batches.blocking_recv() {
        writer.write(&batch).map_err(failed)?;
        if counted.load(Ordering::Relaxed) > limits.result_bytes {
            let (limit, setting) = (limits.result_bytes, "limits.result_bytes");
            return Err(Spooling::Limit(QueryError::ResultTooLarge { limit, setting }));
        }
        if total.load(Ordering::Relaxed) > limits.total_bytes {
            let (limit, setting) = (limits.total_bytes, "limits.results_bytes");
            return Err(Spooling::Limit(QueryError::ResultTooLarge { limit, setting }));
        }
        let new = || (ResultChunk { chunk: chunks.len(), first_row: rows, rows: 0, batches: (number, number) }, 0);
        let (chunk, bytes) = open.get_or_insert_with(new);
        number += 1;
        rows += batch.num_rows() as u64;
        chunk.rows += batch.num_rows() as u64;
        chunk.batches.1 = number;
        *bytes += batch.get_array_memory_size() as u64;
        if chunk.rows >= CHUNK_ROWS || *bytes >= CHUNK_BYTES {
            chunks.extend(open.take().map(|(chunk, _)| chunk));
        }
    }
    chunks.extend(open.take().map(|(chunk, _)| chunk));
    writer.finish().map_err(failed)?;
    let mut counting = writer.into_inner().map_err(failed)?;
    counting.flush().map_err(Spooling::Failed)?;
    Ok(chunks)
}

/// Counts what is written.
struct Counting<'a> {
    file: BufWriter<File>,
    bytes: &'a AtomicU64,
    total: &'a AtomicU64,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        self.total.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file of the scratch folder, removed when nobody holds it.
#[derive(Debug)]
struct SpoolFile {
    path: PathBuf,
    bytes: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
    _scratch: Arc<Scratch>,
}

impl SpoolFile {
    fn create(id: Uuid, total: Arc<AtomicU64>) -> io::Result<Self> {
        let scratch = Scratch::of_process()?;
        let path = scratch.folder().join(format!("result-{id}.arrow"));
        Ok(Self { path, bytes: Arc::default(), total, _scratch: scratch })
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        // It goes with the folder where it cannot go now.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl KeptResult {
    /// Its chunks, in their order.
    pub fn chunks(&self) -> &[ResultChunk] {
        &self.chunks
    }

    /// Bytes that it takes on disk.
    pub fn bytes(&self) -> u64 {
        self.file.bytes.load(Ordering::Relaxed)
    }

    /// The rows of one chunk, or all.
    ///
    /// # Errors
    /// `NotFound` for a chunk that it does not have; `Unavailable` where its file cannot be read.
    pub fn read(self: &Arc<Self>, chunk: Option<usize>) -> Result<QueryResult> {
        let all = || (0, self.chunks.last().map_or(0, |chunk| chunk.batches.1));
        let (first, last) = match chunk {
            None => all(),
            // A result without rows has one chunk, which is empty.
            Some(0) if self.chunks.is_empty() => (0, 0),
            Some(number) => match self.chunks.get(number) {
                Some(chunk) => chunk.batches,
                None => {
                    let message = format!("the result of query {} has no chunk {number}", self.id);
                    let hint = format!("it has {}, counted from 0", self.chunks.len().max(1));
                    return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
                }
            },
        };
        let failed =
            |error: String| Error::new(ErrorKind::Unavailable, "cannot read a result that was kept").with_source(error);
        let file = File::open(&self.file.path).map_err(|error| failed(error.to_string()))?;
        let mut reader = FileReader::try_new(BufReader::new(file), None).map_err(|error| failed(error.to_string()))?;
        reader.set_index(first).map_err(|error| failed(error.to_string()))?;
        let status = Arc::new(QueryStatus::default());
        if self.truncated {
            status.set_truncated();
        }
        // The file stays while it is read.
        let (held, counted) = (Arc::clone(self), Arc::clone(&status));
        let rows = stream::unfold((reader, last - first), move |(mut reader, left)| {
            let (_held, counted) = (Arc::clone(&held), Arc::clone(&counted));
            async move {
                if left == 0 {
                    counted.set_complete();
                    return None;
                }
                let read = tokio::task::spawn_blocking(move || {
                    let batch = reader.next();
                    (reader, batch)
                });
                let (reader, batch) = match read.await {
                    Ok((reader, Some(batch))) => (reader, batch.map_err(|error| failed(error.to_string()))),
                    Ok((reader, None)) => (reader, Err(failed("it is cut".into()))),
                    Err(_) => return None,
                };
                if let Ok(batch) = &batch {
                    counted.add_rows(batch.num_rows() as u64);
                }
                let left = if batch.is_ok() { left - 1 } else { return Some((batch, (reader, 0))) };
                Some((batch, (reader, left)))
            }
        });
        let (schema, tables) = (Arc::clone(&self.schema), self.tables.clone());
        Ok(QueryResult {
            id: self.id,
            schema,
            tables,
            status,
            cache: CacheUse::Bypass,
            basis: None,
            threads: None,
            batches: rows.boxed(),
        })
    }
}
