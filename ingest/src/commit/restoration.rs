//! A table becomes what it was at an earlier version, by a new commit.

use std::collections::HashSet;

use deltalake::kernel::LogicalFileView;
use deltalake::table::state::DeltaTableState;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{RunRecord, TableDef, TableLog};
use xiangyun_engine::storage::StorageError;

use super::committer::{Change, CommitOutcome, Committer, Idempotency};
use super::edit::{Edit, Restore};
use super::error::{CommitError, refused};
use super::target::Target;

/// Files that are looked for at a time.
const AHEAD: usize = 16;

/// What would change if a version were restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RestorePlan {
    /// The version that the table is at.
    pub(crate) from: u64,
    pub(crate) files_back: usize,
    pub(crate) files_gone: usize,
    /// Where the log knows.
    pub(crate) rows_back: Option<u64>,
    pub(crate) rows_gone: Option<u64>,
    /// Files of the version that are not there any more.
    pub(crate) missing: Vec<String>,
}

impl Committer {
    /// What restoring `version` would change; `None` where the table does not exist.
    pub(crate) async fn plan_restore(&self, table: &TableDef, version: u64) -> Result<Option<RestorePlan>> {
        let target = Target::of_table(self.storage(), table);
        let Some(now) = self.state(&target).await? else { return Ok(None) };
        let past = target.log.load_version(version).await?;
        let (now_files, then_files) = (files(&target, &now)?, files(&target, &past)?);
        let paths = |files: &[LogicalFileView]| -> HashSet<String> {
            files.iter().map(|file| file.path().into_owned()).collect()
        };
        let (now_paths, then_paths) = (paths(&now_files), paths(&then_files));
        let back: Vec<_> = then_files.iter().filter(|file| !now_paths.contains(file.path().as_ref())).collect();
        let gone: Vec<_> = now_files.iter().filter(|file| !then_paths.contains(file.path().as_ref())).collect();
        let rows = |files: &[&LogicalFileView]| files.iter().map(|file| Some(file.num_records()? as u64)).sum();
        Ok(Some(RestorePlan {
            from: now.version(),
            files_back: back.len(),
            files_gone: gone.len(),
            rows_back: rows(&back),
            rows_gone: rows(&gone),
            missing: missing(&target.log, &back).await?,
        }))
    }

    /// Makes the files of `version` the table's again, which is at version `from`. The log keeps everything in between.
    ///
    /// # Errors
    /// [`CommitError::Gone`] where a file of the version was vacuumed, [`CommitError::Moved`] where the table is not at
    /// `from` any more.
    pub(crate) async fn restore(
        &self,
        table: &TableDef,
        version: u64,
        from: u64,
        mut run: RunRecord,
    ) -> Result<(CommitOutcome, RunRecord)> {
        let label = table.name.to_string();
        let Some(plan) = self.plan_restore(table, version).await? else {
            let reason = "it does not exist yet".to_owned();
            return Err(CommitError::Schema { table: label, reason }.into());
        };
        if let Some(file) = plan.missing.first() {
            let (file, count) = (file.clone(), plan.missing.len());
            return Err(CommitError::Gone { table: label, version, file, count }.into());
        }
        let target = Target::of_table(self.storage(), table);
        let past = target.log.load_version(version).await?;
        let target = match self.state(&target).await? {
            Some(now) => target.as_logged(&now),
            None => target,
        };
        let edit = Restore::new(past, from);
        let idempotency = Idempotency { app_id: format!("xiangyun/restore/{}", run.run_id), version: 1 };
        let change =
            Change { target: &target, edit: &edit, idempotency: &idempotency, run: Some(&run), in_place: None };
        let outcome = self.apply(&change).await?;
        edit.enter(&mut run);
        Ok((outcome, run))
    }
}

fn files(target: &Target, state: &DeltaTableState) -> Result<Vec<LogicalFileView>> {
    let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
    Ok(data.iter().collect())
}

/// The files that the store does not have.
async fn missing(log: &TableLog, wanted: &[&LogicalFileView]) -> Result<Vec<String>> {
    let storage = log.storage();
    let look = |file: &&LogicalFileView| {
        let path = file.object_store_path().parts().fold(log.path().clone(), |path, part| path.join(part));
        let name = file.path().into_owned();
        async move {
            match storage.store.head(&path).await {
                Ok(_) => Ok(None),
                Err(object_store::Error::NotFound { .. }) => Ok(Some(name)),
                Err(error) => {
                    let action = format!("looking for the files of `{}`", log.label());
                    Err(xiangyun_engine::Error::from(StorageError::explain(action, &storage.url, error)))
                }
            }
        }
        .boxed()
    };
    let looks: Vec<_> = wanted.iter().map(look).collect();
    let found: Vec<Option<String>> = futures::stream::iter(looks).buffered(AHEAD).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
