//! Small files of a partition become files of the target size.

use xiangyun_engine::Result;

use super::Maintenance;
use crate::commit::{Committer, Compacted, Pick, Small, Subject};

/// Rounds in which groups that another writer was faster with are tried again.
const ROUNDS: usize = 3;

/// What became of a table's small files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optimized {
    /// The table, or the path of one of the lake's own logs.
    pub table: String,
    /// Sums over all rounds; `overtaken` is what was left in the end.
    pub done: Compacted,
}

impl Maintenance {
    /// The groups of small files that [`Self::optimize`] would put together.
    pub async fn small_files(&self, subject: &Subject, pick: Pick) -> Result<Vec<Small>> {
        self.committer.small_files(subject, pick).await
    }

    /// Puts small files together. Readers keep the version that they have; appends go on meanwhile.
    ///
    /// # Errors
    /// Of the storage, and `Unsupported` for tables whose files are not the whole truth. Writers that are faster are no
    /// error: their files are left as they made them.
    pub async fn optimize(&self, subject: &Subject, pick: Pick) -> Result<Optimized> {
        optimize(&self.committer, subject, pick).await
    }
}

pub(super) async fn optimize(committer: &Committer, subject: &Subject, pick: Pick) -> Result<Optimized> {
    let mut done = Compacted::default();
    for _ in 0..ROUNDS {
        let round = committer.compact(subject, pick).await?;
        done.version = round.version.or(done.version);
        done.files_removed += round.files_removed;
        done.files_added += round.files_added;
        done.bytes_removed += round.bytes_removed;
        done.bytes_added += round.bytes_added;
        done.overtaken = round.overtaken;
        if round.overtaken == 0 {
            break;
        }
    }
    Ok(Optimized { table: subject.label(), done })
}
