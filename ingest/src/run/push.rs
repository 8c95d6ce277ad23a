//! Runs of rows that callers have sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use xiangyun_engine::Result;
use xiangyun_engine::catalog::TableDef;

use super::Run;
use super::task::{CommitName, Loading, Task, some_of};
use crate::check::{Finding, Places};
use crate::commit::{InPlace, TakenOut};
use crate::ingest::LoadReport;
use crate::source::Source;

/// What became of the rows of each request, by the name of its file.
pub(crate) type PushedRows = BTreeMap<String, RowCounts>;

/// What became of some rows; those that are neither loaded nor rejected are duplicates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    pub(crate) read: u64,
    pub(crate) loaded: u64,
    pub(crate) rejected: u64,
}

impl Run<'_> {
    /// The requests that were not loaded before: a request is known by its name, whatever its content.
    pub(super) async fn push_task(
        &self,
        table: &TableDef,
        source: Arc<dyn Source>,
        report: &mut LoadReport,
    ) -> Result<Task> {
        let names = source.files().iter().map(|file| file.path.as_str());
        let (known, seen) = self.committer.pushed_before(table, &self.pipeline.name, names).await?;
        let (mut read, mut version) = (Vec::new(), None);
        for file in source.files() {
            match known.get(file.path.as_str()) {
                Some(known) => version = version.max(Some(*known)),
                None => read.push(file.path.clone()),
            }
        }
        if let (true, Some(version)) = (read.is_empty(), version) {
            report.run.sources = source.files().to_vec();
            return Ok(Task::Nothing { version });
        }
        let source = some_of(source, &read);
        let names: Vec<&str> = source.files().iter().map(|file| file.path.as_str()).collect();
        let idempotency = self.committer.name(&format!("xiangyun/{}/push", self.pipeline.name), &names.join("\n"));
        let in_place = InPlace { taken: TakenOut::default(), also: Vec::new(), seen: Some(seen) };
        let (files, name) = (source.files().to_vec(), CommitName::Known(idempotency));
        Ok(Task::Load(Box::new(Loading { source, files, name, in_place })))
    }
}

/// Counts the rows of a batch that are loaded.
pub(super) fn count_loaded(counts: &mut PushedRows, places: &Places) {
    for file in places.files().into_iter().flat_map(|files| files.iter().flatten()) {
        match counts.get_mut(file) {
            Some(of_file) => of_file.loaded += 1,
            None => counts.entry(file.to_owned()).or_default().loaded += 1,
        }
    }
}

/// Counts a row that is rejected.
pub(super) fn count_rejected(counts: &mut PushedRows, finding: &Finding) {
    if let Some(place) = &finding.place {
        counts.entry(place.file.to_string()).or_default().rejected += 1;
    }
}
