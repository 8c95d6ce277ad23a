//! What a long log tells of past loads, put down beside it, so that no process has to read the log from its beginning.
//!
//! It is told from commits alone, which never change: it may be lost, and processes may write it at the same time.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use xiangyun_engine::Result;
use xiangyun_engine::catalog::TableLog;
use xiangyun_engine::storage::StorageError;

use super::error::CommitError;
use super::keys::PushedKeys;
use super::past::{PastLoad, PastLoads};
use crate::source::hex;

/// Commits from one digest to the next.
pub(super) const EVERY: u64 = 1000;
/// Within the table's folder. It goes with the table, and readers of Delta tables pass over what begins so.
const FOLDER: &str = "_xiangyun";
const SUFFIX: &str = ".loads.zst";
/// Digests that remain: somebody may be about to read the one before.
const KEPT: usize = 2;
const LEVEL: i32 = 3;

/// All loads up to a version.
#[derive(Deserialize)]
pub(super) struct Digest {
    /// SHA-256 of the last commit that it tells of: a table that was begun anew is another one.
    commit: String,
    loads: Vec<PastLoad>,
    keys: PushedKeys,
}

/// A [`Digest`] as it is written.
#[derive(Serialize)]
struct Written<'a> {
    commit: String,
    loads: &'a [PastLoad],
    keys: &'a PushedKeys,
}

impl Digest {
    /// The newest digest of this log that can be read and is right; the log tells the same without it.
    pub(super) async fn newest(log: &TableLog) -> Option<PastLoads> {
        let found = match list(log).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(table.name = log.label(), error = %error.chain(), "no digest of the loads was found");
                return None;
            }
        };
        for (version, path) in found.into_iter().rev() {
            match read(log, version, &path).await {
                Ok(Some(past)) => return Some(past),
                Ok(None) => {}
                Err(error) => {
                    let error = error.chain();
                    tracing::warn!(table.name = log.label(), %path, error, "a digest of the loads was passed over");
                }
            }
        }
        None
    }

    /// Puts down what is known up to `version`.
    pub(super) async fn write(log: &TableLog, loads: &[PastLoad], keys: &PushedKeys, version: u64) -> Result<()> {
        let commit = hex(&Sha256::digest(log.read_commit(version).await?));
        let failed = |source| CommitError::Digest { table: log.label().into(), source };
        let text = serde_json::to_vec(&Written { commit, loads, keys });
        let text = text.map_err(|error| failed(error.into()))?;
        let bytes = zstd::encode_all(text.as_slice(), LEVEL).map_err(|error| failed(error.into()))?;
        let store = &log.storage().store;
        let path = log.path().clone().join(FOLDER).join(format!("{version:020}{SUFFIX}"));
        store.put(&path, bytes.into()).await.map_err(|error| explain(log, "writing", error))?;
        let found = list(log).await?;
        let surplus = found.len().saturating_sub(KEPT);
        for (_, path) in found.into_iter().take(surplus) {
            match store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(explain(log, "removing", error).into()),
            }
        }
        Ok(())
    }
}

/// The digests, oldest first.
async fn list(log: &TableLog) -> Result<Vec<(u64, Path)>> {
    let listed = log.storage().store.list(Some(&log.path().clone().join(FOLDER)));
    let listed: Vec<_> = listed.try_collect().await.map_err(|error| explain(log, "listing", error))?;
    let mut found: Vec<(u64, Path)> = listed
        .into_iter()
        .filter_map(|object| {
            let version = object.location.filename()?.strip_suffix(SUFFIX)?.parse().ok()?;
            Some((version, object.location))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// None where it tells of another log.
async fn read(log: &TableLog, version: u64, path: &Path) -> Result<Option<PastLoads>> {
    let since = log.list(version.checked_sub(1)).await?;
    let read = async { log.storage().store.get(path).await?.bytes().await };
    let bytes = read.await.map_err(|error| explain(log, "reading", error))?;
    let failed = |source| CommitError::Digest { table: log.label().into(), source };
    let text = zstd::decode_all(bytes.as_ref()).map_err(|error| failed(error.into()))?;
    let Digest { commit, loads, keys } = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let is_of_log = match since.versions().next() {
        Some(first) if first == version => hex(&Sha256::digest(log.read_commit(version).await?)) == commit,
        // Another tool has cleaned the log up, and later commits are there.
        first => first.is_some(),
    };
    Ok(is_of_log.then(|| PastLoads::of_digest(loads, keys, version)))
}

fn explain(log: &TableLog, verb: &str, error: object_store::Error) -> StorageError {
    let action = format!("{verb} what is known of the loads of `{}`", log.label());
    StorageError::explain(action, &log.storage().url, error)
}
