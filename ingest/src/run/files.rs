//! Which files of a source a load has to read: those that its pipeline has not loaded before.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use xiangyun_engine::catalog::RunSource;

use crate::commit::{PastLoad, TakenOut};
use crate::pipeline::OnChangedFile;
use crate::source::{Batches, Drift, Footers, Source, SourceError};

/// A file whose name was loaded with other content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangedFile {
    pub(super) path: String,
    /// The runs that loaded earlier content of that name, oldest first.
    pub(super) runs: Vec<String>,
}

/// What of a source's files is new.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NewFiles {
    /// Paths to read.
    pub(super) read: Vec<String>,
    /// Those of them that have changed.
    pub(super) changed: Vec<ChangedFile>,
    /// The newest version that loaded one of the others.
    pub(super) known_since: Option<u64>,
}

impl NewFiles {
    /// Compares `files` with what `past` has loaded: the loads of one pipeline, oldest first.
    ///
    /// Content is loaded once, whatever it is called. Where a changed file takes the place of its earlier content, it
    /// is the newest content of a name that counts: the earlier one is no longer there and may come again. A file without
    /// a hash is of a size that no content of `past` has.
    pub(super) fn among(files: &[RunSource], past: &[&PastLoad], policy: OnChangedFile) -> Self {
        let mut found = Self::default();
        for file in files {
            let named = |load: &&&PastLoad| load.sources.iter().any(|source| source.path == file.path);
            let holds = |load: &&&PastLoad| match policy {
                OnChangedFile::Replace => {
                    load.sources.iter().any(|source| source.has_content_of(file) && is_newest(past, load, &source.path))
                }
                OnChangedFile::Load | OnChangedFile::Stop => {
                    load.sources.iter().any(|source| source.has_content_of(file))
                }
            };
            if let Some(load) = past.iter().rfind(holds) {
                found.known_since = found.known_since.max(Some(load.version));
                continue;
            }
            found.read.push(file.path.clone());
            let runs: Vec<String> = past.iter().filter(named).map(|load| load.run_id.clone()).collect();
            if !runs.is_empty() {
                let runs = with_replays(past, runs);
                found.changed.push(ChangedFile { path: file.path.clone(), runs });
            }
        }
        found
    }

    /// The rows that changed files take the place of.
    pub(super) fn taken_out(&self) -> TakenOut {
        let runs: HashSet<&String> = self.changed.iter().flat_map(|file| &file.runs).collect();
        let mut runs: Vec<String> = runs.into_iter().cloned().collect();
        runs.sort();
        TakenOut { runs, files: Some(self.changed.iter().map(|file| file.path.clone()).collect()) }
    }
}

/// The runs, and those that took up rows which they rejected: all of them rows of the same files.
pub(super) fn with_replays(past: &[&PastLoad], mut runs: Vec<String>) -> Vec<String> {
    // A run comes after the one whose rows it takes up.
    for load in past {
        if load.resolves.iter().any(|resolved| runs.contains(&resolved.run_id)) && !runs.contains(&load.run_id) {
            runs.push(load.run_id.clone());
        }
    }
    runs
}

pub(super) fn is_newest(past: &[&PastLoad], load: &PastLoad, path: &str) -> bool {
    let newest = past.iter().rfind(|other| other.sources.iter().any(|source| source.path == path));
    newest.is_some_and(|newest| newest.run_id == load.run_id)
}

/// The loads of `pipeline` whose rows were not taken out by a later run.
pub(super) fn standing<'p>(past: &'p [PastLoad], pipeline: &str) -> Vec<&'p PastLoad> {
    let redone: HashSet<&String> = past.iter().filter_map(|load| load.redo_of.as_ref()).collect();
    past.iter().filter(|load| load.pipeline == pipeline && !redone.contains(&load.run_id)).collect()
}

/// A source of which some files only are read.
#[derive(Debug)]
pub(super) struct SomeFiles {
    source: Arc<dyn Source>,
    files: Vec<RunSource>,
    paths: Arc<HashSet<String>>,
}

impl SomeFiles {
    /// The files of `source` that are called one of `paths`.
    pub(super) fn of(source: Arc<dyn Source>, paths: HashSet<String>) -> Self {
        let files = source.files().iter().filter(|file| paths.contains(&file.path)).cloned().collect();
        Self { source, files, paths: Arc::new(paths) }
    }
}

impl Source for SomeFiles {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn files(&self) -> &[RunSource] {
        &self.files
    }

    fn hashed_files(&self, wanted: &(dyn Fn(&RunSource) -> bool + Sync)) -> Result<Vec<RunSource>, SourceError> {
        let is_own = |file: &RunSource| self.paths.contains(&file.path);
        let mut files = self.source.hashed_files(&|file| is_own(file) && wanted(file))?;
        files.retain(is_own);
        Ok(files)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        self.source.batches_of(&self.paths)
    }

    /// Those of its own files: a note begins with the file's name.
    fn notes(&self) -> Vec<String> {
        let own = |note: &String| self.files.iter().any(|file| note.starts_with(&format!("`{}`: ", file.path)));
        self.source.notes().into_iter().filter(own).collect()
    }

    fn footers(&self) -> Footers {
        self.source.footers()
    }

    fn drift(&self) -> Drift {
        self.source.drift()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn file(path: &str, sha256: &str) -> RunSource {
        RunSource { path: path.into(), size_bytes: 1, sha256: Some(sha256.into()), encoding: None }
    }

    fn load(version: u64, files: &[(&str, &str)]) -> PastLoad {
        let sources = files.iter().map(|(path, sha256)| file(path, sha256)).collect();
        PastLoad {
            names: Vec::new(),
            version,
            run_id: format!("r{version}"),
            pipeline: "p".into(),
            sources,
            cursor: None,
            redo_of: None,
            rows_read: 0,
            resolves: Vec::new(),
            columns: Vec::new(),
        }
    }

    fn among(files: &[(&str, &str)], past: &[PastLoad], policy: OnChangedFile) -> NewFiles {
        let files: Vec<RunSource> = files.iter().map(|(path, sha256)| file(path, sha256)).collect();
        NewFiles::among(&files, &standing(past, "p"), policy)
    }

    #[test]
    fn content_that_was_loaded_is_not_read_again_whatever_it_is_called() {
        let past = [load(0, &[("a", "1"), ("b", "2")])];
        let found = among(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "2")], &past, OnChangedFile::Load);
        assert_eq!(found, NewFiles { read: vec!["c".into()], changed: Vec::new(), known_since: Some(0) });
    }

    #[test]
    fn a_changed_file_knows_the_runs_before_it() {
        let past = [load(0, &[("a", "1")]), load(1, &[("a", "2"), ("b", "1")])];
        let found = among(&[("a", "3")], &past, OnChangedFile::Replace);
        assert_eq!(found.changed, [ChangedFile { path: "a".into(), runs: vec!["r0".into(), "r1".into()] }]);
        let taken = TakenOut { runs: vec!["r0".into(), "r1".into()], files: Some(vec!["a".into()]) };
        assert_eq!(found.taken_out(), taken);
    }

    #[test]
    fn earlier_content_may_come_again_where_it_was_replaced() {
        let past = [load(0, &[("a", "1")]), load(1, &[("a", "2")])];
        let found = among(&[("a", "1")], &past, OnChangedFile::Replace);
        assert_eq!((found.read.len(), found.changed.len()), (1, 1));
        assert_eq!(among(&[("a", "1")], &past, OnChangedFile::Load).read.len(), 0);
        assert_eq!(among(&[("a", "2")], &past, OnChangedFile::Replace).known_since, Some(1));
    }

    #[test]
    fn a_file_without_a_hash_is_new_or_changed_by_its_name() {
        let unhashed = |path: &str| RunSource { sha256: None, ..file(path, "") };
        let past = [load(0, &[("a", "1")]), load(1, &[("b", "2")])];
        let found = NewFiles::among(&[unhashed("a"), unhashed("c")], &standing(&past, "p"), OnChangedFile::Replace);
        let changed = vec![ChangedFile { path: "a".into(), runs: vec!["r0".into()] }];
        assert_eq!(found, NewFiles { read: vec!["a".into(), "c".into()], changed, known_since: None });
    }

    #[test]
    fn what_a_redone_run_loaded_is_not_there() {
        let mut again = load(1, &[("a", "2")]);
        again.redo_of = Some("r0".into());
        let past = [load(0, &[("a", "1")]), again, PastLoad { pipeline: "q".into(), ..load(2, &[("c", "1")]) }];
        assert_eq!(among(&[("a", "1")], &past, OnChangedFile::Load).changed[0].runs, ["r1"]);
        assert_eq!(among(&[("a", "2")], &past, OnChangedFile::Load).known_since, Some(1));
    }
}
