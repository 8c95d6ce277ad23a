//! What a commit does to a table. The committer asks for the actions anew for each attempt, against the version that
//! the attempt builds on: an edit that was overtaken by another writer is worked out again and never replayed blindly.

mod append;
mod compact;
mod counts;
mod desk;
mod history;
mod keyed;
mod replace;
mod restore;
mod taken;

use std::fmt::Debug;

use async_trait::async_trait;
use deltalake::kernel::Action;
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::RunRecord;

pub(super) use append::{Append, AppendInPlace};
pub(super) use compact::{Compact, Rewritten};
pub(super) use counts::LastCounts;
pub(super) use desk::{Desk, list, runtime};
pub(super) use history::History;
pub(super) use keyed::{Keyed, Match};
pub(super) use replace::Replace;
pub(super) use restore::Restore;
pub use taken::TakenOut;

use super::target::Target;

/// A change of a table's rows.
#[async_trait]
pub(super) trait Edit: Debug + Send + Sync {
    /// The files that the change adds and removes in the version that `state` is at; `None` where the table does not
    /// exist. Files that it writes on the way are orphans when the attempt is overtaken.
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>>;

    /// What the log calls it.
    fn operation(&self, target: &Target) -> DeltaOperation;

    /// Whether the files that it adds are new, and not those of an earlier version that a vacuum has kept for it.
    fn writes_files(&self) -> bool {
        true
    }

    /// Enters into the run's record what the last call of [`Self::actions`] did beyond adding the run's rows. It is
    /// given the record as it was before the edit.
    fn enter(&self, _run: &mut RunRecord) {}
}
