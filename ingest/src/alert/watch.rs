//! Watches alerts: looks what is due, evaluates it under a lease, and tells whom it concerns.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Timelike, Utc};
use tokio::sync::Mutex;
use tokio::time::Instant;
use xiangyun_engine::alert::{AlertDef, AlertState, EventKind, Group, GroupState, StoredAlert, TableData, Turn};
use xiangyun_engine::clock::china_date_of;
use xiangyun_engine::query::TableVersion;
use xiangyun_engine::semantic::TimeGrain;
use xiangyun_engine::{Error, Principal, QueryContext, Result};

use super::notice::{self, Basis};
use super::{schedule, store};
use crate::ingest::Ingest;
use crate::jobs::{Leases, Timetable};
use crate::observe::Outbox;

/// The lease under which alerts are evaluated. It is the name of no pipeline: those have no `_` in front.
const LEASE: &str = "_alerts";
/// Notices of one alert that wait; the oldest give way to newer ones.
const WAITING: usize = 100;
/// How long an endpoint that took nothing is left alone.
const PAUSE: Duration = Duration::from_secs(300);
/// How long a look that runs when the work is stopped may take to end, so that what was sent is crossed out.
const LAST_LOOK: Duration = Duration::from_secs(15);

/// How alerts are watched.
#[derive(Debug, Clone)]
pub struct AlertOptions {
    /// Where notices go whose alert names no connection; none tells nobody.
    pub webhook: Option<Outbox>,
    /// Names this process to people who ask who holds the lease.
    pub holder: String,
    /// How long a process may be silent before another one takes its work over.
    pub lease: Duration,
    /// How often the tables are looked at for new data, at least.
    pub look_every: Duration,
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            webhook: None,
            holder: format!("process {}", std::process::id()),
            lease: Duration::from_secs(60),
            look_every: Duration::from_secs(30),
        }
    }
}

/// News of one alert.
#[derive(Debug)]
pub struct AlertReport {
    /// The alert.
    pub alert: Arc<AlertDef>,
    /// The groups that went out of bounds and those that came back.
    pub turn: Turn,
    /// Why it could not be evaluated.
    pub error: Option<Error>,
}

/// The alerts of one project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Alerts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ingest: Ingest,
    options: AlertOptions,
    leases: Leases,
    watched: Vec<Watched>,
    /// By the connection's name; none for the setting's.
    endpoints: HashMap<Option<String>, Endpoint>,
}

#[derive(Debug)]
struct Watched {
    alert: Arc<AlertDef>,
    timetable: Option<Timetable>,
    /// Versions that hold the same rows as those that were evaluated.
    same: Mutex<Vec<TableVersion>>,
    /// Why it could not be looked at; told once and not at every look.
    fault: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Endpoint {
    outbox: Outbox,
    /// Until when it is left alone, since it took nothing.
    paused: Mutex<Option<Instant>>,
}

/// Why an alert is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cause {
    /// The time of its schedule.
    due_at: Option<DateTime<Utc>>,
    /// Whether it counts among evaluations in succession.
    counts: bool,
}

impl Alerts {
    /// The alerts of `ingest`'s project. Must be called within a runtime.
    ///
    /// # Errors
    /// For a schedule that cannot be read, which `check` reports with its place, and for a connection whose secret or
    /// certificate cannot be had.
    pub fn open(ingest: Ingest, options: AlertOptions) -> Result<Self> {
        let engine = ingest.engine();
        let (mut watched, mut endpoints) = (Vec::new(), HashMap::new());
        for document in &engine.project().alerts {
            let alert = Arc::clone(&document.def);
            let timetable = schedule::timetable(&alert, &engine.reference().calendar)?;
            let key = alert.webhook.clone();
            if !endpoints.contains_key(&key) {
                let outbox = match &key {
                    Some(name) => Some(Outbox::to_connection(&ingest.source_context(), name)?),
                    None => options.webhook.clone(),
                };
                endpoints.extend(outbox.map(|outbox| (key, Endpoint { outbox, paused: Mutex::default() })));
            }
            let (same, fault) = (Mutex::default(), Mutex::default());
            watched.push(Watched { alert, timetable, same, fault });
        }
        let (storage, clock) = (engine.storage().clone(), Arc::clone(engine.clock()));
        let leases = Leases::new(storage, clock, options.holder.clone(), options.lease);
        Ok(Self { inner: Arc::new(Inner { ingest, options, leases, watched, endpoints }) })
    }

    /// Whether the project declares none.
    pub fn is_empty(&self) -> bool {
        self.inner.watched.is_empty()
    }

    /// Evaluates what is due, and tells whom it concerns. Where another process is at it, nothing is done.
    ///
    /// # Errors
    /// Where the lease cannot be asked for. What fails of one alert is told, and the others go on.
    pub async fn look(&self, mut told: impl FnMut(AlertReport)) -> Result<()> {
        let mut todo = Vec::new();
        for watched in &self.inner.watched {
            match self.has_work(watched).await {
                Ok(true) => todo.push(watched),
                Ok(false) => drop(watched.fault.lock().await.take()),
                Err(error) => self.tell_fault(watched, error, &mut told).await,
            }
        }
        if todo.is_empty() {
            return Ok(());
        }
        let Some(lease) = self.inner.leases.try_take(LEASE).await? else { return Ok(()) };
        let work = async {
            for watched in todo {
                match Box::pin(self.work_on(watched)).await {
                    Ok(Some(report)) => told(report),
                    Ok(None) => {}
                    Err(error) => self.tell_fault(watched, error, &mut told).await,
                }
            }
        };
        if lease.while_held(work).await.is_none() {
            tracing::warn!("another process took the alerts over");
            return Ok(());
        }
        if let Err(error) = lease.give_back().await {
            tracing::warn!(error = %error.chain(), "the lease of the alerts was not given back; it expires");
        }
        Ok(())
    }

    /// Watches until `stop` ends.
    ///
    /// # Errors
    /// None at present: what fails is told, and looked at again.
    pub async fn work(&self, stop: impl Future<Output = ()>, mut told: impl FnMut(AlertReport)) -> Result<()> {
        tokio::pin!(stop);
        loop {
            {
                let look = self.look(&mut told);
                tokio::pin!(look);
                tokio::select! {
                    () = &mut stop => {
                        // What is being sent would be sent again by the next process, were it not crossed out.
                        let _ = tokio::time::timeout(LAST_LOOK, look).await;
                        return Ok(());
                    }
                    done = &mut look => {
                        if let Err(error) = done {
                            tracing::warn!(error = %error.chain(), "alerts cannot be looked at");
                        }
                    }
                }
            }
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(self.until_next_look()) => {}
            }
        }
    }

    /// Ends the connections to endpoints, for `limit` at the most each.
    pub async fn close(&self, limit: Duration) {
        // The setting's own is closed by whoever opened it.
        for (_, endpoint) in self.inner.endpoints.iter().filter(|(key, _)| key.is_some()) {
            endpoint.outbox.close(limit).await;
        }
    }

    fn until_next_look(&self) -> Duration {
        let now = self.now();
        let nexts =
            self.inner.watched.iter().filter_map(|watched| watched.timetable.as_ref()?.next(now).ok().flatten());
        let waits = nexts.filter_map(|next| (next - now).to_std().ok());
        waits.fold(self.inner.options.look_every, Duration::min).max(Duration::from_millis(50))
    }

    fn now(&self) -> DateTime<Utc> {
        self.inner.ingest.engine().clock().now()
    }

    fn asking(&self) -> QueryContext {
        self.inner.ingest.engine().query_as(Principal::system())
    }

    async fn load(&self, watched: &Watched) -> Result<StoredAlert> {
        StoredAlert::load(self.inner.ingest.engine().storage(), &watched.alert.name).await
    }

    /// Writes the state down. False where another process has.
    async fn write(&self, watched: &Watched, stored: &mut StoredAlert) -> Result<bool> {
        store::write(self.inner.ingest.engine().storage(), &watched.alert.name, stored).await
    }

    async fn has_work(&self, watched: &Watched) -> Result<bool> {
        let state = self.load(watched).await?.state;
        if !state.repeats(&watched.alert, self.now()).is_empty() && self.endpoint(watched).is_some() {
            return Ok(true);
        }
        if !state.waiting.is_empty() && self.open_endpoint(watched).await.is_some() {
            return Ok(true);
        }
        Ok(self.cause(watched, &state).await?.is_some())
    }

    /// Why the alert is due; none where it is not.
    async fn cause(&self, watched: &Watched, state: &AlertState) -> Result<Option<Cause>> {
        let (now, alert) = (self.now(), &watched.alert);
        let latest = watched.timetable.as_ref().map(|times| times.latest(now)).transpose()?.flatten();
        let Some(before) = state.evaluated_at.filter(|_| state.definition == alert.fingerprint()) else {
            return Ok(Some(Cause { due_at: latest, counts: true }));
        };
        if watched.timetable.is_some() {
            let is_new = latest > state.due_at;
            return Ok(is_new.then_some(Cause { due_at: latest, counts: true }));
        }
        let hour =
            |time: DateTime<Utc>| (china_date_of(time), (alert.grain == Some(TimeGrain::Hour)).then(|| time.hour()));
        if hour(before) != hour(now) {
            return Ok(Some(Cause { due_at: None, counts: true }));
        }
        let is_new = self.has_new_data(watched, state).await?;
        Ok(is_new.then_some(Cause { due_at: None, counts: true }))
    }

    /// Whether the tables hold other rows than those that were evaluated.
    async fn has_new_data(&self, watched: &Watched, state: &AlertState) -> Result<bool> {
        let versions = self.asking().alert_versions(&watched.alert).await?;
        let known = |version: &TableVersion| {
            state.tables.iter().any(|data| data.table == version.name && data.version == version.version)
        };
        if versions.len() == state.tables.len() && versions.iter().all(known) {
            return Ok(false);
        }
        if *watched.same.lock().await == versions {
            return Ok(false);
        }
        let data = self.tables(watched).await?;
        let changed = |table: &TableData| {
            state.tables.iter().find(|before| before.table == table.table).is_none_or(|before| table.differs(before))
        };
        if data.len() != state.tables.len() || data.iter().any(changed) {
            return Ok(true);
        }
        *watched.same.lock().await = versions;
        Ok(false)
    }

    async fn tables(&self, watched: &Watched) -> Result<Vec<TableData>> {
        Ok(self.asking().alert_provenance(&watched.alert).await?.iter().map(TableData::of).collect())
    }

    fn endpoint(&self, watched: &Watched) -> Option<&Endpoint> {
        self.inner.endpoints.get(&watched.alert.webhook)
    }

    /// The endpoint, unless it is left alone for a while.
    async fn open_endpoint(&self, watched: &Watched) -> Option<&Endpoint> {
        let endpoint = self.endpoint(watched)?;
        let is_open = endpoint.paused.lock().await.is_none_or(|until| until <= Instant::now());
        is_open.then_some(endpoint)
    }

    /// Does under the lease what is due. What was looked at before may have been done by another process since.
    async fn work_on(&self, watched: &Watched) -> Result<Option<AlertReport>> {
        let mut stored = self.load(watched).await?;
        let mut report = None;
        if let Some(cause) = self.cause(watched, &stored.state).await? {
            let news = Box::pin(self.evaluate(watched, &mut stored.state, cause)).await?;
            if !self.write(watched, &mut stored).await? {
                return Ok(None);
            }
            report = news;
        }
        if self.add_repetition(watched, &mut stored.state).await? && !self.write(watched, &mut stored).await? {
            return Ok(report);
        }
        // A notice that is not delivered is no reason to forget what was found.
        if let Err(error) = self.deliver(watched, &mut stored).await {
            tracing::warn!(alert = watched.alert.name, error = %error.chain(), "notices were not crossed out");
        }
        Ok(report)
    }

    /// Evaluates the alert and takes what was found into `state`, with the notices that follow.
    async fn evaluate(&self, watched: &Watched, state: &mut AlertState, cause: Cause) -> Result<Option<AlertReport>> {
        let alert = &watched.alert;
        let tells = self.endpoint(watched).is_some();
        let at = self.now();
        let report = match self.asking().evaluate_alert(alert).await {
            Ok(found) => {
                let turn = state.advance(alert, &found, cause.counts);
                if tells {
                    let (basis, at) = (Basis::of(&found.provenance, found.unit.clone()), found.at);
                    self.announce(alert, state, EventKind::Firing, &turn.began.iter().collect::<Vec<_>>(), &basis, at);
                    // Who was not told that it began is not told that it ended.
                    let ended: Vec<_> = turn.ended.iter().filter(|group| group.notified_at.is_some()).collect();
                    self.announce(alert, state, EventKind::Resolved, &ended, &basis, at);
                }
                let is_news = !turn.began.is_empty() || !turn.ended.is_empty();
                is_news.then(|| AlertReport { alert: Arc::clone(alert), turn, error: None })
            }
            // It may work at the next look.
            Err(error) if error.kind().is_retryable() => return Err(error),
            Err(error) => {
                let is_news = state.fail(alert, at, self.tables(watched).await?, error.chain());
                if is_news && tells {
                    queue(state, notice::of_failure(alert, &error.chain(), &at.to_rfc3339()));
                }
                is_news.then(|| AlertReport { alert: Arc::clone(alert), turn: Turn::default(), error: Some(error) })
            }
        };
        state.due_at = cause.due_at.or(state.due_at);
        Ok(report)
    }

    /// Writes a notice about `groups` down, and that they were told of.
    fn announce(
        &self,
        alert: &AlertDef,
        state: &mut AlertState,
        event: EventKind,
        groups: &[&GroupState],
        basis: &Basis,
        at: DateTime<Utc>,
    ) {
        if groups.is_empty() {
            return;
        }
        queue(state, notice::of_groups(alert, event, groups, basis, &at.to_rfc3339()));
        if event != EventKind::Resolved {
            let told: Vec<&Group> = groups.iter().map(|group| &group.group).collect();
            let told = state.groups.iter_mut().filter(|group| told.contains(&&group.group));
            told.for_each(|group| group.notified_at = Some(at));
        }
    }

    /// Writes a notice down of what holds for longer than the alert keeps quiet about. False where there is none.
    async fn add_repetition(&self, watched: &Watched, state: &mut AlertState) -> Result<bool> {
        let (alert, now) = (&watched.alert, self.now());
        let groups: Vec<GroupState> = state.repeats(alert, now).into_iter().cloned().collect();
        if groups.is_empty() || self.endpoint(watched).is_none() {
            return Ok(false);
        }
        let unit = self.asking().metric_summary(&alert.metric)?.unit;
        let basis = Basis::of(&self.asking().alert_provenance(alert).await?, unit);
        self.announce(alert, state, EventKind::Repeated, &groups.iter().collect::<Vec<_>>(), &basis, now);
        Ok(true)
    }

    /// Sends what waits, and crosses out what was taken.
    async fn deliver(&self, watched: &Watched, stored: &mut StoredAlert) -> Result<()> {
        while let Some(next) = stored.state.waiting.first().cloned() {
            let Some(endpoint) = self.open_endpoint(watched).await else { return Ok(()) };
            if !endpoint.outbox.send(next).await {
                *endpoint.paused.lock().await = Some(Instant::now() + PAUSE);
                return Ok(());
            }
            stored.state.waiting.remove(0);
            if !self.write(watched, stored).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells of an alert that cannot be looked at, once until that changes.
    async fn tell_fault(&self, watched: &Watched, error: Error, told: &mut impl FnMut(AlertReport)) {
        let chain = Some(error.chain());
        if std::mem::replace(&mut *watched.fault.lock().await, chain.clone()) != chain {
            told(AlertReport { alert: Arc::clone(&watched.alert), turn: Turn::default(), error: Some(error) });
        }
    }
}

/// Adds a notice to those that wait.
fn queue(state: &mut AlertState, notice: serde_json::Value) {
    state.waiting.push(notice);
    if state.waiting.len() > WAITING {
        let left_out = state.waiting.remove(0);
        tracing::warn!(notice = %left_out["notice_id"], "a notice was dropped: the endpoint has taken none for long");
    }
}
