//! A version's files become the table's again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use deltalake::kernel::{Action, LogicalFileView};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::RunRecord;

use super::Edit;
use super::counts::{Counts, LastCounts, rows};
use crate::commit::error::{CommitError, refused};
use crate::commit::target::Target;

/// Brings back the files of a version.
#[derive(Debug)]
pub(in crate::commit) struct Restore {
    /// The table as it was.
    past: DeltaTableState,
    /// The version that the table must be at: nobody was asked about what came later.
    from: u64,
    /// Rows that came back with the last attempt.
    back: AtomicU64,
    counts: LastCounts,
}

impl Restore {
    /// `past` is the table as it was, `from` the version that it is at.
    pub(in crate::commit) fn new(past: DeltaTableState, from: u64) -> Self {
        Self { past, from, back: AtomicU64::new(0), counts: LastCounts::default() }
    }
}

/// The files of a version by their path.
fn by_path(target: &Target, state: &DeltaTableState) -> Result<HashMap<String, LogicalFileView>> {
    let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
    Ok(data.iter().map(|file| (file.path().into_owned(), file)).collect())
}

#[async_trait]
impl Edit for Restore {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        if let Some(version) = state.map(DeltaTableState::version).filter(|version| *version != self.from) {
            let (table, from) = (target.label().into(), self.from);
            return Err(CommitError::Moved { table, from, version }.into());
        }
        let then = by_path(target, &self.past)?;
        let now = state.map(|state| by_path(target, state)).transpose()?.unwrap_or_default();
        let rows_of = |file: &LogicalFileView| file.num_records().unwrap_or_default() as u64;
        let (mut actions, mut back, mut deleted) = (Vec::new(), 0, 0);
        let mut removed: Vec<_> = now.iter().filter(|(path, _)| !then.contains_key(*path)).collect();
        removed.sort_by(|left, right| left.0.cmp(right.0));
        for (_, file) in removed {
            deleted += rows_of(file);
            actions.push(Action::Remove(file.remove_action(true)));
        }
        let mut added: Vec<_> = then.iter().filter(|(path, _)| !now.contains_key(*path)).collect();
        added.sort_by(|left, right| left.0.cmp(right.0));
        for (_, file) in added {
            back += rows_of(file);
            #[expect(deprecated, reason = "the only public way to a file's tags")]
            actions.push(Action::Add(file.add_action()));
        }
        let note = format!("version {} was restored: {} back, {} gone", self.past.version(), rows(back), rows(deleted));
        self.back.store(back, Ordering::Relaxed);
        self.counts.set(Counts { deleted, notes: vec![note], ..Counts::default() });
        Ok(actions)
    }

    fn operation(&self, _target: &Target) -> DeltaOperation {
        DeltaOperation::Restore { version: Some(self.past.version()), datetime: None }
    }

    fn writes_files(&self) -> bool {
        false
    }

    fn enter(&self, run: &mut RunRecord) {
        let back = self.back.load(Ordering::Relaxed);
        (run.rows_read, run.rows_loaded) = (back, back);
        self.counts.enter(run);
    }
}
