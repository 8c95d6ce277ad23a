//! Rows are added to those that are there. Where they come in the place of others, those are taken out.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::RunRecord;

use super::counts::{Counts, LastCounts};
use super::desk::{Desk, added};
use super::{Edit, TakenOut};
use crate::commit::target::Target;

/// Adds files.
#[derive(Debug)]
pub(in crate::commit) struct Append {
    pub(in crate::commit) adds: Vec<Add>,
}

#[async_trait]
impl Edit for Append {
    async fn actions(&self, _target: &Target, _state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        Ok(added(&self.adds).collect())
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Append)
    }
}

/// Adds files, and takes rows out of the table.
#[derive(Debug)]
pub(in crate::commit) struct AppendInPlace {
    adds: Vec<Add>,
    taken: TakenOut,
    runtime: Arc<RuntimeEnv>,
    counts: LastCounts,
}

impl AppendInPlace {
    pub(in crate::commit) fn new(adds: Vec<Add>, taken: TakenOut, runtime: Arc<RuntimeEnv>) -> Self {
        Self { adds, taken, runtime, counts: LastCounts::default() }
    }
}

#[async_trait]
impl Edit for AppendInPlace {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        let desk = Desk::open(target, &self.runtime, state, self.taken.sql().as_deref())?;
        let (numbers, deleted) = desk.with_gone(&[], &self.taken.filters()).await?;
        desk.hold(&numbers).await?;
        let mut actions = desk.rewrite(&numbers, &[format!("SELECT {} FROM held", desk.columns())]).await?;
        actions.extend(added(&self.adds));
        self.counts.set(Counts { deleted, ..Counts::default() });
        Ok(actions)
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Append)
    }

    fn enter(&self, run: &mut RunRecord) {
        self.counts.enter(run);
    }
}
