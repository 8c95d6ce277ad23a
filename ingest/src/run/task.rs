//! What a run has to do: which files it reads, under which name it commits, and which rows go in their favour.

use std::collections::HashSet;
use std::sync::Arc;

use xiangyun_engine::Result;
use xiangyun_engine::catalog::{RunRead, RunSource, TableDef};

use super::error::RunError;
use super::files::{NewFiles, SomeFiles, standing, with_replays};
use super::{Run, identity};
use crate::commit::{Idempotency, InPlace, PastLoad, TakenOut};
use crate::ingest::{LoadReport, RejectSample};
use crate::pipeline::{OnChangedFile, WriteMode};
use crate::source::Source;

const HISTORY: &str = "its pipeline keeps a history, whose later versions rest on it";

/// What a run has to do.
pub(super) enum Task {
    /// Nothing: all of it is in this version of the table.
    Nothing { version: u64 },
    /// To load rows.
    Load(Box<Loading>),
}

/// What a run loads, and how it is committed.
pub(super) struct Loading {
    pub(super) source: Arc<dyn Source>,
    /// Those of the source, hashed as far as that is known before its rows are read.
    pub(super) files: Vec<RunSource>,
    pub(super) name: CommitName,
    pub(super) in_place: InPlace,
}

/// What a commit is recorded under.
pub(super) enum CommitName {
    Known(Idempotency),
    /// By the content of the files, once all of it has been read: behind the run that last loaded other content of one
    /// of their names.
    OfContent {
        after: Option<String>,
    },
}

impl Run<'_> {
    /// Compares the source with what the table's log tells of earlier loads.
    pub(super) async fn task(
        &self,
        table: &TableDef,
        source: Arc<dyn Source>,
        report: &mut LoadReport,
    ) -> Result<Task> {
        let task = match (&self.replay, &self.redo) {
            (Some(replay), _) => self.replay_task(table, source, replay, report).await?,
            (None, Some(past)) => Task::Load(Box::new(self.past_again(table, source, past, &report.run.reads).await?)),
            (None, None) if self.pushed.is_some() => self.push_task(table, source, report).await?,
            (None, None) => self.only_new(table, source, report).await?,
        };
        let loading = match task {
            Task::Load(loading) => *loading,
            nothing @ Task::Nothing { .. } => return Ok(nothing),
        };
        report.run.sources.clone_from(&loading.files);
        if !self.options.dry_run
            && let CommitName::Known(name) = &loading.name
            && let Some(version) = self.committer.find(table, name).await?
        {
            return Ok(Task::Nothing { version });
        }
        Ok(Task::Load(Box::new(loading)))
    }

    /// The files that were not loaded before, for a mode that adds rows; for others all of them, whose rows find the
    /// place of those that are there.
    async fn only_new(&self, table: &TableDef, source: Arc<dyn Source>, report: &mut LoadReport) -> Result<Task> {
        let is_append = self.pipeline.mode == WriteMode::Append && self.pipeline.source.has_named_files();
        let adds = is_append && !self.options.dry_run;
        let is_unhashed = source.files().iter().any(|file| file.sha256.is_none());
        let (past, seen) = match adds || (is_unhashed && !self.options.dry_run) {
            true => self.committer.past_loads(table).await?,
            false => Default::default(),
        };
        // Told by the same past, so that no file without a hash is one of another load meanwhile.
        let mut files = self.hash_known_sizes(&source, &past).await?;
        if !adds {
            let name = self.commit_name(table, &files, &report.run.reads, None)?;
            return Ok(Task::Load(Box::new(Loading { source, files, name, in_place: InPlace::default() })));
        }
        let policy = self.pipeline.on_changed_file;
        let new = NewFiles::among(&files, &standing(&past, &self.pipeline.name), policy);
        let all = files.len();
        if let (true, Some(version)) = (new.read.is_empty(), new.known_since) {
            report.run.sources = files;
            return Ok(Task::Nothing { version });
        }
        let source = some_of(source, &new.read);
        if new.read.len() < all {
            let known = all - new.read.len();
            report.run.notes.push(format!("{known} of {all} files were loaded before and are left out"));
        }
        self.tell_changed(&new, report)?;
        let read: HashSet<&String> = new.read.iter().collect();
        files.retain(|file| read.contains(&file.path));
        let after = new.changed.iter().filter_map(|file| file.runs.last()).max();
        let name = self.commit_name(table, &files, &report.run.reads, after.cloned())?;
        let taken = if policy == OnChangedFile::Replace { new.taken_out() } else { TakenOut::default() };
        let in_place = InPlace { taken, also: Vec::new(), seen: Some(seen) };
        Ok(Task::Load(Box::new(Loading { source, files, name, in_place })))
    }

    /// The files of `source`, hashed where the pipeline has loaded a file of that very size: only such a one can have
    /// content that is there already. Where the log has lost past loads, the commit still knows its name.
    async fn hash_known_sizes(&self, source: &Arc<dyn Source>, past: &[PastLoad]) -> Result<Vec<RunSource>> {
        let own = past.iter().filter(|load| load.pipeline == self.pipeline.name);
        let sizes: HashSet<u64> = own.flat_map(|load| &load.sources).map(|file| file.size_bytes).collect();
        self.hashed(source, move |file| sizes.contains(&file.size_bytes)).await
    }

    /// The files of `source`, those that are `wanted` with their hash.
    pub(super) async fn hashed(
        &self,
        source: &Arc<dyn Source>,
        wanted: impl Fn(&RunSource) -> bool + Send + Sync + 'static,
    ) -> Result<Vec<RunSource>> {
        if !source.files().iter().any(|file| file.sha256.is_none() && wanted(file)) {
            return Ok(source.files().to_vec());
        }
        let source = Arc::clone(source);
        let hashed = tokio::task::spawn_blocking(move || source.hashed_files(&wanted)).await;
        Ok(hashed.map_err(|error| RunError::ReaderLost { source: error.into() })??)
    }

    fn commit_name(
        &self,
        table: &TableDef,
        files: &[RunSource],
        reads: &[RunRead],
        after: Option<String>,
    ) -> Result<CommitName> {
        if files.iter().any(|file| file.sha256.is_none()) {
            return Ok(CommitName::OfContent { after });
        }
        Ok(CommitName::Known(self.idempotency(table, files, reads, after.as_deref())?))
    }

    /// What a load of these files is recorded under.
    pub(super) fn idempotency(
        &self,
        table: &TableDef,
        files: &[RunSource],
        reads: &[RunRead],
        after: Option<&str>,
    ) -> Result<Idempotency> {
        let reads: Vec<_> = reads.iter().map(|read| (read.table.to_string(), read.version)).collect();
        let mut identity = identity::identity(&self.pipeline, table, files, &reads)?;
        if let Some(after) = after {
            // The same content may come again after other content of its name.
            identity.app_id.push_str(&format!("/after/{after}"));
        }
        Ok(Idempotency { app_id: identity.app_id, version: identity.version })
    }

    fn tell_changed(&self, new: &NewFiles, report: &mut LoadReport) -> Result<()> {
        for file in &new.changed {
            let run = file.runs.last().cloned().unwrap_or_default();
            let path = &file.path;
            match self.pipeline.on_changed_file {
                OnChangedFile::Stop => return Err(RunError::FileChanged { path: path.clone(), run }.into()),
                OnChangedFile::Replace => {
                    let note =
                        format!("`{path}` has changed since run {run}: its rows take the place of those of before");
                    report.run.notes.push(note);
                }
                OnChangedFile::Load => {
                    let note = format!("`{path}` has changed since run {run}: its rows are added to those of before");
                    report.run.notes.push(note.clone());
                    report.run.warnings += 1;
                    report.warnings.push(RejectSample {
                        file: path.clone(),
                        line: 0,
                        column: None,
                        reason: "FILE_CHANGED".into(),
                        message: note,
                    });
                }
            }
        }
        Ok(())
    }

    /// The files of a run that is made again; its rows go in the same commit.
    async fn past_again(
        &self,
        table: &TableDef,
        source: Arc<dyn Source>,
        past: &PastLoad,
        reads: &[RunRead],
    ) -> Result<Loading> {
        let run = &past.run_id;
        let takes_out = match &self.pipeline.mode {
            WriteMode::Append | WriteMode::Upsert(_) => true,
            // Whatever was there goes anyway, or was not loaded.
            WriteMode::Replace | WriteMode::ReplacePartition | WriteMode::Delete => false,
            WriteMode::History(_) => return Err(RunError::NoRedo { run: run.clone(), why: HISTORY }.into()),
        };
        let source = if self.pipeline.source.has_named_files() {
            let present: HashSet<&str> = source.files().iter().map(|file| file.path.as_str()).collect();
            if let Some(gone) = past.sources.iter().find(|file| !present.contains(file.path.as_str())) {
                return Err(RunError::RedoFile { run: run.clone(), path: gone.path.clone() }.into());
            }
            let paths: Vec<String> = past.sources.iter().map(|file| file.path.clone()).collect();
            some_of(source, &paths)
        } else {
            source
        };
        let idempotency = identity::of_redo(&self.pipeline.name, run, source.files())?;
        let idempotency = Idempotency { app_id: idempotency.app_id, version: idempotency.version };
        let (loads, seen) = self.committer.past_loads(table).await?;
        if let Some(by) = loads.iter().find(|load| load.redo_of.as_ref() == Some(run))
            && self.committer.find(table, &idempotency).await?.is_none()
        {
            return Err(RunError::Redone { run: run.clone(), by: by.run_id.clone() }.into());
        }
        let also = vec![self.idempotency(table, source.files(), reads, None)?];
        let gone = || with_replays(&standing(&loads, &self.pipeline.name), vec![run.clone()]);
        let taken = TakenOut { runs: if takes_out { gone() } else { Vec::new() }, files: None };
        let (files, name) = (source.files().to_vec(), CommitName::Known(idempotency));
        Ok(Loading { source, files, name, in_place: InPlace { taken, also, seen: Some(seen) } })
    }
}

pub(super) fn some_of(source: Arc<dyn Source>, paths: &[String]) -> Arc<dyn Source> {
    if paths.len() == source.files().len() {
        return source;
    }
    Arc::new(SomeFiles::of(source, paths.iter().cloned().collect()))
}
