//! What a commit does to a table. The committer asks for the actions anew for each attempt, against the version that
//! the attempt builds on: an edit that was overtaken by another writer is worked out again and never replayed blindly.

mod append;
mod replace;

use std::fmt::Debug;

use async_trait::async_trait;
use deltalake::kernel::Action;
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;

pub(super) use append::Append;
pub(super) use replace::Replace;

use super::target::Target;

/// A change of a table's rows.
#[async_trait]
pub(super) trait Edit: Debug + Send + Sync {
    /// The files that the change adds and removes in the version that `state` is at; `None` where the table does not
    /// exist. Files that it writes on the way are orphans when the attempt is overtaken.
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>>;

    /// What the log calls it.
    fn operation(&self, target: &Target) -> DeltaOperation;
}
