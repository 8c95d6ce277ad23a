//! Rows that callers send: judged by the contract of their table like those of any file, and committed in groups.
//!
//! A request is known by its caller and its idempotency key, which ride in the commit as the name of its file. So a
//! request that is repeated after a lost answer, also to another server, finds its rows and adds none.

mod error;
mod group;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::{Error, Principal, policy};

pub use error::PushError;
use queue::Waiting;

use crate::ingest::{Ingest, RejectSample};
use crate::pipeline::PipelineDef;
use crate::source::pushed_name;
use crate::spans;

/// Characters of an idempotency key.
const KEY_CHARS: usize = 200;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushFormat {
    /// A header and a row on each line.
    Csv,
    /// An object on each line, or an array of objects.
    Json,
    /// An IPC stream or file.
    Arrow,
}

/// Rows that a caller sends.
#[derive(Debug, Clone)]
pub struct Push {
    /// The table that they are for.
    pub table: TableName,
    /// Names the request: the same key with the same body is the same request.
    pub key: String,
    /// How `body` is written.
    pub format: PushFormat,
    /// The rows; compressed or not.
    pub body: Bytes,
}

/// How pushes are grouped.
#[derive(Debug, Clone, Copy)]
pub struct PushLimits {
    /// Time between the beginnings of two commits to one table.
    pub interval: Duration,
    /// Requests in one commit.
    pub requests: usize,
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Bytes in one commit.
    pub group_bytes: usize,
    /// Requests that may wait for one table.
    pub waiting: usize,
}

impl Default for PushLimits {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            requests: 500,
            body_bytes: 8 << 20,
            group_bytes: 64 << 20,
            waiting: 1_000,
        }
    }
}

/// What became of pushed rows. They are durable.
#[derive(Debug, Clone)]
pub struct PushReport {
    /// Whether this request added them; they were there before otherwise.
    pub loaded: bool,
    /// The run that loaded them, perhaps together with those of other requests.
    pub run_id: String,
    /// The version of the table that has them.
    pub version: u64,
    /// What became of them; none for those that were there before.
    pub rows: Option<PushRows>,
    /// The first few rejected rows. All of them are in `system.quarantine`.
    pub rejects: Vec<RejectSample>,
}

/// Counts of pushed rows. Those read are those loaded, rejected and duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRows {
    /// Rows of the request.
    pub read: u64,
    /// Rows in the table.
    pub loaded: u64,
    /// Rows in the quarantine.
    pub rejected: u64,
    /// Rows left out because they are there already.
    pub duplicate: u64,
}

/// The answer to one push; several waiters may get the same.
type Answer = Result<PushReport, Arc<Error>>;

/// Takes pushes. Cheap to clone; all clones share the queues.
#[derive(Debug, Clone)]
pub struct Pushes {
    ingest: Ingest,
    limits: PushLimits,
    queues: Arc<Mutex<HashMap<String, mpsc::Sender<Waiting>>>>,
}

impl Pushes {
    /// Pushes to the tables of `ingest`.
    pub fn new(ingest: Ingest, limits: PushLimits) -> Self {
        Self { ingest, limits, queues: Arc::default() }
    }

    /// Bytes that a body may have.
    pub fn body_bytes(&self) -> usize {
        self.limits.body_bytes
    }

    /// Loads the rows of `push`; when this returns, they survive a power loss. Dropping the future does not take them
    /// back.
    ///
    /// # Errors
    /// [`PushError`], what [`policy::check_load`] refuses, and all of [`Ingest::load`]: then none of the rows is in the
    /// table, and the same request may be sent again.
    pub async fn push(&self, principal: &Principal, push: Push) -> Result<PushReport, Arc<Error>> {
        let span = spans::push(&push.table);
        let answer = match self.enqueue(principal, push) {
            Ok(answered) => answered.await.unwrap_or_else(|_| Err(Arc::new(PushError::Ending.into()))),
            Err(error) => Err(Arc::new(error)),
        };
        spans::end_push(&span, answer.as_ref().map_err(|error| error.kind()));
        answer
    }

    fn enqueue(&self, principal: &Principal, push: Push) -> Result<oneshot::Receiver<Answer>, Error> {
        policy::check_load(principal, &push.table)?;
        let pipeline = self.pipeline(&push.table)?;
        check_key(&push.key)?;
        let (bytes, limit) = (push.body.len(), self.limits.body_bytes);
        if bytes > limit {
            return Err(PushError::TooLarge { bytes, limit }.into());
        }
        let (answer, answered) = oneshot::channel();
        let name = pushed_name(principal.name(), &push.key);
        let table = push.table.clone();
        let waiting = Waiting { name, push, answer };
        match self.queue(&pipeline).try_send(waiting) {
            Ok(()) => Ok(answered),
            Err(mpsc::error::TrySendError::Full(_)) => Err(PushError::Busy { table }.into()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(PushError::Ending.into()),
        }
    }

    /// The pipeline that takes what is pushed to `table`.
    fn pipeline(&self, table: &TableName) -> Result<Arc<PipelineDef>, PushError> {
        let mut pipelines = self.ingest.pipelines().iter().map(|document| &document.def);
        let found = pipelines.find(|def| def.table == *table && def.source.is_push());
        found.cloned().ok_or_else(|| PushError::NoPipeline { table: table.clone() })
    }

    fn queue(&self, pipeline: &Arc<PipelineDef>) -> mpsc::Sender<Waiting> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let (sender, receiver) = mpsc::channel(self.limits.waiting);
            tokio::spawn(queue::work(self.ingest.clone(), Arc::clone(pipeline), self.limits, receiver));
            sender
        };
        queues.entry(pipeline.name.clone()).or_insert_with(open).clone()
    }
}

fn check_key(key: &str) -> Result<(), PushError> {
    let reason = match key {
        "" => "is missing",
        key if key.chars().count() > KEY_CHARS => "has more than 200 characters",
        key if !key.chars().all(|c| c.is_ascii_graphic()) => "holds a character that is not visible ASCII",
        _ => return Ok(()),
    };
    Err(PushError::BadKey { reason })
}
