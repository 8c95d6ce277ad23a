//! Files take the place of others that hold the same rows.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use deltalake::kernel::{Action, Add, LogicalFileView};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;

use super::Edit;
use crate::commit::error::{CommitError, refused};
use crate::commit::target::Target;

/// Files, and those that were made of them.
#[derive(Debug, Clone, Default)]
pub(in crate::commit) struct Rewritten {
    /// Paths as the log has them.
    pub(in crate::commit) removed: Vec<String>,
    pub(in crate::commit) adds: Vec<Add>,
    /// Stored bytes of the removed ones.
    pub(in crate::commit) bytes: u64,
}

/// Replaces files by others with the same rows. What was added meanwhile stays as it is; where another writer has taken
/// one of the files out, its group is left as that writer made it.
#[derive(Debug)]
pub(in crate::commit) struct Compact {
    groups: Vec<Rewritten>,
    /// Which groups the last attempt left out.
    overtaken: Mutex<HashSet<usize>>,
}

impl Compact {
    pub(in crate::commit) fn new(groups: Vec<Rewritten>) -> Self {
        Self { groups, overtaken: Mutex::default() }
    }

    /// The groups that the last attempt put in place, and how many others there are.
    pub(in crate::commit) fn outcome(&self) -> (Vec<&Rewritten>, usize) {
        let overtaken = self.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.groups.iter().enumerate().filter(|(index, _)| !overtaken.contains(index));
        (kept.map(|(_, group)| group).collect(), overtaken.len())
    }
}

#[async_trait]
impl Edit for Compact {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        let overtaken = || CommitError::Overtaken { table: target.label().into(), run: "of another process".into() };
        let state = state.ok_or_else(overtaken)?;
        let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
        let whole = |file: &LogicalFileView| file.deletion_vector_descriptor().is_none();
        let there: HashMap<String, LogicalFileView> =
            data.iter().filter(whole).map(|file| (file.path().into_owned(), file)).collect();
        let (mut actions, mut gone) = (Vec::new(), HashSet::new());
        for (index, group) in self.groups.iter().enumerate() {
            let files: Option<Vec<_>> = group.removed.iter().map(|path| there.get(path)).collect();
            let Some(files) = files else {
                gone.insert(index);
                continue;
            };
            actions.extend(files.into_iter().map(|file| Action::Remove(file.remove_action(false))));
            actions.extend(group.adds.iter().map(|add| Action::Add(Add { data_change: false, ..add.clone() })));
        }
        *self.overtaken.lock().unwrap_or_else(PoisonError::into_inner) = gone;
        if actions.is_empty() {
            return Err(overtaken().into());
        }
        Ok(actions)
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        let target_size = i64::try_from(target.optimize.target_bytes()).unwrap_or(i64::MAX);
        DeltaOperation::Optimize { predicate: None, target_size }
    }
}
