//! Rows take the place of all that are there, or of all in their partitions.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use deltalake::kernel::{Action, Add, LogicalFileView};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::RunRecord;

use super::Edit;
use super::counts::{Counts, LastCounts};
use super::desk::added;
use crate::commit::error::refused;
use crate::commit::target::Target;

/// Removes files and adds others.
#[derive(Debug)]
pub(in crate::commit) struct Replace {
    adds: Vec<Add>,
    /// Files of other partitions than those of the added ones stay.
    by_partition: bool,
    counts: LastCounts,
}

impl Replace {
    /// Every row goes.
    pub(in crate::commit) fn all(adds: Vec<Add>) -> Self {
        Self { adds, by_partition: false, counts: LastCounts::default() }
    }

    /// The rows go that are in the partitions of the added files.
    pub(in crate::commit) fn partitions(adds: Vec<Add>) -> Self {
        Self { by_partition: true, ..Self::all(adds) }
    }
}

/// Partition values in the order of their columns. Delta's protocol: an empty text is a missing value.
fn values_of(columns: &[String], values: &HashMap<String, Option<String>>) -> Vec<Option<String>> {
    columns.iter().map(|name| values.get(name).cloned().flatten().filter(|value| !value.is_empty())).collect()
}

#[async_trait]
impl Edit for Replace {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        let columns = &target.partition_by;
        let touched: HashSet<_> = self.adds.iter().map(|add| values_of(columns, &add.partition_values)).collect();
        let goes = |file: &LogicalFileView| {
            let values = file.partition_values_map().into_iter().collect();
            !self.by_partition || touched.contains(&values_of(columns, &values))
        };
        let (mut actions, mut deleted) = (Vec::new(), 0);
        if let Some(state) = state {
            let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
            for file in data.iter().filter(goes) {
                deleted += file.num_records().unwrap_or_default() as u64;
                actions.push(Action::Remove(file.remove_action(true)));
            }
        }
        actions.extend(added(&self.adds));
        self.counts.set(Counts { deleted, ..Counts::default() });
        Ok(actions)
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Overwrite)
    }

    fn enter(&self, run: &mut RunRecord) {
        self.counts.enter(run);
    }
}
