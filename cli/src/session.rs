//! What a command works with: the project, its settings, and as much of the engine as the command asks for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use xiangyun_api::Telemetry;
use xiangyun_engine::clock::system_clock;
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_engine::query::{LogQueries, QuerySink};
use xiangyun_engine::storage::Storage;
use xiangyun_engine::{Engine, EngineOptions, Principal, QueryContext};
use xiangyun_ingest::observe::{FailureWebhook, OpenLineage, Outbox, RunObserver};
use xiangyun_ingest::{Declarations, Ingest, QueryLog};

use crate::args::GlobalArgs;
use crate::report::Faults;
use crate::settings::{Environment, Flags, Settings, find_project, settable};
use crate::traces::Traces;

/// How long the end of a command waits for endpoints that are told of runs.
pub(crate) const OBSERVERS_TIMEOUT: Duration = Duration::from_secs(15);

/// One command's surroundings.
pub(crate) struct Session {
    pub(crate) global: GlobalArgs,
    pub(crate) environment: Environment,
    /// Where spans go, from when the command's log was started.
    pub(crate) traces: OnceLock<Traces>,
}

impl Session {
    /// Of a command that was not begun.
    pub(crate) fn new(global: GlobalArgs, environment: Environment) -> Self {
        Self { global, environment, traces: OnceLock::new() }
    }

    /// What `--set` sets.
    pub(crate) fn set_flags(&self) -> anyhow::Result<Flags> {
        self.global.set.iter().map(|(path, value)| Ok((settable(path)?, "--set", value.clone()))).collect()
    }

    /// The project's settings; `flags` are those of the command itself.
    pub(crate) fn settings(&self, own: Flags) -> anyhow::Result<Settings> {
        let mut flags = self.set_flags()?;
        flags.extend(own); // the last one counts
        Settings::resolve(find_project(self.global.project.as_deref(), &self.environment)?, &self.environment, &flags)
    }

    /// An engine over the project's lake.
    pub(crate) async fn engine(&self) -> anyhow::Result<Engine> {
        let settings = self.settings(Flags::new())?;
        let storage = Storage::open(&settings.storage()).await?;
        open_engine(&settings, storage, Arc::new(LogQueries)).await
    }

    /// Queries of the person at the keyboard.
    pub(crate) async fn queries(&self) -> anyhow::Result<QueryContext> {
        Ok(self.engine().await?.query_as(Principal::local()))
    }
}

/// An engine over a lake; its queries are recorded by `sink`. A project with faults is refused with all of them.
async fn open_engine(settings: &Settings, storage: Storage, sink: Arc<dyn QuerySink>) -> anyhow::Result<Engine> {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(&settings.root, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(Faults::new(diagnostics).into());
    }
    let options =
        EngineOptions { project: Arc::new(project), storage, limits: settings.limits(), clock: system_clock() };
    Ok(Engine::open_recording(options, sink).await?)
}

/// Everything that reads and writes the lake that the settings name.
async fn open_ingest(
    settings: &Settings,
    environment: &Environment,
    storage: Storage,
    sink: Arc<dyn QuerySink>,
) -> anyhow::Result<Ingest> {
    let engine = open_engine(settings, storage, sink).await?;
    let mut diagnostics = Diagnostics::default();
    let declarations = Declarations::load(engine.project(), &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(Faults::new(diagnostics).into());
    }
    Ok(Ingest::open(engine, declarations, environment.secrets()).await?)
}

/// Those who are told of runs and queries; what waits is sent and written when they are closed.
#[derive(Debug, Default)]
pub(crate) struct Observers {
    outboxes: Vec<Outbox>,
    /// That of the setting `jobs.webhook`.
    webhook: Option<Outbox>,
    queries: Option<QueryLog>,
    telemetry: Telemetry,
}

impl Observers {
    /// Counts the queries of a server.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Where failed runs, and alerts that name no connection, are told of.
    pub(crate) fn webhook(&self) -> Option<&Outbox> {
        self.webhook.as_ref()
    }

    /// Sends and writes what waits.
    pub(crate) async fn close(self) {
        if let Some(queries) = self.queries {
            queries.close().await;
        }
        for outbox in self.outboxes {
            outbox.close(OBSERVERS_TIMEOUT).await;
        }
    }
}

/// As [`open_observed`]; queries are counted, and recorded in the lake too unless the settings say otherwise.
pub(crate) async fn open_serving(settings: &Settings, session: &Session) -> anyhow::Result<(Ingest, Observers)> {
    let storage = Storage::open(&settings.storage()).await?;
    let queries = settings.logs_queries().then(|| QueryLog::open(&storage));
    let sink: Arc<dyn QuerySink> = match &queries {
        Some(log) => Arc::new(log.clone()),
        None => Arc::new(LogQueries),
    };
    let telemetry = match session.traces.get() {
        Some(traces) => Telemetry::tracing(Arc::new(traces.clone())),
        None => Telemetry::new(),
    };
    let ingest = open_ingest(settings, &session.environment, storage, telemetry.counting(sink)).await?;
    let (ingest, observers) = observed(ingest, settings)?;
    Ok((ingest, Observers { queries, telemetry, ..observers }))
}

/// Everything that reads and writes the lake; the endpoints that the settings name are told of every run.
pub(crate) async fn open_observed(
    settings: &Settings,
    environment: &Environment,
) -> anyhow::Result<(Ingest, Observers)> {
    let storage = Storage::open(&settings.storage()).await?;
    let ingest = open_ingest(settings, environment, storage, Arc::new(LogQueries)).await?;
    observed(ingest, settings)
}

fn observed(ingest: Ingest, settings: &Settings) -> anyhow::Result<(Ingest, Observers)> {
    let (mut outboxes, mut observers) = (Vec::new(), Vec::<Arc<dyn RunObserver>>::new());
    let mut webhook = None;
    if let Some((url, token)) = settings.webhook() {
        let outbox = Outbox::open(&url, token.as_ref()).context("the setting jobs.webhook")?;
        outboxes.push(outbox.clone());
        webhook = Some(outbox.clone());
        observers.push(Arc::new(FailureWebhook::new(outbox)));
    }
    if let Some((url, token)) = settings.open_lineage() {
        let outbox = Outbox::open(&url, token.as_ref()).context("the setting jobs.openlineage")?;
        outboxes.push(outbox.clone());
        observers.push(Arc::new(OpenLineage::new(outbox, ingest.engine().storage())));
    }
    Ok((ingest.observed_by(observers), Observers { outboxes, webhook, ..Observers::default() }))
}
