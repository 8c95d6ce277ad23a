//! The facade: pipelines over an engine's lake.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use xiangyun_engine::catalog::RunRecord;
use xiangyun_engine::project::{Diagnostics, Document, Project};
use xiangyun_engine::{Engine, Result};

use crate::alert;
use crate::commit::{Committer, PastLoad};
use crate::connection::{self, ConnectionDef, Connections, Secrets};
use crate::maintain::Maintenance;
use crate::observe::RunObserver;
use crate::pipeline::{self, PipelineDef};
use crate::progress::Progress;
use crate::run::{PushedRows, Run, RunError};
use crate::source::{READ_ONCE_BYTES, SourceContext};

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Read, transform and check; commit nothing.
    pub dry_run: bool,
    /// Multiplies the rows of synthetic sources.
    pub scale: Option<f64>,
    /// What started the run, where it was not a person.
    pub trigger: Option<Trigger>,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// `schedule`, `after`, `arrival`.
    pub kind: &'static str,
    /// The time of the schedule.
    pub due_at: Option<DateTime<Utc>>,
}

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadOutcome {
    /// A new version was committed.
    Loaded,
    /// The same content had been loaded before: nothing was done.
    Unchanged,
    /// Nothing was to be committed.
    DryRun,
}

/// A rejected row, for a report; all of them are in `system.quarantine`.
#[derive(Debug, Clone)]
pub struct RejectSample {
    /// File.
    pub file: String,
    /// Line, from 1, the header included; 0 where a transform groups or joins, so that no line can be told.
    pub line: u64,
    /// Column, where one is to blame.
    pub column: Option<String>,
    /// Reason code, as in `TYPE`, `NOT_NULL`, `FIELD_COUNT`, `USCC_CHECK`.
    pub reason: String,
    /// What is wrong, in words.
    pub message: String,
}

/// What a load did, in numbers.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// What it did.
    pub outcome: LoadOutcome,
    /// The run's record.
    pub run: RunRecord,
    /// The first few rejected rows.
    pub rejects: Vec<RejectSample>,
    /// The first few warnings.
    pub warnings: Vec<RejectSample>,
    /// What became of each pushed request.
    pub(crate) pushed: PushedRows,
}

impl LoadReport {
    /// Of a run that begins.
    pub(crate) fn of(run: RunRecord) -> Self {
        let (rejects, warnings) = (Vec::new(), Vec::new());
        Self { outcome: LoadOutcome::Loaded, run, rejects, warnings, pushed: PushedRows::new() }
    }
}

/// What the project declares for loading.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    /// `pipelines/*.toml`, in the order in which they should run.
    pub pipelines: Vec<Document<PipelineDef>>,
    /// `connections/*.toml`.
    pub connections: Vec<Document<ConnectionDef>>,
}

impl Declarations {
    /// Reads both folders and checks them against the project's tables, offline; faults go to `diagnostics`.
    pub fn load(project: &Project, diagnostics: &mut Diagnostics) -> Self {
        let connections = connection::load_connections(&project.root, diagnostics);
        let pipelines = pipeline::load_pipelines(project, &connections, diagnostics);
        alert::check_alerts(project, &connections, diagnostics);
        Self { pipelines, connections }
    }
}

/// All writes to one lake.
#[derive(Debug, Clone)]
pub struct Ingest {
    engine: Engine,
    committer: Committer,
    pipelines: Arc<Vec<Document<PipelineDef>>>,
    connections: Connections,
    observers: Arc<[Arc<dyn RunObserver>]>,
    read_once_from: u64,
}

impl Ingest {
    /// Writes to `engine`'s lake. `secrets` are what the declared connections may ask for.
    pub async fn open(engine: Engine, declarations: Declarations, secrets: Secrets) -> Result<Self> {
        let committer = Committer::new(engine.storage().clone());
        let connections = Connections::new(&engine.project().root, declarations.connections, secrets);
        Ok(Self {
            engine,
            committer,
            pipelines: Arc::new(declarations.pipelines),
            connections,
            observers: Arc::new([]),
            read_once_from: READ_ONCE_BYTES,
        })
    }

    /// Reads new files of at least so many bytes once, instead of those of [`READ_ONCE_BYTES`] and more: they are hashed
    /// while their rows are read.
    #[must_use]
    pub fn reading_once_from(mut self, bytes: u64) -> Self {
        self.read_once_from = bytes;
        self
    }

    /// Tells `observers` of every run from here on.
    #[must_use]
    pub fn observed_by(mut self, observers: Vec<Arc<dyn RunObserver>>) -> Self {
        self.observers = observers.into();
        self
    }

    /// What sources are opened with; all their files are hashed then.
    pub(crate) fn source_context(&self) -> SourceContext {
        SourceContext {
            root: self.engine.project().root.clone(),
            connections: self.connections.clone(),
            runtime: tokio::runtime::Handle::current(),
            cursor: None,
            read_once_from: None,
        }
    }

    /// Records a run that could not record itself, and tells of it.
    pub(crate) async fn record_failed_run(&self, run: &RunRecord) {
        if let Err(error) = self.committer.append_run(run).await {
            tracing::warn!(run.id = %run.run_id, error = %error.chain(), "the run's record was not written to the runs log");
        }
        self.observers.iter().for_each(|observer| observer.ended(run));
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }

    pub(crate) fn observers(&self) -> &[Arc<dyn RunObserver>] {
        &self.observers
    }

    /// The engine that reads what this writes.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The pipelines, in the order in which they should run.
    pub fn pipelines(&self) -> &[Document<PipelineDef>] {
        &self.pipelines
    }

    /// Looks after the tables' files.
    pub fn maintenance(&self) -> Maintenance {
        Maintenance::new(self.engine.clone(), self.committer.clone())
    }

    /// Runs one pipeline. Running it again with the same sources does nothing and says so. Dropping the future
    /// before the commit leaves the lake as it was.
    ///
    /// # Errors
    /// Of the source ([`crate::source::SourceError`]), of the transform, of checks that stop a run, and of the
    /// commit. The run is recorded as failed, and nothing of it is in the table.
    pub async fn load(&self, pipeline: &str, options: &LoadOptions, progress: Arc<dyn Progress>) -> Result<LoadReport> {
        let found = self.pipelines.iter().find(|document| document.def.name == pipeline);
        let document = found.ok_or_else(|| RunError::UnknownPipeline {
            name: pipeline.into(),
            names: self.pipelines.iter().map(|document| document.def.name.clone()).collect(),
        })?;
        let def = Arc::clone(&document.def);
        let (engine, committer) = (&self.engine, &self.committer);
        let sources = SourceContext { read_once_from: Some(self.read_once_from), ..self.source_context() };
        let run = Run {
            engine,
            committer,
            sources,
            observers: &self.observers,
            pipeline: def,
            redo: None,
            replay: None,
            pushed: None,
            options,
            progress,
        };
        Box::pin(run.load()).await
    }

    /// Makes the run `run_id` again: its rows are taken out and its files, as they are now, are loaded in the same
    /// commit. Doing so again with the same files does nothing and says so.
    ///
    /// # Errors
    /// Of [`Self::load`]; `NotFound` for a run that committed to no table of a pipeline or whose files are gone,
    /// `Conflict` for one that was made again with other content, `Unsupported` for one of a history.
    pub async fn redo(&self, run_id: &str, options: &LoadOptions, progress: Arc<dyn Progress>) -> Result<LoadReport> {
        for document in self.pipelines.iter() {
            let Some(table) = self.engine.project().table(&document.def.table) else { continue };
            let (past, _) = self.committer.past_loads(&table.def).await?;
            let is_wanted = |load: &PastLoad| load.run_id == run_id && load.pipeline == document.def.name;
            let Some(redo) = past.iter().find(|load| is_wanted(load)).cloned() else { continue };
            let (engine, committer, sources) = (&self.engine, &self.committer, self.source_context());
            let (pipeline, observers) = (Arc::clone(&document.def), &self.observers);
            let (redo, replay, pushed) = (Some(redo), None, None);
            let run = Run { engine, committer, sources, observers, pipeline, redo, replay, pushed, options, progress };
            return Box::pin(run.load()).await;
        }
        Err(RunError::UnknownRun { run: run_id.into() }.into())
    }
}
