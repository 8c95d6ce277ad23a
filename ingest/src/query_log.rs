//! What queries were asked, kept in the lake: the engine's record of each one on its way to `_xiangyun/queries`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;
use xiangyun_engine::query::{LogQueries, QueryRecord, QuerySink};
use xiangyun_engine::storage::Storage;

use crate::commit::Committer;

/// Records that wait to be written; further ones are counted and left out, since no query waits for its record.
const WAITING: usize = 8_192;
/// Bytes of a statement that are kept: with the records that may wait, this bounds the memory.
const STATEMENT_BYTES: usize = 4 << 10;
/// Records of one commit.
const MOST: usize = 10_000;
/// How long the first record of a commit waits for others: a busy server makes few commits, and a quiet one is not far
/// behind.
const GATHER: Duration = Duration::from_secs(10);
/// Attempts to write a group, and the pause before the second one; it doubles.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long the end of a server waits for its last records.
const CLOSE_LIMIT: Duration = Duration::from_secs(15);

/// Writes the records of queries to the lake, many in one commit. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QueryLog {
    records: mpsc::Sender<QueryRecord>,
    left_out: Arc<AtomicU64>,
    stop: mpsc::Sender<()>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl QueryLog {
    /// A log in the lake at `storage`. Must be called within a runtime.
    pub fn open(storage: &Storage) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (stop, stopped) = mpsc::channel(1);
        let writer = Writer { committer: Committer::new(storage.clone()), process: Uuid::now_v7(), commits: 0 };
        let task = tokio::spawn(writer.work(receiver, stopped));
        Self { records: sender, left_out: Arc::default(), stop, task: Arc::new(Mutex::new(Some(task))) }
    }

    /// Writes what waits and ends. Queries that end later are told to the process's log only.
    pub async fn close(&self) {
        // Closed already where nobody takes it.
        let _ = self.stop.send(()).await;
        if let Some(task) = self.task.lock().await.take()
            && tokio::time::timeout(CLOSE_LIMIT, task).await.is_err()
        {
            tracing::warn!("the last records of queries were not written: the lake did not answer in time");
        }
    }
}

impl QuerySink for QueryLog {
    fn record(&self, mut record: QueryRecord) {
        LogQueries.record(record.clone());
        if record.statement.len() > STATEMENT_BYTES {
            let cut = &record.statement[..record.statement.floor_char_boundary(STATEMENT_BYTES)];
            record.statement = format!("{cut}…").into();
        }
        if self.records.try_send(record).is_err() {
            let count = self.left_out.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                tracing::warn!(count, "queries were not recorded in the lake: they come faster than they are written");
            }
        }
    }
}

struct Writer {
    committer: Committer,
    /// Names this process's commits, so that each is made once.
    process: Uuid,
    commits: i64,
}

impl Writer {
    async fn work(mut self, mut records: mpsc::Receiver<QueryRecord>, mut stopped: mpsc::Receiver<()>) {
        let mut batch = Vec::new();
        while let Some(first) = next(&mut records, &mut stopped).await {
            batch.push(first);
            let until = Instant::now() + GATHER;
            while batch.len() < MOST {
                tokio::select! {
                    biased;
                    record = records.recv() => match record {
                        Some(record) => batch.push(record),
                        None => break,
                    },
                    _ = stopped.recv() => records.close(),
                    () = tokio::time::sleep_until(until) => break,
                }
            }
            self.commits += 1;
            self.write(&batch).await;
            batch.clear();
        }
    }
}

impl Writer {
    /// Writes a group; again where the lake is out of reach. The commit's name makes it one, however often it is tried.
    async fn write(&self, batch: &[QueryRecord]) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let Err(error) = self.committer.append_queries(batch, self.process, self.commits).await else { return };
            if attempt == ATTEMPTS || !error.kind().is_retryable() {
                tracing::warn!(count = batch.len(), error = %error.chain(), "records of queries were not written");
                return;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The next record; none once the log was closed and is empty.
async fn next(records: &mut mpsc::Receiver<QueryRecord>, stopped: &mut mpsc::Receiver<()>) -> Option<QueryRecord> {
    loop {
        tokio::select! {
            biased;
            record = records.recv() => return record,
            _ = stopped.recv() => records.close(),
        }
    }
}
