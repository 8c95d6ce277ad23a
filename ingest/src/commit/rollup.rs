//! The tables of rollups, below `_xiangyun/rollups`. What a rollup stands for is in the commit that has its rows, so that
//! it never says of itself what it is not.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use futures::StreamExt;
use uuid::Uuid;
use xiangyun_engine::query::{RolledRows, RollupBase};
use xiangyun_engine::semantic::RollupSummary;
use xiangyun_engine::{Error, ErrorKind, Result};

use super::committer::{Change, CommitOutcome, Committer, Idempotency, InPlace};
use super::edit::Edit;
use super::error::{CommitError, refused};
use super::target::Target;
use super::writer::{TableWriter, WriterOptions};

/// Adds parts to a rollup, or takes the place of all that it keeps; only while it is as it was when they were worked out.
#[derive(Debug)]
struct Roll {
    adds: Vec<Add>,
    whole: bool,
    base: RollupBase,
    /// Whether it was worked out at all.
    tried: AtomicBool,
}

#[async_trait]
impl Edit for Roll {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        self.tried.store(true, Ordering::Relaxed);
        let version = state.map(DeltaTableState::version);
        if version != self.base.version {
            // Parts that somebody else has added would count twice.
            let table = target.label().into();
            return Err(CommitError::Overtaken { table, run: "of another process".into() }.into());
        }
        let mut actions = Vec::new();
        if let Some(state) = state.filter(|_| self.whole) {
            let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
            actions.extend(data.iter().map(|file| Action::Remove(file.remove_action(true))));
        }
        actions.extend(self.adds.iter().cloned().map(Action::Add));
        Ok(actions)
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(if self.whole { SaveMode::Overwrite } else { SaveMode::Append })
    }
}

impl Committer {
    /// Commits `rolled` to the table of the rollup `summary`, with what it stands for. Another process may have been
    /// faster: then there is a conflict, and nothing was committed.
    pub(crate) async fn commit_rollup(&self, summary: &RollupSummary, rolled: RolledRows) -> Result<RolledCommit> {
        let RolledRows { mut rows, whole, stand, base, anew, .. } = rolled;
        let target = Target::rollup(self.storage(), summary, whole);
        let options = WriterOptions::of_target(&target);
        let mut writer = TableWriter::for_target(self.storage(), target.clone(), options);
        while let Some(batch) = rows.next().await {
            writer.write(batch?).await?;
        }
        if rows.status.is_truncated() || !rows.status.is_complete() {
            let message = format!("the rows of rollup `{}` ended early", summary.name);
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let files = writer.finish().await?;
        let written = files.rows();
        let mut also: Vec<_> =
            stand.names().into_iter().map(|(app_id, version)| Idempotency { app_id, version }).collect();
        // One that was asked for anew says the same as before, and is to be made nevertheless.
        let idempotency = if anew || also.is_empty() {
            let version = i64::try_from(Uuid::now_v7().as_u128() >> 65).unwrap_or_default();
            Idempotency { app_id: "xiangyun/rollup-anew".into(), version }
        } else {
            also.remove(0)
        };
        let in_place = InPlace { also, ..InPlace::default() };
        let edit = Roll { adds: files.adds, whole, base, tried: AtomicBool::new(false) };
        let change =
            Change { target: &target, edit: &edit, idempotency: &idempotency, run: None, in_place: Some(&in_place) };
        let outcome = match self.apply(&change).await? {
            CommitOutcome::Committed { version } if !edit.tried.load(Ordering::Relaxed) => {
                CommitOutcome::AlreadyCommitted { version }
            }
            other => other,
        };
        Ok(RolledCommit { outcome, rows: written })
    }
}

/// A commit of a rollup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RolledCommit {
    pub(crate) outcome: CommitOutcome,
    /// Rows that were written for it.
    pub(crate) rows: u64,
}
