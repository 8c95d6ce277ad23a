//! The queries of this process: those that run, and the latest of those that ended. Who asks about one, or takes it back,
//! finds it here by its id.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::physical_plan::ExecutionPlan;
use tokio::time::Instant;
use uuid::Uuid;

use super::pool::QueryPool;
use super::profile::{ProfileNode, Scanned, profile, scanned};
use super::result::{QueryStatus, TableVersion};
use super::sink::{QueryOutcome, QueryRecord};
use super::stop::Stop;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{self, Principal};

/// Ended queries that are still known.
const ENDED: usize = 1_000;
/// Characters of a statement that are shown.
const STATEMENT_CHARS: usize = 4_096;

/// Where a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryState {
    /// It is planned, or waits for a slot of its class.
    Pending,
    /// Its operators work, or its rows are fetched.
    Running,
    /// Its rows were handed out, or are kept, to the end or up to the row limit.
    Succeeded,
    /// It failed.
    Failed,
    /// It was taken back, or its reader went away.
    Cancelled,
    /// It succeeded, and its result was removed because nobody read it in time.
    Expired,
}

impl QueryState {
    /// Whether nothing more will become of it.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// Why a query failed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct QueryFailure {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong; of a defect of the server no more than that.
    pub detail: String,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The kind, for doors that answer with it.
    #[serde(skip)]
    pub kind: ErrorKind,
}

/// What is known of a query.
#[derive(Debug, Clone, serde::Serialize)]
pub struct QueryInfo {
    /// The query's id.
    pub query_id: Uuid,
    /// Who asked.
    pub principal: String,
    /// The statement, cut after some thousand characters, without the parameters' values.
    pub statement: String,
    /// Where it is.
    pub state: QueryState,
    /// When it was asked.
    pub submitted_at: DateTime<Utc>,
    /// Milliseconds since then, or until it ended.
    pub elapsed_ms: u64,
    /// Rows handed out, or kept, so far.
    pub rows: u64,
    /// Whether rows were left out because of the row limit.
    pub truncated: bool,
    /// Rows, bytes and files that were read so far.
    pub scanned: Scanned,
    /// Bytes that its operators held in memory at the most.
    pub peak_memory_bytes: u64,
    /// The tables it reads, each at one version.
    pub tables: Vec<TableVersion>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<QueryFailure>,
}

/// One query.
pub(crate) struct Entry {
    pub(super) id: Uuid,
    principal: Principal,
    /// As much of it as is shown.
    statement: Arc<str>,
    submitted_at: DateTime<Utc>,
    started: Instant,
    stop: Arc<Stop>,
    course: Mutex<Course>,
}

/// What changes while a query runs.
struct Course {
    state: QueryState,
    status: Option<Arc<QueryStatus>>,
    tables: Arc<[TableVersion]>,
    pool: Option<Arc<QueryPool>>,
    /// While it runs: the plan holds what its operators have built.
    plan: Option<Arc<dyn ExecutionPlan>>,
    /// What the plan had done when it ended.
    profile: Option<ProfileNode>,
    scanned: Scanned,
    peak: u64,
    elapsed: Option<Duration>,
    failure: Option<QueryFailure>,
    /// Its rows are kept: it has not ended before they are.
    is_kept: bool,
    /// How its operators ended; whatever is said of them afterwards is late.
    outcome: Option<QueryOutcome>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).finish_non_exhaustive()
    }
}

/// As much of a statement as is shown.
fn shown(statement: &Arc<str>) -> Arc<str> {
    // No text has more characters than bytes.
    let end = match statement.len() > STATEMENT_CHARS {
        true => statement.char_indices().nth(STATEMENT_CHARS).map(|(end, _)| end),
        false => None,
    };
    end.map_or_else(|| Arc::clone(statement), |end| statement[..end].into())
}

impl Entry {
    /// The query of which `record` will be kept.
    pub(super) fn new(record: &QueryRecord, started: Instant, stop: Arc<Stop>) -> Self {
        Self {
            id: record.id,
            principal: record.principal.clone(),
            statement: shown(&record.statement),
            submitted_at: record.started_at,
            started,
            stop,
            course: Mutex::new(Course {
                state: QueryState::Pending,
                status: None,
                tables: Arc::default(),
                pool: None,
                plan: None,
                profile: None,
                scanned: Scanned::default(),
                peak: 0,
                elapsed: None,
                failure: None,
                is_kept: false,
                outcome: None,
            }),
        }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operators begin.
    pub(super) fn runs(&self, plan: Arc<dyn ExecutionPlan>, pool: Arc<QueryPool>) {
        let mut course = self.course();
        course.state = QueryState::Running;
        course.plan = Some(plan);
        course.pool = Some(pool);
    }

    /// What rows are counted by, and the versions that are read.
    pub(super) fn hands_out(&self, status: Arc<QueryStatus>, tables: Arc<[TableVersion]>) {
        let mut course = self.course();
        course.status = Some(status);
        course.tables = tables;
    }

    /// Why an operator was told that there is no more memory, where one was.
    pub(super) fn denied(&self) -> Option<String> {
        self.course().pool.as_ref()?.denied().map(str::to_owned)
    }

    /// What was read so far.
    pub(super) fn scanned(&self) -> Scanned {
        let course = self.course();
        course.plan.as_ref().map_or_else(|| course.scanned.clone(), |plan| scanned(plan.as_ref()))
    }

    /// It ended. The plan is let go of: it holds what its operators have built. Gives how it ended: a query that somebody
    /// took back, or that failed after its operators had done their part, did not succeed.
    pub(super) fn ended(&self, outcome: QueryOutcome, error: Option<&Error>) -> QueryOutcome {
        let mut course = self.course();
        course.settle(self.started);
        if let Some(ended) = course.outcome {
            return ended;
        }
        if let Some(failure) = &course.failure {
            return QueryOutcome::Failed(failure.kind);
        }
        course.outcome = Some(outcome);
        match outcome {
            QueryOutcome::Succeeded | QueryOutcome::Truncated if course.is_kept => course.elapsed = None,
            QueryOutcome::Succeeded | QueryOutcome::Truncated | QueryOutcome::Unchanged => {
                course.state = QueryState::Succeeded;
            }
            QueryOutcome::Failed(_) => course.state = QueryState::Failed,
            QueryOutcome::Cancelled => course.state = QueryState::Cancelled,
        }
        if course.state == QueryState::Failed {
            course.failure = error.map(QueryFailure::of);
        }
        outcome
    }

    /// Its rows are to be kept, and it has not succeeded before they are.
    pub(super) fn is_kept(&self) {
        self.course().is_kept = true;
    }

    /// Its rows are kept.
    pub(super) fn result_is_kept(&self) {
        let mut course = self.course();
        course.elapsed = Some(self.started.elapsed());
        if !course.state.has_ended() {
            course.state = QueryState::Succeeded;
        }
    }

    /// It fails for a reason that is not its operators'.
    pub(super) fn fails(&self, error: &Error) {
        let mut course = self.course();
        if !course.state.has_ended() {
            course.settle(self.started);
            let is_cancelled = error.kind() == ErrorKind::Cancelled;
            course.state = if is_cancelled { QueryState::Cancelled } else { QueryState::Failed };
            course.failure = (!is_cancelled).then(|| QueryFailure::of(error));
        }
    }

    /// Takes it back.
    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Its result is gone.
    pub(super) fn expired(&self) {
        let mut course = self.course();
        if course.state == QueryState::Succeeded {
            course.state = QueryState::Expired;
        }
    }

    pub(super) fn state(&self) -> QueryState {
        self.course().state
    }

    pub(super) fn info(&self) -> QueryInfo {
        let course = self.course();
        let elapsed = course.elapsed.unwrap_or_else(|| self.started.elapsed());
        QueryInfo {
            query_id: self.id,
            principal: self.principal.name().to_owned(),
            statement: self.statement.to_string(),
            state: course.state,
            submitted_at: self.submitted_at,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            rows: course.status.as_ref().map_or(0, |status| status.rows()),
            truncated: course.status.as_ref().is_some_and(|status| status.is_truncated()),
            scanned: course.plan.as_ref().map_or_else(|| course.scanned.clone(), |plan| scanned(plan.as_ref())),
            peak_memory_bytes: course.pool.as_ref().map_or(course.peak, |pool| pool.peak() as u64),
            tables: course.tables.to_vec(),
            error: course.failure.clone(),
        }
    }

    fn profile(&self) -> Option<ProfileNode> {
        let course = self.course();
        course.plan.as_ref().map(|plan| profile(plan.as_ref())).or_else(|| course.profile.clone())
    }
}

impl Course {
    /// Takes the counters down and lets go of the plan.
    fn settle(&mut self, started: Instant) {
        self.elapsed.get_or_insert_with(|| started.elapsed());
        if let Some(pool) = self.pool.take() {
            self.peak = pool.peak() as u64;
        }
        if let Some(plan) = self.plan.take() {
            self.scanned = scanned(plan.as_ref());
            self.profile = Some(profile(plan.as_ref()));
        }
    }
}

impl QueryFailure {
    fn of(error: &Error) -> Self {
        let detail = match error.kind() {
            ErrorKind::Internal => "the server failed; its log has the cause under this query's id".into(),
            ErrorKind::Unavailable | ErrorKind::Corrupted => error.to_string(),
            _ => error.chain(),
        };
        let hint = (error.kind() != ErrorKind::Internal).then(|| error.hint().map(str::to_owned)).flatten();
        Self { code: error.kind().code(), detail, hint, kind: error.kind() }
    }
}

/// All queries of this process.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Uuid, Arc<Entry>>,
    /// Oldest first; some of them may run.
    order: VecDeque<Uuid>,
}

impl Registry {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a query.
    ///
    /// # Errors
    /// `Conflict` for an id that is taken.
    pub(super) fn enter(&self, entry: &Arc<Entry>) -> Result<()> {
        // Dropped when the others may go on.
        let mut forgotten = Vec::new();
        let mut known = self.known();
        if known.entries.contains_key(&entry.id) {
            return Err(Error::new(ErrorKind::Conflict, format!("there is a query {} already", entry.id))
                .with_hint("leave the id out, or take a new one for each query"));
        }
        known.entries.insert(entry.id, Arc::clone(entry));
        known.order.push_back(entry.id);
        // Those that run are put to the end: they are the ones that will be asked about.
        for _ in ENDED..known.order.len() {
            let Some(oldest) = known.order.pop_front() else { break };
            match known.entries.get(&oldest) {
                Some(entry) if !entry.state().has_ended() => known.order.push_back(oldest),
                _ => forgotten.extend(known.entries.remove(&oldest)),
            }
        }
        drop(known);
        Ok(())
    }

    /// The query that `asking` may know of.
    ///
    /// # Errors
    /// `NotFound` for one that there is not, and for another principal's alike.
    pub(super) fn find(&self, id: Uuid, asking: &Principal) -> Result<Arc<Entry>> {
        let found = self.known().entries.get(&id).cloned();
        found.filter(|entry| may_know(asking, entry)).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no query {id}"))
                .with_hint("`system.queries` has those that ended a while ago")
        })
    }

    /// The queries that `asking` may know of, newest first.
    pub(super) fn list(&self, asking: &Principal) -> Vec<QueryInfo> {
        let entries: Vec<_> = self.known().entries.values().cloned().collect();
        let mut infos: Vec<_> =
            entries.iter().filter(|entry| may_know(asking, entry)).map(|entry| entry.info()).collect();
        infos.sort_by(|a, b| b.submitted_at.cmp(&a.submitted_at).then(b.query_id.cmp(&a.query_id)));
        infos
    }
}

fn may_know(asking: &Principal, entry: &Entry) -> bool {
    asking == &entry.principal || policy::sees_all_queries(asking)
}

impl super::context::QueryContext {
    /// The queries of this process that this principal may know of, newest first: those that run, and the latest of
    /// those that ended.
    pub fn queries(&self) -> Vec<QueryInfo> {
        self.engine().registry().list(self.principal())
    }

    /// A query of this process.
    ///
    /// # Errors
    /// `NotFound` for one that there is not, that ended long ago, or that is another principal's.
    pub fn query_info(&self, id: Uuid) -> Result<QueryInfo> {
        Ok(self.engine().registry().find(id, self.principal())?.info())
    }

    /// What the operators of a query have done so far; none before they began.
    ///
    /// # Errors
    /// As [`Self::query_info`].
    pub fn query_profile(&self, id: Uuid) -> Result<Option<ProfileNode>> {
        Ok(self.engine().registry().find(id, self.principal())?.profile())
    }

    /// Takes a query back. One that has ended already stays what it is. Its work ends soon after.
    ///
    /// # Errors
    /// As [`Self::query_info`].
    pub fn cancel(&self, id: Uuid) -> Result<QueryInfo> {
        let entry = self.engine().registry().find(id, self.principal())?;
        if !entry.state().has_ended() {
            entry.cancel();
        }
        self.engine().kept().forget(id);
        Ok(entry.info())
    }
}
