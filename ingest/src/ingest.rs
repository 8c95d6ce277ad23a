//! The facade: pipelines over an engine's lake.

use std::sync::Arc;

use xiangyun_engine::catalog::RunRecord;
use xiangyun_engine::project::{Diagnostics, Document, Project};
use xiangyun_engine::{Engine, Result};

use crate::pipeline::PipelineDef;
use crate::progress::Progress;

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Read, transform and check; commit nothing.
    pub dry_run: bool,
    /// Multiplies the rows of synthetic sources.
    pub scale: Option<f64>,
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
    /// Line, from 1, the header included.
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
}

/// All writes to one lake.
#[derive(Debug, Clone)]
pub struct Ingest {
    engine: Engine,
    pipelines: Arc<Vec<Document<PipelineDef>>>,
}

impl Ingest {
    /// Reads `pipelines/*.toml` and checks them against the project's tables; faults go to `diagnostics`.
    pub fn load_pipelines(project: &Project, diagnostics: &mut Diagnostics) -> Vec<Document<PipelineDef>> {
        let _ = (project, diagnostics);
        unimplemented!()
    }

    /// Writes to `engine`'s lake.
    pub async fn open(engine: Engine, pipelines: Vec<Document<PipelineDef>>) -> Result<Self> {
        Ok(Self { engine, pipelines: Arc::new(pipelines) })
    }

    /// The engine that reads what this writes.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The pipelines, in the order in which they should run.
    pub fn pipelines(&self) -> &[Document<PipelineDef>] {
        &self.pipelines
    }

    /// Runs one pipeline. Running it again with the same sources does nothing and says so.
    pub async fn load(&self, pipeline: &str, options: &LoadOptions, progress: Arc<dyn Progress>) -> Result<LoadReport> {
        let _ = (pipeline, options, progress);
        unimplemented!()
    }
}
