//! A table becomes what it was at an earlier version: a new commit, recorded as a run is.

use xiangyun_engine::Result;
use xiangyun_engine::catalog::{RunRecord, TableName};

use super::{MaintainError, Maintenance, RestorePlan};

/// Stands in the records of runs where a load has its pipeline; no pipeline can be called so.
const PIPELINE: &str = "table restore";

/// What restoring a version does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The table.
    pub table: TableName,
    /// The version that is brought back.
    pub version: u64,
    /// The version that the table was at.
    pub from: u64,
    /// The version that was made; none in a plan, and where nothing differs.
    pub made: Option<u64>,
    /// Files that come back, and those that go.
    pub files_back: usize,
    /// See there.
    pub files_gone: usize,
    /// Rows of those files, where the log knows.
    pub rows_back: Option<u64>,
    /// See there.
    pub rows_gone: Option<u64>,
    /// Files of the version that were removed from the store: with any, it cannot be restored.
    pub missing: usize,
}

impl Maintenance {
    /// What restoring `version` would do.
    pub async fn plan_restore(&self, table: &TableName, version: u64) -> Result<Restored> {
        let plan = self.committer.plan_restore(&*self.def(table)?, version).await?;
        let plan = plan.ok_or_else(|| MaintainError::NotLoaded { table: table.to_string() })?;
        Ok(of_plan(table, version, &plan))
    }

    /// Brings the rows of `version` back. Versions in between stay in the log and can be restored in their turn. Content
    /// that was loaded in between counts as loaded: `xiangyun load --redo` loads it again.
    ///
    /// Where `from` is given, the table must still be at that version: what came since was not in the plan that was shown.
    ///
    /// # Errors
    /// `NotFound` for a version that there is not or whose files were removed, `Conflict` where files are being removed or
    /// the table has changed.
    pub async fn restore(&self, table: &TableName, version: u64, from: Option<u64>) -> Result<Restored> {
        let def = self.def(table)?;
        let elsewhere = || MaintainError::Elsewhere { table: table.to_string() };
        let lease = self.leases().try_take(&format!("maintain.{table}")).await?.ok_or_else(elsewhere)?;
        let lost = || MaintainError::LeaseLost { table: table.to_string() }.into();
        let restored = lease.while_held(self.restore_alone(&def.name, version, from)).await;
        let restored = restored.unwrap_or_else(|| Err(lost()));
        if let Err(error) = lease.give_back().await {
            tracing::warn!(table.name = %table, error = %error.chain(), "the lease was not given back; it expires");
        }
        restored
    }

    async fn restore_alone(&self, table: &TableName, version: u64, from: Option<u64>) -> Result<Restored> {
        let planned = self.plan_restore(table, version).await?;
        if planned.files_back == 0 && planned.files_gone == 0 {
            return Ok(planned);
        }
        let clock = self.engine.clock();
        let run = RunRecord::started(PIPELINE, table, clock.now());
        let from = from.unwrap_or(planned.from);
        let (outcome, mut run) = self.committer.restore(&*self.def(table)?, version, from, run).await?;
        run.version = Some(outcome.version());
        run.finished_at = clock.now();
        if let Err(error) = self.committer.append_run(&run).await {
            tracing::warn!(run.id = %run.run_id, error = %error.chain(), "the run's record was not written to the runs log");
        }
        Ok(Restored { made: run.version, ..planned })
    }
}

fn of_plan(table: &TableName, version: u64, plan: &RestorePlan) -> Restored {
    Restored {
        table: table.clone(),
        version,
        from: plan.from,
        made: None,
        files_back: plan.files_back,
        files_gone: plan.files_gone,
        rows_back: plan.rows_back,
        rows_gone: plan.rows_gone,
        missing: plan.missing.len(),
    }
}
