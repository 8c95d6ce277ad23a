//! One table's Delta log: found, checked, replayed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::table::state::DeltaTableState;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;

use super::error::CatalogError;
use super::table_name::TableName;
use crate::error::Result;
use crate::storage::{Storage, StorageError};

/// Folder of a table's log.
const LOG_FOLDER: &str = "_delta_log";

/// Folder of the logs that Xiangyun keeps for itself. No table's schema can be called so.
const INTERNAL: &str = "_xiangyun";

/// Folder of rollups in there.
const ROLLUPS: &str = "rollups";

/// Commits that a state is brought forward by before it is loaded anew: several checkpoints.
const WORN_AFTER: u64 = 500;

/// A table's Delta log. The committer in `ingest` opens logs through it too, so that what readers refuse to read,
/// writers refuse to extend.
#[derive(Clone)]
pub struct TableLog {
    label: String,
    path: Path,
    storage: Storage,
    /// The log's folder, where this machine has it.
    local_folder: Option<PathBuf>,
    log_store: LogStoreRef,
}

impl fmt::Debug for TableLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableLog").field("label", &self.label).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The commit files of a log, by version.
#[derive(Debug, Clone, Default)]
pub struct LogListing {
    commits: BTreeMap<u64, Path>,
}

impl LogListing {
    /// The newest version, where there is any.
    pub fn latest(&self) -> Option<u64> {
        self.commits.keys().next_back().copied()
    }

    /// The versions, oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.commits.keys().copied()
    }
}

/// The hint beside the log that names its last checkpoint.
#[derive(Deserialize)]
struct LastCheckpoint {
    version: u64,
}

impl TableLog {
    /// The log of a table.
    pub fn of_table(storage: &Storage, name: &TableName) -> Self {
        Self::at(storage, name.to_string(), storage.table_path(name))
    }

    /// The log of one of Xiangyun's own tables: `quarantine` or `runs`.
    pub fn internal(storage: &Storage, name: &str) -> Self {
        let path = storage.root.clone().join(INTERNAL).join(name);
        Self::at(storage, format!("{INTERNAL}/{name}"), path)
    }

    /// The log of a rollup's table.
    pub fn of_rollup(storage: &Storage, name: &str) -> Self {
        let path = storage.root.clone().join(INTERNAL).join(ROLLUPS).join(name);
        Self::at(storage, format!("{INTERNAL}/{ROLLUPS}/{name}"), path)
    }

    fn at(storage: &Storage, label: String, path: Path) -> Self {
        let prefixed: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(storage.store.clone(), path.clone()));
        let url = storage.url_of(&path);
        let log_store = default_logstore(prefixed, storage.store.clone(), &url, &StorageConfig::default());
        let local_folder = url.to_file_path().ok().map(|table| table.join(LOG_FOLDER));
        Self { label, path, storage: storage.clone(), local_folder, log_store }
    }

    /// The table's name, or the internal log's path, for messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The table's folder within the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// deltalake's view of the log.
    pub fn log_store(&self) -> &LogStoreRef {
        &self.log_store
    }

    /// The storage it lies in.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    fn folder(&self) -> Path {
        self.path.clone().join(LOG_FOLDER)
    }

    /// The commit files newer than `after` (all of them for `None`).
    ///
    /// # Errors
    /// [`CatalogError::CorruptedLog`] for a commit file without content: what a power loss leaves of a write that was
    /// not synced. Reading on would silently leave out its rows.
    pub async fn list(&self, after: Option<u64>) -> Result<LogListing> {
        let folder = self.folder();
        let stream = match after {
            Some(version) => {
                self.storage.store.list_with_offset(Some(&folder), &folder.clone().join(file_name(version)))
            }
            None => self.storage.store.list(Some(&folder)),
        };
        let files: Vec<_> = stream.try_collect().await.map_err(|error| self.storage_error("listing", error))?;
        let mut commits = BTreeMap::new();
        for file in files {
            let Some(version) = file.location.filename().and_then(commit_version) else { continue };
            if after.is_some_and(|after| version <= after)
                || file.location.parts().count() != folder.parts().count() + 1
            {
                continue;
            }
            if file.size == 0 {
                return Err(self.corrupted(version, "is empty").into());
            }
            commits.insert(version, file.location);
        }
        Ok(LogListing { commits })
    }

    /// The newest version, or `None` where nothing was ever committed. What is listed does not grow with the log: it is
    /// what came since the last checkpoint.
    pub async fn latest(&self) -> Result<Option<u64>> {
        if let Some(checkpoint) = self.last_checkpoint().await {
            // The checkpoint's own commit is among them, and proves that the hint is of this log.
            let since = self.list(checkpoint.version.checked_sub(1)).await?;
            if since.versions().next() == Some(checkpoint.version) {
                return Ok(since.latest());
            }
        }
        Ok(self.list(None).await?.latest())
    }

    /// Whether `version` was committed, as far as one request tells that lists nothing. Where it fails, listing will say why.
    pub(crate) async fn may_have(&self, version: u64) -> bool {
        if self.lacks(version) {
            return false;
        }
        let found = self.storage.store.head(&self.folder().join(file_name(version))).await;
        !matches!(found, Err(object_store::Error::NotFound { .. }))
    }

    /// Whether `version` was surely not committed, as far as a look at a local folder tells; of any other store nothing is
    /// told. To look a name up takes a microsecond, and to let another thread do it ten times that: nobody has to wait for it,
    /// nor to share it.
    pub(crate) fn lacks(&self, version: u64) -> bool {
        let commit = self.local_folder.as_ref().map(|folder| folder.join(file_name(version)));
        commit.is_some_and(|commit| matches!(commit.try_exists(), Ok(false)))
    }

    /// What deltalake noted of the last checkpoint. A hint that is missing, broken or out of reach is none.
    async fn last_checkpoint(&self) -> Option<LastCheckpoint> {
        let path = self.folder().join("_last_checkpoint");
        let bytes = self.storage.store.get(&path).await.ok()?.bytes().await.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The newest state, or `None` where nothing was ever committed.
    pub async fn load(&self) -> Result<Option<DeltaTableState>> {
        let Some(latest) = self.latest().await? else { return Ok(None) };
        let loaded = DeltaTableState::try_new(self.log_store.as_ref(), Some(latest)).await;
        match loaded {
            Ok(state) => Ok(Some(state)),
            Err(error) => Err(self.diagnose(None, error.into()).await),
        }
    }

    /// The state that the table was in at `version`.
    ///
    /// # Errors
    /// [`CatalogError::NoVersion`] where the log has no such version.
    pub async fn load_version(&self, version: u64) -> Result<DeltaTableState> {
        let listing = self.list(None).await?;
        let first = listing.versions().next();
        let (Some(oldest), Some(newest)) = (first, listing.latest()) else {
            return Err(CatalogError::NoVersion { table: self.label.clone(), version, range: "none".into() }.into());
        };
        if !(oldest..=newest).contains(&version) {
            let range = format!("{oldest} to {newest}");
            return Err(CatalogError::NoVersion { table: self.label.clone(), version, range }.into());
        }
        match DeltaTableState::try_new(self.log_store.as_ref(), Some(version)).await {
            Ok(state) => Ok(state),
            Err(error) => Err(self.diagnose(None, error.into()).await),
        }
    }

    /// Whether a state that was brought from version `from` to `to` should be loaded anew. deltalake lists the log from the
    /// checkpoint on that a state was first loaded from, so that one that is kept for years would list all of it for each
    /// commit.
    pub fn is_worn(from: u64, to: u64) -> bool {
        (from + 1) / WORN_AFTER != (to + 1) / WORN_AFTER
    }

    /// Brings `state` up to the newest commit; one list request where there is none.
    pub async fn refresh(&self, state: &mut DeltaTableState) -> Result<()> {
        let known = state.version();
        let Some(latest) = self.list(Some(known)).await?.latest() else { return Ok(()) };
        let updated = if Self::is_worn(known, latest) {
            DeltaTableState::try_new(self.log_store.as_ref(), Some(latest)).await.map(|new| *state = new)
        } else {
            state.update(self.log_store.as_ref(), Some(latest)).await
        };
        match updated {
            Ok(()) => Ok(()),
            Err(error) => Err(self.diagnose(Some(known), error.into()).await),
        }
    }

    /// The content of a commit file.
    pub async fn read_commit(&self, version: u64) -> Result<Bytes> {
        let path = self.folder().join(file_name(version));
        let read = async { self.storage.store.get(&path).await?.bytes().await };
        Ok(read.await.map_err(|error| self.storage_error("reading", error))?)
    }

    /// The error for a log that did not load: the storage's, or the first commit file after `known` that is no list
    /// of JSON objects, or whatever deltalake said.
    async fn diagnose(&self, known: Option<u64>, source: crate::error::BoxError) -> crate::Error {
        if StorageError::is_cause_of(source.as_ref()) {
            return self.storage_error("reading", source).into();
        }
        let Ok(listing) = self.list(known).await else {
            return CatalogError::Unreadable { table: self.label.clone(), source }.into();
        };
        for version in listing.versions() {
            let Ok(bytes) = self.read_commit(version).await else { continue };
            if let Err(reason) = check_commit(&bytes) {
                return self.corrupted(version, &reason).into();
            }
        }
        CatalogError::Unreadable { table: self.label.clone(), source }.into()
    }

    pub(super) fn corrupted(&self, version: u64, reason: &str) -> CatalogError {
        CatalogError::CorruptedLog {
            table: self.label.clone(),
            file: format!("_delta_log/{}", file_name(version)),
            reason: reason.into(),
        }
    }

    fn storage_error(&self, verb: &str, source: impl Into<crate::error::BoxError>) -> StorageError {
        StorageError::explain(format!("{verb} the log of `{}`", self.label), &self.storage.url, source)
    }
}

fn file_name(version: u64) -> String {
    format!("{version:020}.json")
}

fn commit_version(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// Whether every line is a JSON object.
fn check_commit(bytes: &[u8]) -> Result<(), String> {
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Err(error) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) {
            return Err(format!("is no JSON at line {}: {error}", index + 1));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_commit_files_have_a_version() {
        assert_eq!(commit_version("00000000000000000012.json"), Some(12));
        for other in ["00000000000000000012.checkpoint.parquet", "12.json", "_last_checkpoint", "x.json"] {
            assert_eq!(commit_version(other), None, "{other}");
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        assert_eq!(check_commit(b"{\"a\":1}\n{\"b\":2}\n"), Ok(()));
        let reason = check_commit(b"{\"a\":1}\n{\"b\"").unwrap_err();
        assert!(reason.starts_with("is no JSON at line 2"), "{reason}");
    }
}
