//! Processes of one machine take turns at a table. A commit that is worked out while another process makes one is worked
//! out in vain, and where many do so most of their work is. Nothing rests on a turn: what lets one commit only take a
//! version is the store's conditional put.

use std::fs::{self, File, OpenOptions};
use std::time::Duration;

use xiangyun_engine::storage::Storage;

/// How often a turn is asked for.
const POLL: Duration = Duration::from_millis(3);
/// Whoever waited so long goes on without a turn: the process whose it is may be asleep.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process's turn at one table; over when it is dropped, or when the process ends.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: Option<File>,
}

impl Turn {
    /// Waits for the turn at the table called `label`. Processes of other machines, which share an object store and no
    /// files, have a queue of their own.
    pub(super) async fn wait(storage: &Storage, label: &str) -> Self {
        let Some(lock) = open(storage, label) else { return Self { _lock: None } };
        let given_up = tokio::time::Instant::now() + PATIENCE;
        while lock.try_lock().is_err() {
            if tokio::time::Instant::now() >= given_up {
                return Self { _lock: None };
            }
            tokio::time::sleep(POLL).await;
        }
        Self { _lock: Some(lock) }
    }
}

/// The file that is locked; none where it cannot be made, which the commit itself will explain.
fn open(storage: &Storage, label: &str) -> Option<File> {
    let folder = storage.turns.as_ref()?;
    fs::create_dir_all(folder).ok()?;
    OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(label.replace('/', "."))).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use futures::FutureExt;
    use xiangyun_engine::storage::durable::DurableFileStore;

    use super::*;

    #[tokio::test]
    async fn one_process_at_a_time_has_its_turn_at_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::local(folder.path(), DurableFileStore::new(folder.path())).unwrap();
        let first = Turn::wait(&storage, "market.people").await;
        assert!(first._lock.is_some());
        let mut second = Box::pin(Turn::wait(&storage, "market.people"));
        assert!(second.as_mut().now_or_never().is_none());
        // Another table is another queue.
        assert!(Turn::wait(&storage, "market.trades").await._lock.is_some());
        drop(first);
        assert!(second.await._lock.is_some());
    }

    #[tokio::test]
    async fn a_store_that_no_other_process_sees_has_no_queue() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = Storage::local(folder.path(), DurableFileStore::new(folder.path())).unwrap();
        storage.turns = None;
        assert!(Turn::wait(&storage, "market.people").await._lock.is_none());
    }
}
