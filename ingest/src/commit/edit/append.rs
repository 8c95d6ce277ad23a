//! Rows are added to those that are there.

use async_trait::async_trait;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;

use super::Edit;
use crate::commit::target::Target;

/// Adds files.
#[derive(Debug)]
pub(in crate::commit) struct Append {
    pub(in crate::commit) adds: Vec<Add>,
}

#[async_trait]
impl Edit for Append {
    async fn actions(&self, _target: &Target, _state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        Ok(self.adds.iter().cloned().map(Action::Add).collect())
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Append)
    }
}
