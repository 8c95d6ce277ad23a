//! Who is told of runs: a webhook of those that failed, a lineage server of all.

mod open_lineage;
mod outbox;
mod webhook;

use std::fmt::Debug;

use xiangyun_engine::catalog::RunRecord;

pub use open_lineage::OpenLineage;
pub use outbox::Outbox;
pub use webhook::FailureWebhook;

/// Is told of every run, by whatever door it came. Called on the run's own task, so it must not block.
pub trait RunObserver: Debug + Send + Sync {
    /// A run begins; it has no counts yet.
    fn started(&self, run: &RunRecord);
    /// A run ended, with whatever end.
    fn ended(&self, run: &RunRecord);
}
