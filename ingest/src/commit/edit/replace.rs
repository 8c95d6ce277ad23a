//! Rows take the place of all that are there.

use async_trait::async_trait;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;

use super::Edit;
use crate::commit::error::refused;
use crate::commit::target::Target;

/// Removes every file and adds others.
#[derive(Debug)]
pub(in crate::commit) struct Replace {
    pub(in crate::commit) adds: Vec<Add>,
}

#[async_trait]
impl Edit for Replace {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        let mut actions = Vec::new();
        if let Some(state) = state {
            let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
            actions.extend(data.iter().map(|file| Action::Remove(file.remove_action(true))));
        }
        actions.extend(self.adds.iter().cloned().map(Action::Add));
        Ok(actions)
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Overwrite)
    }
}
