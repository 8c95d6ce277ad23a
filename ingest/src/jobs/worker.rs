//! Works a schedule: looks what is due, runs it under a lease, tries again, and goes on until it is stopped.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use tokio::sync::Mutex;
use tokio::time::Instant;
use xiangyun_engine::catalog::{RunRecord, RunStatus};
use xiangyun_engine::error::ErrorKind;
use xiangyun_engine::{Error, Result};

use super::arrival::Watch;
use super::due::{Due, Reason, due_after, due_times};
use super::error::JobError;
use super::last_runs::{LastRun, last_runs};
use super::lease::{Lease, Leases};
use super::promises::Promises;
use super::timetable::Timetable;
use crate::ingest::{Ingest, LoadOptions, LoadReport, Trigger};
use crate::pipeline::{PipelineDef, ScheduleDef};
use crate::progress::Silent;

/// How a schedule is worked.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Pipelines that run at the same time.
    pub parallel: usize,
    /// Names this process to people who ask who holds a lease.
    pub holder: String,
    /// How long a process may be silent before another one takes its work over.
    pub lease: Duration,
    /// How often the runs are looked at for something new, at least.
    pub look_every: Duration,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            parallel: 2,
            holder: format!("process {}", std::process::id()),
            lease: Duration::from_secs(60),
            look_every: Duration::from_secs(30),
        }
    }
}

/// How a job ended.
#[derive(Debug)]
pub enum JobOutcome {
    /// The pipeline ran.
    Ran(Box<LoadReport>),
    /// Another process is at it.
    Elsewhere,
    /// It failed, for good or for the last time.
    Failed(Error),
}

/// A job that was done.
#[derive(Debug)]
pub struct JobReport {
    /// What was due.
    pub due: Due,
    /// How it ended.
    pub outcome: JobOutcome,
}

/// A scheduled pipeline, for a list.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The pipeline.
    pub pipeline: String,
    /// Its schedule, as declared.
    pub schedule: ScheduleDef,
    /// Its next time; none where it waits for a pipeline or for files, or where the time cannot be told.
    pub next: Option<DateTime<Utc>>,
    /// Why the time cannot be told.
    pub fault: Option<String>,
    /// When it last began.
    pub last_started_at: Option<DateTime<Utc>>,
}

/// The scheduled pipelines of one project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ingest: Ingest,
    options: JobOptions,
    leases: Leases,
    scheduled: Vec<Scheduled>,
    promises: Promises,
}

#[derive(Debug)]
struct Scheduled {
    pipeline: Arc<PipelineDef>,
    schedule: ScheduleDef,
    timetable: Option<Timetable>,
    watch: Mutex<Watch>,
    /// Why its times could not be told at the last look; told once and not at every look.
    fault: Mutex<Option<String>>,
}

impl Jobs {
    /// The pipelines of `ingest` that have a schedule.
    ///
    /// # Errors
    /// For a schedule that cannot be read; `check` reports it with its place.
    pub fn try_new(ingest: Ingest, options: JobOptions) -> Result<Self> {
        let engine = ingest.engine();
        let calendar = &engine.reference().calendar;
        let mut scheduled = Vec::new();
        for document in ingest.pipelines() {
            let Some(schedule) = document.def.schedule.clone() else { continue };
            let timetable = Timetable::try_new(&schedule, calendar)?;
            let watch = Mutex::default();
            let (pipeline, fault) = (Arc::clone(&document.def), Mutex::default());
            scheduled.push(Scheduled { pipeline, schedule, timetable, watch, fault });
        }
        let (storage, clock) = (engine.storage().clone(), Arc::clone(engine.clock()));
        let leases = Leases::new(storage, clock, options.holder.clone(), options.lease);
        let promises = Promises::of(engine);
        Ok(Self { inner: Arc::new(Inner { ingest, options, leases, scheduled, promises }) })
    }

    /// Whether there is nothing to do: no pipeline is scheduled, and no table promises freshness.
    pub fn is_empty(&self) -> bool {
        self.inner.scheduled.is_empty() && self.inner.promises.is_empty()
    }

    /// Every scheduled pipeline with its next time.
    pub async fn plan(&self) -> Result<Vec<Planned>> {
        let now = self.inner.ingest.engine().clock().now();
        let last = last_runs(self.inner.ingest.engine()).await?;
        Ok(self.inner.scheduled.iter().map(|job| job.planned(now, last.get(&job.pipeline.name))).collect())
    }

    /// What is due now. A schedule whose times cannot be told is among the failures, once until that changes.
    pub async fn due(&self) -> Result<(Vec<Due>, Vec<(String, Error)>)> {
        let now = self.inner.ingest.engine().clock().now();
        let last = last_runs(self.inner.ingest.engine()).await?;
        let (mut due, mut failed) = (Vec::new(), Vec::new());
        for job in &self.inner.scheduled {
            let fault = match self.due_of(job, &last, now).await {
                Ok(reasons) => {
                    due.extend(reasons.into_iter().map(|reason| job.due(reason)));
                    None
                }
                Err(error) => Some(error),
            };
            let told = fault.as_ref().map(Error::chain);
            if std::mem::replace(&mut *job.fault.lock().await, told.clone()) != told
                && let Some(error) = fault
            {
                failed.push((job.pipeline.name.clone(), error));
            }
        }
        Ok((due, failed))
    }

    async fn due_of(
        &self,
        job: &Scheduled,
        last: &HashMap<String, LastRun>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Reason>> {
        let own = last.get(&job.pipeline.name);
        if let Some(timetable) = &job.timetable {
            let times = due_times(timetable, job.schedule.catch_up, own, now)?;
            if !times.is_empty() {
                return Ok(times.into_iter().map(Reason::Time).collect());
            }
        }
        if let Some(name) = due_after(&job.schedule.after, own, |name| last.get(name)) {
            return Ok(vec![Reason::After(name.to_owned())]);
        }
        if job.schedule.on_arrival.is_some() {
            let (context, source) = (self.inner.ingest.source_context(), job.pipeline.source.clone());
            let mut watch = std::mem::take(&mut *job.watch.lock().await);
            let looked = tokio::task::spawn_blocking(move || {
                let found = watch.look(&context, &source);
                (watch, found)
            });
            let (watch, found) = looked.await.map_err(|error| {
                Error::new(ErrorKind::Internal, "looking at a source was cut off").with_source(error)
            })?;
            *job.watch.lock().await = watch;
            if found? {
                return Ok(vec![Reason::Arrival]);
            }
        }
        Ok(Vec::new())
    }

    /// Runs what is due, and what becomes due by it, until nothing is. Each pipeline runs alone; several run at a time.
    /// Then the tables' promises of freshness are looked at, once a day.
    pub async fn run_due(&self, mut told: impl FnMut(JobReport)) -> Result<()> {
        self.run_pipelines(&mut told).await?;
        self.inner.promises.look(&self.inner.ingest, &self.inner.leases, told).await
    }

    async fn run_pipelines(&self, mut told: impl FnMut(JobReport)) -> Result<()> {
        loop {
            let (due, failed) = self.due().await?;
            for (pipeline, error) in failed {
                self.record_failure(&pipeline, &Reason::Arrival, &error).await;
                let due = Due { pipeline, reason: Reason::Arrival };
                told(JobReport { due, outcome: JobOutcome::Failed(error) });
            }
            // What is due at several times runs one after the other.
            let mut by_pipeline: BTreeMap<String, Vec<Due>> = BTreeMap::new();
            for due in due {
                by_pipeline.entry(due.pipeline.clone()).or_default().push(due);
            }
            if by_pipeline.is_empty() {
                return Ok(());
            }
            let mut running = futures::stream::iter(by_pipeline.into_values().map(|due| self.run_all(due)))
                .buffer_unordered(self.inner.options.parallel.max(1));
            let mut progressed = false;
            while let Some(reports) = running.next().await {
                progressed |= reports.iter().any(|report| !matches!(report.outcome, JobOutcome::Elsewhere));
                reports.into_iter().for_each(&mut told);
            }
            if !progressed {
                return Ok(());
            }
        }
    }

    /// Works the schedule until `stop` ends. A load that runs then is dropped: what was not committed never was.
    pub async fn work(&self, stop: impl Future<Output = ()>, mut told: impl FnMut(JobReport)) -> Result<()> {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                done = self.run_due(&mut told) => {
                    if let Err(error) = done {
                        // A store out of reach is no reason to end: the next look finds out.
                        tracing::warn!(error = %error.chain(), "the schedule cannot be told");
                    }
                }
            }
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep_until(self.next_look()) => {}
            }
        }
    }

    /// The next moment at which something may be due.
    fn next_look(&self) -> Instant {
        let now = self.inner.ingest.engine().clock().now();
        let mut wait = self.inner.options.look_every;
        for job in &self.inner.scheduled {
            if let Some(arrival) = &job.schedule.on_arrival {
                wait = wait.min(Duration::from_secs(arrival.look_every_seconds.max(1)));
            }
            let next = job.timetable.as_ref().and_then(|table| table.next(now).ok().flatten());
            if let Some(until) = next.and_then(|next| (next - now).to_std().ok()) {
                wait = wait.min(until);
            }
        }
        Instant::now() + wait.max(Duration::from_millis(50))
    }

    async fn run_all(&self, due: Vec<Due>) -> Vec<JobReport> {
        let mut reports = Vec::with_capacity(due.len());
        for due in due {
            let outcome = self.run(&due).await.unwrap_or_else(JobOutcome::Failed);
            reports.push(JobReport { due, outcome });
        }
        reports
    }

    /// Runs one job under its lease.
    async fn run(&self, due: &Due) -> Result<JobOutcome> {
        let Some(job) = self.inner.scheduled.iter().find(|job| job.pipeline.name == due.pipeline) else {
            return Ok(JobOutcome::Elsewhere);
        };
        let Some(lease) = self.inner.leases.try_take(&due.pipeline).await? else { return Ok(JobOutcome::Elsewhere) };
        // Between the look and the lease another process may have done it.
        let last = last_runs(self.inner.ingest.engine()).await?;
        let done = last.get(&due.pipeline).and_then(|last| last.due_at);
        if due.reason.due_at().is_some_and(|time| done.is_some_and(|done| done >= time)) {
            lease.give_back().await?;
            return Ok(JobOutcome::Elsewhere);
        }
        let outcome = self.attempts(job, due, &lease).await;
        match &outcome {
            // Refused or broken files are not tried again until they change.
            JobOutcome::Ran(_) | JobOutcome::Failed(_) => job.watch.lock().await.done(),
            JobOutcome::Elsewhere => {}
        }
        if let Err(error) = lease.give_back().await {
            tracing::warn!(pipeline = due.pipeline, error = %error.chain(), "the lease was not given back; it expires");
        }
        Ok(outcome)
    }

    async fn attempts(&self, job: &Scheduled, due: &Due, lease: &Lease) -> JobOutcome {
        let retry = &job.schedule.retry;
        let mut wait = Duration::from_secs(retry.wait_seconds);
        for attempt in 1.. {
            let error = match self.attempt(job, due, lease).await {
                Ok(report) => return JobOutcome::Ran(Box::new(report)),
                Err(error) => error,
            };
            if attempt >= retry.attempts || !error.kind().is_retryable() {
                return JobOutcome::Failed(error);
            }
            tracing::info!(pipeline = due.pipeline, attempt, error = %error.chain(), "failed, is tried again");
            let waited = self.alive(lease, &due.pipeline, tokio::time::sleep(wait)).await;
            if let Err(error) = waited {
                return JobOutcome::Failed(error);
            }
            wait = (wait * 2).min(Duration::from_secs(3600));
        }
        JobOutcome::Elsewhere
    }

    async fn attempt(&self, job: &Scheduled, due: &Due, lease: &Lease) -> Result<LoadReport> {
        let trigger = Some(Trigger { kind: due.reason.trigger(), due_at: due.reason.due_at() });
        let options = LoadOptions { trigger, ..LoadOptions::default() };
        let load = self.inner.ingest.load(&due.pipeline, &options, Arc::new(Silent));
        let limit = Duration::from_secs(job.schedule.timeout_seconds);
        let timed = self.alive(lease, &due.pipeline, tokio::time::timeout(limit, load)).await;
        let error = match timed {
            Ok(Ok(loaded)) => return loaded,
            Ok(Err(_)) => {
                JobError::Timeout { pipeline: due.pipeline.clone(), seconds: job.schedule.timeout_seconds }.into()
            }
            Err(error) => error,
        };
        // The load was dropped before it could write its own record.
        self.record_failure(&due.pipeline, &due.reason, &error).await;
        Err(error)
    }

    /// Does `work` while the lease is renewed; ends with an error where the lease is lost.
    async fn alive<T>(&self, lease: &Lease, pipeline: &str, work: impl Future<Output = T>) -> Result<T> {
        let lost = || JobError::LeaseLost { pipeline: pipeline.into() };
        Ok(lease.while_held(work).await.ok_or_else(lost)?)
    }

    async fn record_failure(&self, pipeline: &str, reason: &Reason, error: &Error) {
        let Some(job) = self.inner.scheduled.iter().find(|job| job.pipeline.name == pipeline) else { return };
        let now = self.inner.ingest.engine().clock().now();
        let trigger = Trigger { kind: reason.trigger(), due_at: reason.due_at() };
        let mut run = RunRecord::started(&job.pipeline.name, &job.pipeline.table, now);
        run.status = RunStatus::Failed;
        run.error = Some(error.chain());
        run.trigger = Some(trigger.kind.into());
        run.due_at = trigger.due_at;
        self.inner.ingest.record_failed_run(&run).await;
    }
}

impl Scheduled {
    fn due(&self, reason: Reason) -> Due {
        Due { pipeline: self.pipeline.name.clone(), reason }
    }

    fn planned(&self, now: DateTime<Utc>, last: Option<&LastRun>) -> Planned {
        let next = self.timetable.as_ref().map(|table| table.next(now)).transpose();
        let (next, fault) = match next {
            Ok(next) => (next.flatten(), None),
            Err(error) => (None, Some(Error::from(error).chain())),
        };
        let (pipeline, schedule) = (self.pipeline.name.clone(), self.schedule.clone());
        Planned { pipeline, schedule, next, fault, last_started_at: last.map(|last| last.started_at) }
    }
}
