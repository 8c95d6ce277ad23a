//! The one place that commits to Delta logs.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::DeltaTableError;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::table::state::DeltaTableState;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tracing::Instrument;
use uuid::Uuid;
use xiangyun_engine::catalog::{RUN_KEY, RunRecord, TableDef, TableLog};
use xiangyun_engine::scratch::Scratch;
use xiangyun_engine::storage::Storage;
use xiangyun_engine::{Error, ErrorKind, Result};

use super::edit::{Append, AppendInPlace, Edit, History, Keyed, LastCounts, Match, Replace, TakenOut, runtime};
use super::error::{CommitError, refused};
use super::fence;
use super::past::{PastLoad, PastLoads, read_load};
use super::schema::schema_actions;
use super::spool::SpooledRows;
use super::target::Target;
use super::turn::Turn;
use super::writer::StagedFiles;
use crate::pipeline::WriteMode;
use crate::spans;

/// Attempts against writers in other processes; those in this one queue up.
const MAX_ATTEMPTS: u32 = 1_000;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The pause doubles this many times and then stays.
const MAX_DOUBLINGS: u32 = 7;
/// Whoever was overtaken so often pauses for the shortest time from then on: those that came later wait longer.
const PATIENCE: u32 = 16;

/// Names a commit, so that it is made once however often it is asked for. The log keeps the latest version of each
/// application id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Names the process in commits of which there are too many to keep the name of each.
    process: Uuid,
    /// By table; the lock is the queue, its content a cache of the log.
    queues: Mutex<HashMap<String, Arc<AsyncMutex<Option<DeltaTableState>>>>>,
    /// By table: the loads that its log tells of.
    pasts: Mutex<HashMap<String, Arc<AsyncMutex<PastLoads>>>>,
    /// Memory and disk of all edits; made with the first that needs them.
    /// With the folder that it spills to.
    runtime: OnceLock<(Arc<RuntimeEnv>, Arc<Scratch>)>,
    /// Tables that this process has committed to and nobody has looked after since.
    touched: Mutex<BTreeSet<String>>,
    touch: Notify,
}

/// What a commit asks for beyond its rows.
#[derive(Debug, Clone, Default)]
pub struct InPlace {
    /// Rows that go in the same commit.
    pub taken: TakenOut,
    /// Further names that the commit is recorded under, so that a later request of that name finds it.
    pub also: Vec<Idempotency>,
    /// The version up to which past loads were looked at, where it matters that none of the same files came since:
    /// `Some(None)` for a table that did not exist.
    pub seen: Option<Option<u64>>,
}

impl CommitOutcome {
    /// Version of the table.
    pub fn version(self) -> u64 {
        match self {
            Self::Committed { version } | Self::AlreadyCommitted { version } => version,
        }
    }
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
    pub(super) in_place: Option<&'a InPlace>,
}

enum Attempt {
    Done(u64, Option<DeltaTableState>),
    Overtaken,
}

impl Committer {
    /// Commits to the tables of `storage`.
    pub fn new(storage: Storage) -> Self {
        Self {
            inner: Arc::new(Inner {
                storage,
                process: Uuid::now_v7(),
                queues: Mutex::default(),
                pasts: Mutex::default(),
                runtime: OnceLock::new(),
                touched: Mutex::default(),
                touch: Notify::new(),
            }),
        }
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
        let table = request.table.name.to_string();
        let committed = self.commit_in_place(request, InPlace::default()).await?;
        let overtaken = || CommitError::Overtaken { table, run: "of another process".into() };
        Ok(committed.ok_or_else(overtaken)?.0)
    }

    /// As [`Self::commit`]; gives the run's record too, as the commit has it: with the counts of what it changed.
    /// Nothing was committed, and nothing is given, where another run of the pipeline has loaded some of the same files
    /// since `in_place.seen`.
    pub async fn commit_in_place(
        &self,
        request: CommitRequest,
        in_place: InPlace,
    ) -> Result<Option<(CommitOutcome, RunRecord)>> {
        let span = spans::commit(&request.table.name);
        let committed = Box::pin(self.committed(request, in_place).instrument(span.clone())).await;
        let version = |made: &Option<(CommitOutcome, RunRecord)>| made.as_ref().map(|(outcome, _)| outcome.version());
        spans::end_commit(&span, committed.as_ref().map(version).map_err(Error::kind));
        committed
    }

    async fn committed(&self, request: CommitRequest, in_place: InPlace) -> Result<Option<(CommitOutcome, RunRecord)>> {
        let target = Target::of_table(&self.inner.storage, &request.table);
        let CommitRequest { table, mode, files, idempotency, mut run } = request;
        let edit = self.edit(&table, mode, files, in_place.taken.clone())?;
        let change = Change {
            target: &target,
            edit: &*edit,
            idempotency: &idempotency,
            run: Some(&run),
            in_place: Some(&in_place),
        };
        let outcome = match self.apply(&change).await {
            Err(error) if error.kind() == ErrorKind::Conflict && self.check_seen(&change).await.is_err() => {
                return Ok(None);
            }
            other => other?,
        };
        if let CommitOutcome::Committed { .. } = outcome {
            edit.enter(&mut run);
        }
        Ok(Some((outcome, run)))
    }

    fn edit(&self, table: &TableDef, mode: WriteMode, files: StagedFiles, taken: TakenOut) -> Result<Box<dyn Edit>> {
        let spooled = |files: StagedFiles| {
            let reason = "its rows were not staged for the mode".to_owned();
            files.spooled.ok_or(CommitError::Schema { table: table.name.to_string(), reason })
        };
        let keyed = |rows: SpooledRows, matching| -> Result<Box<dyn Edit>> {
            let (key, runtime) = (table.primary_key.clone(), self.runtime()?);
            Ok(Box::new(Keyed { rows, key, matching, taken: taken.clone(), runtime, counts: LastCounts::default() }))
        };
        Ok(match mode {
            WriteMode::Append if taken.is_empty() => Box::new(Append { adds: files.adds }),
            WriteMode::Append => Box::new(AppendInPlace::new(files.adds, taken, self.runtime()?)),
            WriteMode::Replace => Box::new(Replace::all(files.adds)),
            WriteMode::ReplacePartition => Box::new(Replace::partitions(files.adds)),
            WriteMode::Upsert(upsert) => keyed(spooled(files)?, Match::Upsert { sequence: upsert.sequence })?,
            WriteMode::Delete => keyed(spooled(files)?, Match::Delete)?,
            WriteMode::History(history) => Box::new(History {
                rows: spooled(files)?,
                key: history.key(table),
                valid_from: history.valid_from,
                valid_to: history.valid_to,
                runtime: self.runtime()?,
                counts: LastCounts::default(),
            }),
        })
    }

    /// Memory and disk for edits.
    pub(crate) fn runtime(&self) -> Result<Arc<RuntimeEnv>> {
        if let Some((made, _)) = self.inner.runtime.get() {
            return Ok(Arc::clone(made));
        }
        let scratch = Scratch::of_process()
            .map_err(|error| CommitError::Spool { table: "the lake".into(), source: error.into() })?;
        let made = (runtime(&self.inner.storage, &scratch)?, scratch);
        Ok(Arc::clone(&self.inner.runtime.get_or_init(|| made).0))
    }

    /// The name of one of very many commits to one log: `what` with this process, and `content`.
    ///
    /// Checkpoints keep a version of each application id for ever, so that a name for each commit would make them grow
    /// with the history. That the log keeps the latest one only is enough here: commits of a process to a table queue,
    /// and whether one was made is asked before the next begins.
    pub(crate) fn name(&self, what: &str, content: &str) -> Idempotency {
        Idempotency {
            app_id: format!("{what}/{}", self.inner.process),
            version: version_of(Sha256::digest(content).into()),
        }
    }

    /// The loads of `table` that committed, oldest first, and the version up to which they are told; `None` for a
    /// table that does not exist. Of pushes only the newest are among them: `pushed_before` knows more.
    pub async fn past_loads(&self, table: &TableDef) -> Result<(Arc<Vec<PastLoad>>, Option<u64>)> {
        let target = Target::of_table(&self.inner.storage, table);
        let past = self.past(target.label());
        let mut past = past.lock().await;
        past.refresh(&target.log).await?;
        Ok((Arc::clone(past.loads()), past.read_to()))
    }

    /// Which of the requests called `names` were pushed to `table` through `pipeline` in the last
    /// [`KEYS_FOR`](super::KEYS_FOR) days, with the version that has their rows; and the version up to which that is told.
    pub(crate) async fn pushed_before(
        &self,
        table: &TableDef,
        pipeline: &str,
        names: impl Iterator<Item = &str> + Send,
    ) -> Result<(HashMap<String, u64>, Option<u64>)> {
        let target = Target::of_table(&self.inner.storage, table);
        let past = self.past(target.label());
        let mut past = past.lock().await;
        past.refresh(&target.log).await?;
        let known = names.filter_map(|name| Some((name.to_owned(), past.keys().get(pipeline, name)?)));
        Ok((known.collect(), past.read_to()))
    }

    /// The load that made `version` of `table`.
    ///
    /// # Errors
    /// [`CommitError::NoLoad`] where something else made it.
    pub(crate) async fn load_of(&self, table: &TableDef, version: u64) -> Result<PastLoad> {
        let target = Target::of_table(&self.inner.storage, table);
        let load = read_load(&target.log, version).await?;
        Ok(load.ok_or_else(|| CommitError::NoLoad { table: target.label().into(), version })?)
    }

    fn past(&self, label: &str) -> Arc<AsyncMutex<PastLoads>> {
        let mut pasts = self.inner.pasts.lock().unwrap_or_else(PoisonError::into_inner);
        pasts.entry(label.to_string()).or_default().clone()
    }

    /// Refuses a change whose files another run of its pipeline has loaded since they were looked at.
    async fn check_seen(&self, change: &Change<'_>) -> Result<()> {
        let (Some(run), Some(Some(seen))) = (change.run, change.in_place.map(|in_place| in_place.seen)) else {
            return Ok(());
        };
        let past = self.past(change.target.label());
        let mut past = past.lock().await;
        past.refresh(&change.target.log).await?;
        match past.overtaking(run, seen) {
            Some(run) => Err(CommitError::Overtaken { table: change.target.label().into(), run }.into()),
            None => Ok(()),
        }
    }

    /// The version that `idempotency` was committed as, so that a load can tell before it reads its sources.
    pub async fn find(&self, table: &TableDef, idempotency: &Idempotency) -> Result<Option<u64>> {
        let target = Target::of_table(&self.inner.storage, table);
        let queue = self.queue(target.label());
        let mut cached = queue.lock().await;
        refresh(&target, &mut cached).await?;
        let Some(state) = cached.as_ref() else { return Ok(None) };
        Ok(self.find_commit(&target, state, idempotency).await?.map(|found| found.version))
    }

    /// The newest state of a table; none where it does not exist.
    pub(super) async fn state(&self, target: &Target) -> Result<Option<DeltaTableState>> {
        let queue = self.queue(target.label());
        let mut cached = queue.lock().await;
        refresh(target, &mut cached).await?;
        Ok(cached.clone())
    }

    pub(super) async fn apply(&self, change: &Change<'_>) -> Result<CommitOutcome> {
        let queue = self.queue(change.target.label());
        let mut cached = queue.lock().await;
        let _turn = Turn::wait(&self.inner.storage, change.target.label()).await;
        for attempt in 0..MAX_ATTEMPTS {
            refresh(change.target, &mut cached).await?;
            if let Some(state) = cached.as_ref()
                && let Some(found) = self.find_commit(change.target, state, change.idempotency).await?
            {
                return Ok(outcome_of(&found, change));
            }
            self.check_seen(change).await?;
            match try_commit(change, cached.as_ref()).await {
                Ok(Attempt::Done(version, state)) => {
                    let from = cached.as_ref().map_or(version, DeltaTableState::version);
                    *cached = state.filter(|_| !TableLog::is_worn(from, version));
                    self.inner
                        .touched
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(change.target.label().into());
                    self.inner.touch.notify_one();
                    return Ok(CommitOutcome::Committed { version });
                }
                Ok(Attempt::Overtaken) => tokio::time::sleep(pause(attempt)).await,
                Err(error) => return self.settle(change, &mut cached, error).await,
            }
        }
        Err(CommitError::Busy { table: change.target.label().into(), attempts: MAX_ATTEMPTS }.into())
    }

    /// The tables that were committed to since this was last called.
    pub(crate) fn take_touched(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.inner.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends when a table is committed to.
    pub(crate) async fn touch(&self) {
        self.inner.touch.notified().await;
    }

    /// A failed write may have been taken nevertheless: the log knows.
    async fn settle(
        &self,
        change: &Change<'_>,
        cached: &mut Option<DeltaTableState>,
        error: Error,
    ) -> Result<CommitOutcome> {
        if refresh(change.target, cached).await.is_ok()
            && let Some(state) = cached.as_ref()
            && let Ok(Some(found)) = self.find_commit(change.target, state, change.idempotency).await
        {
            return Ok(outcome_of(&found, change));
        }
        Err(error)
    }

    /// Whether the log knows `wanted`: its checkpoints do for ever. Which commit that was is told by the loads that are
    /// known, and not looked for in a log that may be long.
    async fn find_commit(
        &self,
        target: &Target,
        state: &DeltaTableState,
        wanted: &Idempotency,
    ) -> Result<Option<Found>> {
        let latest = state
            .transaction_version(target.log.log_store().as_ref(), &wanted.app_id)
            .await
            .map_err(|error| refused(target, error))?;
        if latest != Some(wanted.version) {
            return Ok(None);
        }
        let past = self.past(target.label());
        let mut past = past.lock().await;
        past.refresh(&target.log).await?;
        Ok(Some(match past.named(wanted) {
            Some(load) => Found { version: load.version, run_id: Some(load.run_id.clone()) },
            // No load but upkeep, or its commit was cleaned up by another tool.
            None => Found { version: state.version(), run_id: None },
        }))
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

/// 63 bits of a hash: Delta's versions are signed.
pub(crate) fn version_of(hash: [u8; 32]) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

/// One attempt against the version that `state` is at.
async fn try_commit(change: &Change<'_>, state: Option<&DeltaTableState>) -> Result<Attempt> {
    let target = change.target;
    let mut actions = schema_actions(target, state)?;
    actions.extend(change.edit.actions(target, state).await?);
    if change.edit.writes_files() {
        fence::check(target, state, &actions).await?;
    }
    let mut metadata = Vec::new();
    if let Some(run) = change.run {
        let mut run = run.clone();
        change.edit.enter(&mut run);
        let run = serde_json::to_value(run)
            .map_err(|error| CommitError::Refused { table: target.label().into(), source: error.into() })?;
        metadata.push((RUN_KEY.to_string(), run));
    }
    // Cleaning up is nobody's business here: the commits are the record of all runs.
    let properties = CommitProperties::default()
        .with_metadata(metadata)
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false))
        .with_application_transactions(names(change));
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

/// What the commit is recorded under.
fn names(change: &Change<'_>) -> Vec<Transaction> {
    let also = change.in_place.into_iter().flat_map(|in_place| &in_place.also);
    let names = std::iter::once(change.idempotency).chain(also);
    names.map(|name| Transaction::new(&name.app_id, name.version)).collect()
}

/// Another writer took the version.
fn is_overtaken(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            // A store that answers 409 says that another request is at the first commit, and that one may have failed.
            | DeltaTableError::InvalidVersion(0)
            | DeltaTableError::Transaction {
                source: TransactionError::VersionAlreadyExists(_)
                    | TransactionError::MaxCommitAttempts(_)
                    | TransactionError::CommitConflict(_)
            }
    )
}

/// Doubles, and differs between processes that were overtaken at the same moment.
fn pause(attempt: u32) -> Duration {
    let doublings = if attempt < PATIENCE { attempt.min(MAX_DOUBLINGS) } else { 0 };
    let longest = FIRST_PAUSE * 2u32.pow(doublings);
    let part = (Uuid::new_v4().as_u128() % 1000) as u32;
    longest / 2 + longest / 2 * part / 1000
}
