//! Projects in a temporary folder, opened as the binary opens them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use tempfile::TempDir;
use xiangyun_engine::clock::system_clock;
use xiangyun_engine::project::{Diagnostics, Project, render};
use xiangyun_engine::query::Limits;
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_engine::{Engine, EngineOptions};
use xiangyun_ingest::connection::Secrets;
use xiangyun_ingest::progress::Silent;
use xiangyun_ingest::{Declarations, Ingest, LoadOptions};

/// A project on disk with its lake below it.
#[derive(Debug)]
pub(crate) struct Lake {
    folder: TempDir,
    pub(crate) ingest: Ingest,
}

impl Lake {
    /// Opens the project that lies in `folder`.
    pub(crate) async fn open(folder: TempDir) -> Result<Self> {
        let ingest = open(folder.path()).await?;
        Ok(Self { folder, ingest })
    }

    /// The project's folder.
    pub(crate) fn project(&self) -> &Path {
        self.folder.path()
    }

    /// The lake's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    /// Runs a pipeline.
    pub(crate) async fn load(&self, pipeline: &str, scale: Option<f64>) -> Result<u64> {
        let options = LoadOptions { scale, ..LoadOptions::default() };
        Ok(self.ingest.load(pipeline, &options, Arc::new(Silent)).await?.run.rows_loaded)
    }
}

/// Opens the project that lies in `folder`, with the lake below it.
pub(crate) async fn open(folder: &Path) -> Result<Ingest> {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(folder, &mut diagnostics);
    let declarations = Declarations::load(&project, &mut diagnostics);
    if let Some(fault) = diagnostics.iter().next() {
        bail!("{}", render(fault, false));
    }
    let url = format!("file://{}", folder.join("lake").display());
    let storage = Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await?;
    let project = Arc::new(project);
    let options = EngineOptions { project, storage, limits: Limits::default(), clock: system_clock() };
    Ok(Ingest::open(Engine::open(options).await?, declarations, Secrets::default()).await?)
}

/// The shipped example, loaded.
pub(crate) async fn example(scale: f64) -> Result<Lake> {
    let folder = tempfile::tempdir()?;
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/jilin")), folder.path())?;
    let lake = Lake::open(folder).await?;
    for pipeline in lake.ingest.pipelines() {
        lake.load(&pipeline.def.name, Some(scale)).await?;
    }
    Ok(lake)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "lake" {
                copy(&entry.path(), &target)?;
            }
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
