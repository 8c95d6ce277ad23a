//! A table becomes what it was at an earlier version, by a new commit.

use std::collections::{HashMap, HashSet};

use deltalake::kernel::LogicalFileView;
use deltalake::table::state::DeltaTableState;
use serde::Deserialize;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{RunRecord, TableDef, TableLog};

use super::committer::{Change, CommitOutcome, Committer, Idempotency};
use super::edit::{Edit, Restore};
use super::error::{CommitError, refused};
use super::fence::stored;
use super::target::Target;

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
    ///
    /// # Errors
    /// [`CommitError::Unfit`] where rows would come back that the table's log or contract does not allow any more.
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
        let reason = unfit(table, &now, &past, &back);
        if let Some(Unfit { reason, by_contract }) = reason {
            return Err(CommitError::Unfit { table: table.name.to_string(), version, reason, by_contract }.into());
        }
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

/// Why rows of an earlier version cannot be the table's again.
struct Unfit {
    reason: String,
    /// The contract says so, and not the table's log.
    by_contract: bool,
}

/// What stands against `back`, files of the table as it was in `past`. Columns that came since are missing in their rows,
/// which the log and the contract must allow.
fn unfit(table: &TableDef, now: &DeltaTableState, past: &DeltaTableState, back: &[&LogicalFileView]) -> Option<Unfit> {
    if back.is_empty() {
        return None;
    }
    let by_log = |reason| Some(Unfit { reason, by_contract: false });
    let (partition_by, was_by) = (now.metadata().partition_columns(), past.metadata().partition_columns());
    if partition_by != was_by {
        let (is, was) = (partition_by.join(", "), was_by.join(", "));
        return by_log(format!("it is partitioned by [{was}], and the table by [{is}]"));
    }
    let (fields, old) = (now.snapshot().arrow_schema(), past.snapshot().arrow_schema());
    if let Some(lost) = old.fields().iter().find(|field| fields.column_with_name(field.name()).is_none()) {
        return by_log(format!("its column `{}` is no longer in the table", lost.name()));
    }
    for field in fields.fields() {
        let (name, was) = (field.name(), old.column_with_name(field.name()).map(|(_, was)| was));
        if let Some(was) = was
            && was.data_type() != field.data_type()
        {
            return by_log(format!(
                "its column `{name}` is {}, and the table's {}",
                was.data_type(),
                field.data_type()
            ));
        }
        let by_contract = field.is_nullable();
        let is_required = !by_contract || table.column(name).is_some_and(|column| !column.nullable);
        let reason = match was {
            None => format!("its rows have no column `{name}`, which may not be missing"),
            Some(was) if was.is_nullable() && back.iter().any(|file| lacks_values(file, name)) => {
                format!("rows of it have no value in `{name}`, which may not be missing")
            }
            Some(_) => continue,
        };
        if is_required {
            return Some(Unfit { reason, by_contract });
        }
    }
    None
}

/// Whether rows of a file have no value in `column`; true where the log does not know.
fn lacks_values(file: &LogicalFileView, column: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statistics {
        null_count: HashMap<String, serde_json::Value>,
    }
    if let Some(value) = file.partition_values_map().get(column) {
        return value.as_ref().is_none_or(String::is_empty);
    }
    let statistics = file.stats().and_then(|text| serde_json::from_str::<Statistics>(&text).ok());
    statistics.and_then(|statistics| statistics.null_count.get(column)?.as_u64()) != Some(0)
}

/// The files that the store does not have.
async fn missing(log: &TableLog, wanted: &[&LogicalFileView]) -> Result<Vec<String>> {
    let path = |file: &LogicalFileView| {
        file.object_store_path().parts().fold(log.path().clone(), |path, part| path.join(part))
    };
    let found = stored(log, wanted.iter().map(|file| path(file)).collect()).await?;
    let gone = wanted.iter().zip(found).filter(|(_, found)| found.is_none());
    Ok(gone.map(|(file, _)| file.path().into_owned()).collect())
}
