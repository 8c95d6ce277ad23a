//! The tables of a lake: declared by the project, defined by their logs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::TableProvider;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::table::state::DeltaTableState;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};

use super::definition::{TableDef, ViewDef};
use super::drift::{drift, type_name};
use super::error::CatalogError;
use super::history::read_commit;
use super::log::TableLog;
use super::read_store::{ReadFailure, ReadStore};
use super::recent::{RecentRuns, Tally};
use super::rollup::{PinnedRollup, Since, since, source_versions, stands_for};
use super::scan::LAKE_STORE;
use super::snapshot::TableSnapshot;
use super::summary::{ColumnDetail, CommitSummary, RunRecord, TableDetail, TableKind, TableSummary};
use super::table_name::{TableName, is_identifier};
use crate::error::Result;
use crate::project::{Project, nearest};
use crate::storage::{Storage, StorageError};

/// The tables as their Delta logs say they are. Cheap to clone.
///
/// Nothing here is state: every snapshot is a cache of the log, brought up to date (one request, which those who ask at the
/// same time share) whenever a query pins its table.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Storage,
    project: Arc<Project>,
    /// Views that rest on synthetic tables.
    synthetic_views: HashSet<TableName>,
    tables: Mutex<HashMap<TableName, Arc<Slot>>>,
    rollups: Mutex<HashMap<String, Arc<Slot>>>,
}

/// One table's cache.
struct Slot {
    log: TableLog,
    state: AsyncMutex<SlotState>,
    /// How often it was asked for the newest version.
    asked: AtomicU64,
    /// The newest version when the log was last looked at, and when it was listed: for those who need no more.
    seen: Mutex<Option<(u64, Instant)>>,
}

#[derive(Default)]
struct SlotState {
    loaded: Option<(DeltaTableState, TableSnapshot)>,
    /// When the log was last listed.
    listed: Option<Instant>,
    /// The question for whose sake it was last brought up to date, or one that came before that began.
    answered: u64,
    commits: BTreeMap<u64, CommitSummary>,
    /// Earlier versions that were asked for, the latest asked last: a reader who pages asks for the same again.
    past: Vec<TableSnapshot>,
    tally: Option<Tally>,
    /// What a version of a rollup stands for.
    mark: Option<(u64, Option<i64>)>,
}

/// How long the log is not listed again where the commit that would be next is not there: a log that was tidied up far
/// beyond the version that is kept, or made anew, shows only when it is listed.
const LISTED_FOR: Duration = Duration::from_secs(5);

/// Earlier versions of a table that are kept.
const PAST: usize = 4;

/// A table at one version, for one query. It keeps reading that version whatever is committed meanwhile.
#[derive(Debug, Clone)]
pub struct PinnedTable {
    /// Version of the Delta log.
    pub version: u64,
    /// When that version was committed.
    pub committed_at: Option<DateTime<Utc>>,
    /// The contract; `None` for a table that the project does not declare.
    pub def: Option<Arc<TableDef>>,
    /// Reads it. Needs the store of [`Catalog::register_store`].
    pub provider: Arc<dyn TableProvider>,
    /// Reads it with its hidden columns ([`super::PROVENANCE_COLUMNS`]).
    pub traced: Arc<dyn TableProvider>,
    /// The greatest day of each date and timestamp column, as far as the log's statistics tell.
    pub(crate) newest_days: Arc<BTreeMap<String, NaiveDate>>,
    /// The id that its log gave it: a table that was made anew has another.
    pub(crate) id: Arc<str>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("storage", &self.inner.storage.url.as_str()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// The tables of `storage` under the declarations of `project`. Logs are read when they are first asked for.
    pub async fn open(storage: Storage, project: Arc<Project>) -> Result<Self> {
        Ok(Self::with_synthetic_views(storage, project, HashSet::new()))
    }

    /// As [`Self::open`]. The catalog reads no SQL: which views rest on synthetic tables it is told.
    pub(crate) fn with_synthetic_views(
        storage: Storage,
        project: Arc<Project>,
        synthetic_views: HashSet<TableName>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                storage,
                project,
                synthetic_views,
                tables: Mutex::default(),
                rollups: Mutex::default(),
            }),
        }
    }

    /// The lake.
    pub fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    /// The declarations.
    pub fn project(&self) -> &Project {
        &self.inner.project
    }

    /// Lets queries of `runtime` read the tables' files. The URL is private to the scans.
    pub fn register_store(&self, runtime: &RuntimeEnv) -> Result<()> {
        register_store(&self.inner.storage, runtime)
    }

    /// The newest version of `name`.
    ///
    /// # Errors
    /// [`CatalogError::NotLoaded`] for a declared table without a commit, [`CatalogError::Unknown`] for any other
    /// name, and whatever is wrong with the log.
    pub async fn pin(&self, name: &TableName) -> Result<PinnedTable> {
        let def = self.inner.project.table(name).map(|document| document.def.clone());
        let slot = self.slot(name);
        let (mut state, snapshot) = slot.newest().await?;
        let Some(snapshot) = snapshot else { return Err(self.absent(name).into()) };
        let committed_at = slot.commit(&mut state, snapshot.version()).await?.committed_at;
        Ok(pinned(&snapshot, committed_at, def))
    }

    /// `name` as it was at `version`.
    ///
    /// # Errors
    /// As [`Self::pin`]; [`CatalogError::NoVersion`] where the log does not have that version.
    pub async fn pin_version(&self, name: &TableName, version: u64) -> Result<PinnedTable> {
        let def = self.inner.project.table(name).map(|document| document.def.clone());
        let slot = self.slot(name);
        let (mut state, newest) = slot.newest().await?;
        let Some(newest) = newest else { return Err(self.absent(name).into()) };
        let snapshot = if newest.version() == version { newest } else { slot.past(&mut state, version).await? };
        let committed_at = slot.commit(&mut state, version).await?.committed_at;
        Ok(pinned(&snapshot, committed_at, def))
    }

    /// The newest version of a rollup's table; `None` where it was never made.
    pub(crate) async fn pin_rollup(&self, name: &str) -> Result<Option<PinnedRollup>> {
        let slot = self.rollup_slot(name);
        let (mut state, snapshot) = slot.newest().await?;
        let Some(snapshot) = snapshot else { return Ok(None) };
        let mark = match state.mark {
            Some((version, mark)) if version == snapshot.version() => mark,
            _ => match &state.loaded {
                Some((delta, _)) => stands_for(&slot.log, delta).await?,
                None => None,
            },
        };
        state.mark = Some((snapshot.version(), mark));
        Ok(Some(PinnedRollup::of(&snapshot, mark)))
    }

    /// The versions of `tables` that the rollup `name` names; none where it lacks one.
    pub(crate) async fn rollup_sources(&self, name: &str, tables: &[TableName]) -> Result<Option<Vec<u64>>> {
        let slot = self.rollup_slot(name);
        let (state, _) = slot.newest().await?;
        match &state.loaded {
            Some((delta, _)) => source_versions(&slot.log, delta, tables).await,
            None => Ok(None),
        }
    }

    /// The newest version of `name`, and what has come to it since `from`.
    ///
    /// # Errors
    /// As [`Self::pin`].
    pub(crate) async fn pin_since(&self, name: &TableName, from: Option<u64>) -> Result<(PinnedTable, Since)> {
        let def = self.inner.project.table(name).map(|document| document.def.clone());
        let slot = self.slot(name);
        let (mut state, snapshot) = slot.newest().await?;
        let Some(snapshot) = snapshot else { return Err(self.absent(name).into()) };
        let committed_at = slot.commit(&mut state, snapshot.version()).await?.committed_at;
        let since = match (from, &state.loaded) {
            (Some(from), Some((delta, _))) => since(&slot.log, delta, &snapshot, from).await?,
            _ => Since::Otherwise,
        };
        Ok((pinned(&snapshot, committed_at, def), since))
    }

    fn rollup_slot(&self, name: &str) -> Arc<Slot> {
        let mut rollups = self.inner.rollups.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let log = TableLog::of_rollup(&self.inner.storage, name);
            Arc::new(Slot::new(log))
        };
        rollups.entry(name.to_owned()).or_insert_with(new).clone()
    }

    /// `name` as it was at `time`: the newest version that was committed by then.
    ///
    /// # Errors
    /// As [`Self::pin`]; [`CatalogError::NotYet`] where the table was committed to later only.
    pub async fn pin_at(&self, name: &TableName, time: DateTime<Utc>) -> Result<PinnedTable> {
        let slot = self.slot(name);
        let versions: Vec<u64> = slot.log.list(None).await?.versions().collect();
        let mut first = None;
        let found = {
            let mut state = slot.state.lock().await;
            let mut found = None;
            // From the newest on, since that is where most questions end. Commits are read once.
            for version in versions.into_iter().rev() {
                first = slot.commit(&mut state, version).await?.committed_at;
                if first.is_some_and(|committed| committed <= time) {
                    found = Some(version);
                    break;
                }
            }
            found
        };
        match (found, first) {
            (Some(version), _) => self.pin_version(name, version).await,
            (None, Some(first)) => Err(CatalogError::NotYet { table: name.clone(), time, first }.into()),
            (None, None) => Err(self.absent(name).into()),
        }
    }

    /// Whether a glance at the log, for which nobody waits, shows that nothing was committed to `name` since `version`. What
    /// it does not tell, [`Self::is_newest`] does.
    pub(crate) fn is_seen_newest(&self, name: &TableName, version: u64) -> bool {
        self.slot(name).is_at(version)
    }

    /// Whether nothing was committed to `name` since `version`.
    pub(crate) async fn is_newest(&self, name: &TableName, version: u64) -> bool {
        let slot = self.slot(name);
        let newest = slot.newest().await;
        matches!(newest, Ok((_, Some(snapshot))) if snapshot.version() == version)
    }

    /// The newest version of one of Xiangyun's own logs (`quarantine`, `runs`); `None` before the first load.
    pub(super) async fn pin_internal(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let log = TableLog::internal(&self.inner.storage, name);
        let Some(state) = log.load().await? else { return Ok(None) };
        Ok(Some(TableSnapshot::as_stored(&log, &state).await?.provider().clone()))
    }

    /// Every table: declared, or found in the lake; in the order of their names. Views are not among them.
    pub async fn names(&self) -> Result<BTreeSet<TableName>> {
        let mut names: BTreeSet<_> = self.inner.project.tables.iter().map(|table| table.def.name.clone()).collect();
        let storage = &self.inner.storage;
        let list = async |path| storage.store.list_with_delimiter(Some(&path)).await;
        let explain = |error| StorageError::explain("listing tables", &storage.url, error);
        for schema in list(storage.root.clone()).await.map_err(explain)?.common_prefixes {
            let Some(schema_name) = schema.filename().filter(|name| is_identifier(name)).map(str::to_string) else {
                continue;
            };
            for table in list(schema).await.map_err(explain)?.common_prefixes {
                let name = table.filename().and_then(|table| TableName::try_new(&schema_name, table).ok());
                let Some(name) = name.filter(|name| !names.contains(name)) else { continue };
                if self.slot(&name).log.latest().await?.is_some() {
                    names.insert(name);
                }
            }
        }
        Ok(names)
    }

    /// What a list of tables shows of `name`.
    pub async fn summary(&self, name: &TableName) -> Result<TableSummary> {
        let def = self.inner.project.table(name).map(|document| document.def.clone());
        let slot = self.slot(name);
        let (mut state, snapshot) = slot.newest().await?;
        if def.is_none() && snapshot.is_none() {
            return Err(self.absent(name).into());
        }
        let committed_at = match &snapshot {
            Some(snapshot) => slot.commit(&mut state, snapshot.version()).await?.committed_at,
            None => None,
        };
        let drift = match (&def, &snapshot) {
            (Some(def), Some(snapshot)) => drift(def, snapshot),
            (Some(_), None) => Vec::new(),
            (None, _) => vec!["the table is in the lake and not declared".into()],
        };
        Ok(TableSummary {
            name: name.clone(),
            kind: TableKind::Table,
            title: def.as_ref().map(|def| def.title.clone()).unwrap_or_default(),
            agency: def.as_ref().map(|def| def.agency.clone()).unwrap_or_default(),
            synthetic: def.as_ref().is_some_and(|def| def.synthetic),
            level: def.as_ref().map(|def| def.level),
            sharing: def.as_ref().map(|def| def.sharing),
            version: snapshot.as_ref().map(TableSnapshot::version),
            committed_at,
            rows: snapshot.as_ref().and_then(TableSnapshot::rows),
            files: snapshot.as_ref().map(TableSnapshot::files),
            size_bytes: snapshot.as_ref().map(TableSnapshot::size_bytes),
            drift,
        })
    }

    /// What a list of tables shows of a view: it has no log, and nothing in it is counted.
    pub(crate) fn view_summary(&self, view: &ViewDef) -> TableSummary {
        TableSummary {
            name: view.name.clone(),
            kind: TableKind::View,
            title: view.title.clone(),
            agency: String::new(),
            synthetic: self.inner.synthetic_views.contains(&view.name),
            level: None,
            sharing: None,
            version: None,
            committed_at: None,
            rows: None,
            files: None,
            size_bytes: None,
            drift: Vec::new(),
        }
    }

    /// All of [`Self::names`] with their summaries.
    pub async fn summaries(&self) -> Result<Vec<TableSummary>> {
        let mut summaries = Vec::new();
        for name in self.names().await? {
            summaries.push(self.summary(&name).await?);
        }
        Ok(summaries)
    }

    /// One table with its columns: those of the log, or of the contract before the first load.
    pub async fn detail(&self, name: &TableName) -> Result<TableDetail> {
        let summary = self.summary(name).await?;
        let columns = self.columns(name).await?;
        let def = self.inner.project.table(name).map(|document| document.def.clone());
        Ok(TableDetail {
            summary,
            description: def.as_ref().map(|def| def.description.clone()).unwrap_or_default(),
            owner: def.as_ref().map(|def| def.owner.clone()).unwrap_or_default(),
            primary_key: def.as_ref().map(|def| def.primary_key.clone()).unwrap_or_default(),
            license: def.as_ref().and_then(|def| def.license.clone()),
            source: def.as_ref().and_then(|def| def.source.clone()),
            sql: None,
            columns,
        })
    }

    /// The columns of `name` as queries see them, described by the contract.
    pub async fn columns(&self, name: &TableName) -> Result<Vec<ColumnDetail>> {
        let def = self.inner.project.table(name).map(|document| document.def.clone());
        let slot = self.slot(name);
        let (_, snapshot) = slot.newest().await?;
        let schema = match (&snapshot, &def) {
            (Some(snapshot), _) => snapshot.schema().clone(),
            (None, Some(def)) => def.arrow_schema(),
            (None, None) => return Err(self.absent(name).into()),
        };
        let describe = |field: &Arc<arrow::datatypes::Field>| {
            let column = def.as_ref().and_then(|def| def.column(field.name()));
            ColumnDetail {
                name: field.name().clone(),
                column_type: type_name(field.data_type()),
                nullable: field.is_nullable(),
                title: column.and_then(|column| column.title.clone()),
                description: column.and_then(|column| column.description.clone()),
                unit: column.and_then(|column| column.unit.clone()),
            }
        };
        Ok(schema.fields().iter().map(describe).collect())
    }

    /// The commits of `name`, newest first. Empty for a declared table without one.
    pub async fn history(&self, name: &TableName) -> Result<Vec<CommitSummary>> {
        let slot = self.slot(name);
        let listing = slot.log.list(None).await?;
        if listing.latest().is_none() && self.inner.project.table(name).is_none() {
            return Err(self.absent(name).into());
        }
        let mut state = slot.state.lock().await;
        let mut commits = Vec::new();
        for version in listing.versions().rev() {
            commits.push(slot.commit(&mut state, version).await?);
        }
        Ok(commits)
    }

    /// The runs that the rows of `name` at `version` rest on, the newest `wanted` of them one by one. At the most `budget`
    /// commits are read that were never read before; what they say is kept, so that counts that are not complete yet
    /// become so with later calls.
    pub(crate) async fn recent_runs(&self, name: &TableName, version: u64, wanted: usize, budget: usize) -> RecentRuns {
        let slot = self.slot(name);
        let mut state = slot.state.lock().await;
        let SlotState { commits, tally, .. } = &mut *state;
        super::recent::recent_runs(&slot.log, commits, tally, version, wanted, budget).await
    }

    /// The run that committed `version` of `name`; none where no run did.
    pub(crate) async fn run_of(&self, name: &TableName, version: u64) -> Result<Option<RunRecord>> {
        let slot = self.slot(name);
        let mut state = slot.state.lock().await;
        Ok(slot.commit(&mut state, version).await?.run)
    }

    /// What a failed read of a table's files means, where it is the lake's fault and not the query's: a data file that
    /// is gone, or storage that cannot be reached.
    pub fn read_failure(&self, error: &(dyn StdError + 'static)) -> Option<crate::Error> {
        match ReadFailure::find(error)? {
            ReadFailure::Missing(path) => Some(CatalogError::MissingFile { path }.into()),
            ReadFailure::Failed(path) => {
                let action = format!("reading `{path}`");
                Some(StorageError::explain(action, &self.inner.storage.url, error.to_string()).into())
            }
        }
    }

    fn slot(&self, name: &TableName) -> Arc<Slot> {
        let mut tables = self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = tables.get(name) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new(TableLog::of_table(&self.inner.storage, name)));
        tables.insert(name.clone(), Arc::clone(&slot));
        slot
    }

    fn absent(&self, name: &TableName) -> CatalogError {
        let project = &self.inner.project;
        if project.table(name).is_some() {
            return CatalogError::NotLoaded { table: name.clone() };
        }
        let tables = project.tables.iter().map(|table| &table.def.name);
        let views = project.views.iter().map(|view| &(view.def.as_ref() as &ViewDef).name);
        let known: Vec<String> = tables.chain(views).map(ToString::to_string).collect();
        let nearest = nearest(&name.to_string(), known.iter().map(String::as_str)).and_then(|name| name.parse().ok());
        CatalogError::Unknown { table: name.clone(), nearest }
    }
}

/// `snapshot` for one query.
fn pinned(snapshot: &TableSnapshot, committed_at: Option<DateTime<Utc>>, def: Option<Arc<TableDef>>) -> PinnedTable {
    PinnedTable {
        version: snapshot.version(),
        committed_at,
        def,
        provider: snapshot.provider().clone(),
        traced: snapshot.traced().clone(),
        newest_days: snapshot.newest_days().clone(),
        id: snapshot.id().clone(),
    }
}

/// Lets plans of `runtime` read the files of the tables in `storage`. The URL is private to the scans.
pub fn register_store(storage: &Storage, runtime: &RuntimeEnv) -> Result<()> {
    let url = ObjectStoreUrl::parse(LAKE_STORE)
        .map_err(|error| crate::Error::new(crate::ErrorKind::Internal, error.to_string()))?;
    let store = ReadStore::new(storage.store.clone());
    runtime.register_object_store(url.as_ref(), Arc::new(store));
    Ok(())
}

impl Slot {
    fn new(log: TableLog) -> Self {
        Self { log, state: AsyncMutex::default(), asked: AtomicU64::new(0), seen: Mutex::default() }
    }

    /// As [`Catalog::is_seen_newest`].
    fn is_at(&self, version: u64) -> bool {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|(newest, listed)| newest == version && listed.elapsed() < LISTED_FOR)
            && self.log.lacks(version + 1)
    }

    /// The cache, and the newest version that there was when this was asked. Those who ask while the log is looked at share
    /// the next look.
    async fn newest(&self) -> Result<(AsyncMutexGuard<'_, SlotState>, Option<TableSnapshot>)> {
        let question = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut state = self.state.lock().await;
        if state.answered >= question
            && let Some((_, snapshot)) = &state.loaded
        {
            let snapshot = snapshot.clone();
            return Ok((state, Some(snapshot)));
        }
        let answers = self.asked.load(Ordering::SeqCst);
        let snapshot = self.refresh(&mut state).await?;
        state.answered = answers;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            snapshot.as_ref().map(TableSnapshot::version).zip(state.listed);
        Ok((state, snapshot))
    }

    /// Brings the cache up to the newest commit.
    async fn refresh(&self, state: &mut SlotState) -> Result<Option<TableSnapshot>> {
        if let Some((_, snapshot)) = &state.loaded
            && state.listed.is_some_and(|at| at.elapsed() < LISTED_FOR)
            && !self.log.may_have(snapshot.version() + 1).await
        {
            return Ok(Some(snapshot.clone()));
        }
        state.listed = Some(Instant::now());
        let loaded = match state.loaded.take() {
            None => self.log.load().await?,
            Some((mut delta, snapshot)) => {
                self.log.refresh(&mut delta).await?;
                if delta.version() == snapshot.version() {
                    state.loaded = Some((delta, snapshot.clone()));
                    return Ok(Some(snapshot));
                }
                Some(delta)
            }
        };
        let Some(delta) = loaded else { return Ok(None) };
        let snapshot = TableSnapshot::try_new(&self.log, &delta).await?;
        state.loaded = Some((delta, snapshot.clone()));
        Ok(Some(snapshot))
    }

    /// The table at an earlier version.
    async fn past(&self, state: &mut SlotState, version: u64) -> Result<TableSnapshot> {
        let snapshot = match state.past.iter().position(|past| past.version() == version) {
            Some(known) => state.past.remove(known),
            None => TableSnapshot::try_new(&self.log, &self.log.load_version(version).await?).await?,
        };
        if state.past.len() == PAST {
            state.past.remove(0);
        }
        state.past.push(snapshot.clone());
        Ok(snapshot)
    }

    /// What a commit says about itself; commits never change.
    async fn commit(&self, state: &mut SlotState, version: u64) -> Result<CommitSummary> {
        if let Some(known) = state.commits.get(&version) {
            return Ok(known.clone());
        }
        let summary = read_commit(&self.log, version).await?;
        state.commits.insert(version, summary.clone());
        Ok(summary)
    }
}
