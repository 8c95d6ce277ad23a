//! The one place that commits to Delta logs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deltalake::DeltaTableError;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::table::state::DeltaTableState;
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{RUN_KEY, RunRecord, TableDef};
use xiangyun_engine::storage::Storage;

use super::edit::{Append, Edit, Replace};
use super::error::{CommitError, refused};
use super::schema::schema_actions;
use super::target::Target;
use super::writer::StagedFiles;
use crate::pipeline::WriteMode;

/// Attempts against writers in other processes; those in this one queue up.
const MAX_ATTEMPTS: u32 = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The pause doubles this many times and then stays.
const MAX_DOUBLINGS: u32 = 7;

/// Names a commit, so that it is made once however often it is asked for. The log keeps the latest version of each
/// application id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Who commits what: `xiangyun/<pipeline>/<sha256>` for an append, `xiangyun/<pipeline>` for a replacement.
    pub app_id: String,
    /// 1 for an append; derived from the content for a replacement.
    pub version: i64,
}

/// Rows to be made visible.
#[derive(Debug)]
pub struct CommitRequest {
    /// The table's contract: the table is created from it, or grows with it.
    pub table: Arc<TableDef>,
    /// Add to the rows that are there, or take their place.
    pub mode: WriteMode,
    /// The rows.
    pub files: StagedFiles,
    /// Name of the commit.
    pub idempotency: Idempotency,
    /// Rides in the commit; its `version` is filled in by readers.
    pub run: RunRecord,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The rows are visible and durable, as this version.
    Committed {
        /// Version of the table.
        version: u64,
    },
    /// The same commit had been made before, as this version; the staged files are orphans.
    AlreadyCommitted {
        /// Version of the table.
        version: u64,
    },
}

/// Commits to the tables of one lake. Cheap to clone; all clones share one queue a table.
#[derive(Clone)]
pub struct Committer {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Storage,
    /// By table; the lock is the queue, its content a cache of the log.
    queues: Mutex<HashMap<String, Arc<AsyncMutex<Option<DeltaTableState>>>>>,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("storage", &self.inner.storage.url.as_str()).finish_non_exhaustive()
    }
}

/// A commit to any of the lake's logs.
pub(super) struct Change<'a> {
    pub(super) target: &'a Target,
    pub(super) edit: &'a dyn Edit,
    pub(super) idempotency: &'a Idempotency,
    pub(super) run: Option<&'a RunRecord>,
}

enum Attempt {
    Done(u64, Option<DeltaTableState>),
    Overtaken,
}

impl Committer {
    /// Commits to the tables of `storage`.
    pub fn new(storage: Storage) -> Self {
        Self { inner: Arc::new(Inner { storage, queues: Mutex::default() }) }
    }

    /// The lake.
    pub fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    /// Makes the rows of `request` visible, once. When this returns, they survive a power loss.
    ///
    /// # Errors
    /// [`CommitError::Evolution`] where the contract no longer fits the table, [`CommitError::Busy`] where writers in
    /// other processes were faster a hundred times; storage errors. After an error nothing was committed, unless the
    /// storage failed after it had taken the commit: the same request, sent again, finds that out.
    pub async fn commit(&self, request: CommitRequest) -> Result<CommitOutcome> {
        let target = Target::of_table(&self.inner.storage, &request.table);
        let CommitRequest { mode, files, idempotency, run, .. } = request;
        let edit: Box<dyn Edit> = match mode {
            WriteMode::Append => Box::new(Append { adds: files.adds }),
            WriteMode::Replace => Box::new(Replace { adds: files.adds }),
        };
        let change = Change { target: &target, edit: &*edit, idempotency: &idempotency, run: Some(&run) };
        self.apply(&change).await
    }

    /// The version that `idempotency` was committed as, so that a load can tell before it reads its sources.
    pub async fn find(&self, table: &TableDef, idempotency: &Idempotency) -> Result<Option<u64>> {
        let target = Target::of_table(&self.inner.storage, table);
        let queue = self.queue(target.label());
        let mut cached = queue.lock().await;
        refresh(&target, &mut cached).await?;
        let Some(state) = cached.as_ref() else { return Ok(None) };
        Ok(find_commit(&target, state, idempotency).await?.map(|found| found.version))
    }

    pub(super) async fn apply(&self, change: &Change<'_>) -> Result<CommitOutcome> {
        let queue = self.queue(change.target.label());
        let mut cached = queue.lock().await;
        for attempt in 0..MAX_ATTEMPTS {
            refresh(change.target, &mut cached).await?;
            if let Some(state) = cached.as_ref()
                && let Some(found) = find_commit(change.target, state, change.idempotency).await?
            {
                return Ok(outcome_of(&found, change));
            }
            match try_commit(change, cached.as_ref()).await {
                Ok(Attempt::Done(version, state)) => {
                    *cached = state;
                    return Ok(CommitOutcome::Committed { version });
                }
                Ok(Attempt::Overtaken) => tokio::time::sleep(pause(attempt)).await,
                Err(error) => return self.settle(change, &mut cached, error).await,
            }
        }
        Err(CommitError::Busy { table: change.target.label().into(), attempts: MAX_ATTEMPTS }.into())
    }

    /// A failed write may have been taken nevertheless: the log knows.
    async fn settle(
        &self,
        change: &Change<'_>,
        cached: &mut Option<DeltaTableState>,
        error: xiangyun_engine::Error,
    ) -> Result<CommitOutcome> {
        if refresh(change.target, cached).await.is_ok()
            && let Some(state) = cached.as_ref()
            && let Ok(Some(found)) = find_commit(change.target, state, change.idempotency).await
        {
            return Ok(outcome_of(&found, change));
        }
        Err(error)
    }

    fn queue(&self, label: &str) -> Arc<AsyncMutex<Option<DeltaTableState>>> {
        let mut queues = self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry(label.to_string()).or_default().clone()
    }
}

async fn refresh(target: &Target, cached: &mut Option<DeltaTableState>) -> Result<()> {
    // Taken out first: after a failure the next call starts from the log.
    *cached = match cached.take() {
        Some(mut state) => {
            target.log.refresh(&mut state).await?;
            Some(state)
        }
        None => target.log.load().await?,
    };
    Ok(())
}

/// A commit found in the log.
struct Found {
    version: u64,
    run_id: Option<String>,
}

/// Our own commit, whose acknowledgement got lost, or an earlier one.
fn outcome_of(found: &Found, change: &Change<'_>) -> CommitOutcome {
    let version = found.version;
    match change.run {
        Some(run) if found.run_id.as_deref() != Some(run.run_id.as_str()) => {
            CommitOutcome::AlreadyCommitted { version }
        }
        _ => CommitOutcome::Committed { version },
    }
}

async fn find_commit(target: &Target, state: &DeltaTableState, wanted: &Idempotency) -> Result<Option<Found>> {
    let latest = state
        .transaction_version(target.log.log_store().as_ref(), &wanted.app_id)
        .await
        .map_err(|error| refused(target, error))?;
    if latest != Some(wanted.version) {
        return Ok(None);
    }
    for version in target.log.list(None).await?.versions().rev().filter(|version| *version <= state.version()) {
        let bytes = target.log.read_commit(version).await?;
        let lines = || bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        if lines().filter_map(|line| line.txn).any(|txn| txn.app_id == wanted.app_id && txn.version == wanted.version) {
            let run_id = lines().find_map(|line| line.commit_info?.run).map(|run| run.run_id);
            return Ok(Some(Found { version, run_id }));
        }
    }
    // The commit's own file was cleaned up by another tool; a checkpoint still knows the transaction.
    Ok(Some(Found { version: state.version(), run_id: None }))
}

#[derive(Deserialize)]
struct Line {
    txn: Option<Txn>,
    #[serde(rename = "commitInfo")]
    commit_info: Option<Info>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "xiangyun.run")]
    run: Option<RunId>,
}

#[derive(Deserialize)]
struct RunId {
    run_id: String,
}

/// One attempt against the version that `state` is at.
async fn try_commit(change: &Change<'_>, state: Option<&DeltaTableState>) -> Result<Attempt> {
    let target = change.target;
    let mut actions = schema_actions(target, state)?;
    actions.extend(change.edit.actions(target, state).await?);
    let mut metadata = Vec::new();
    if let Some(run) = change.run {
        let run = serde_json::to_value(run)
            .map_err(|error| CommitError::Refused { table: target.label().into(), source: error.into() })?;
        metadata.push((RUN_KEY.to_string(), run));
    }
    // Cleaning up is nobody's business here: the commits are the record of all runs.
    let properties = CommitProperties::default()
        .with_metadata(metadata)
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false))
        .with_application_transaction(Transaction::new(&change.idempotency.app_id, change.idempotency.version));
    let commit = CommitBuilder::from(properties).with_actions(actions).build(
        state.map(|state| state as _),
        target.log.log_store().clone(),
        change.edit.operation(target),
    );
    let written = async { commit.into_prepared_commit_future().await?.await };
    let committed = match written.await {
        Ok(committed) => committed,
        Err(error) if is_overtaken(&error) => return Ok(Attempt::Overtaken),
        Err(error) => return Err(refused(target, error)),
    };
    let version = committed.version;
    // The commit stands; a checkpoint only makes the next start faster.
    let state = match committed.await {
        Ok(finalized) => Some(finalized.snapshot()),
        Err(error) => {
            tracing::warn!(table.name = target.label(), table.version = version, %error, "no checkpoint was written");
            None
        }
    };
    Ok(Attempt::Done(version, state))
}

/// Another writer took the version.
fn is_overtaken(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::VersionAlreadyExists(_)
                    | TransactionError::MaxCommitAttempts(_)
                    | TransactionError::CommitConflict(_)
            }
    )
}

/// Doubles, and differs between processes that were overtaken at the same moment.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE * 2u32.pow(attempt.min(MAX_DOUBLINGS));
    let part = (Uuid::new_v4().as_u128() % 1000) as u32;
    longest / 2 + longest / 2 * part / 1000
}
