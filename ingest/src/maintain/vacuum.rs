//! Removes files that no version within the retention needs: those that were taken out of the table before, and those of
//! runs that died before their commit.
//!
//! What a file is needed by is read from the log, and how old it is from the store. A file that is younger than the
//! retention is never removed: the load that wrote it may still commit it. A load that takes longer than that cannot
//! commit what was removed under it: before the first file goes, the vacuum says so in the table's log, and
//! [`crate::commit`] refuses files that are as old. Of the log nothing is removed.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deltalake::kernel::Action;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use serde::Deserialize;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{TableFiles, TableLog};
use xiangyun_engine::storage::StorageError;

use super::{MaintainError, Maintenance, Subject};
use crate::commit::below;

/// How long files are kept unless something else is said.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// A load that takes no longer than this is not disturbed by any vacuum; one that does may have to run again.
pub const LEAST_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// Clocks of writers may differ by this much.
const CLOCKS: TimeDelta = TimeDelta::hours(1);
/// Files that the store is asked to remove at a time.
const BATCH: usize = 1000;

/// A file that no version within the retention needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Within the table's folder.
    pub path: String,
    /// Bytes.
    pub size_bytes: u64,
    /// When it was written, by the store.
    pub written_at: DateTime<Utc>,
}

/// What a vacuum would remove, or has removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vacuum {
    /// The table, or the path of one of the lake's own logs.
    pub table: String,
    /// The oldest version whose files are all kept.
    pub oldest_kept: u64,
    /// The files.
    pub files: Vec<Stale>,
}

impl Vacuum {
    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

impl Maintenance {
    /// What a vacuum that keeps everything of the last `retention` would remove; `None` where the table does not exist.
    ///
    /// # Errors
    /// [`MaintainError::Retention`] for less than [`LEAST_RETENTION`], and [`MaintainError::Held`] where that is
    /// `allow_unsafe` and a process holds a lease.
    pub async fn plan_vacuum(
        &self,
        subject: &Subject,
        retention: Duration,
        allow_unsafe: bool,
    ) -> Result<Option<Vacuum>> {
        self.check_retention(retention, allow_unsafe).await?;
        self.plan_before(subject, self.cutoff(retention)).await
    }

    /// Removes the files of a plan that was made just now. Gives those that were removed.
    ///
    /// # Errors
    /// As [`Self::plan_vacuum`]; [`MaintainError::Elsewhere`] where another process removes or restores files. What was
    /// removed until then is gone, and nothing else.
    pub async fn vacuum(
        &self,
        subject: &Subject,
        retention: Duration,
        allow_unsafe: bool,
        plan: &Vacuum,
    ) -> Result<Vacuum> {
        let elsewhere = || MaintainError::Elsewhere { table: subject.label() };
        self.check_retention(retention, allow_unsafe).await?;
        let name = format!("maintain.{}", subject.label().replace('/', "."));
        let lease = self.leases().try_take(&name).await?.ok_or_else(elsewhere)?;
        let lost = || MaintainError::LeaseLost { table: plan.table.clone() }.into();
        let removed = lease.while_held(self.remove(subject, retention, plan)).await;
        let removed = removed.unwrap_or_else(|| Err(lost()));
        if let Err(error) = lease.give_back().await {
            tracing::warn!(table.name = plan.table, error = %error.chain(), "the lease was not given back; it expires");
        }
        removed
    }

    async fn remove(&self, subject: &Subject, retention: Duration, plan: &Vacuum) -> Result<Vacuum> {
        if plan.files.is_empty() {
            return Ok(plan.clone());
        }
        let cutoff = self.cutoff(retention);
        self.committer.fence(subject, cutoff).await?;
        // Since the plan was shown a version may have come that needs some of its files. After the fence none can.
        let again = self.plan_before(subject, cutoff).await?;
        let still: HashSet<&str> = again.iter().flat_map(|again| &again.files).map(|file| file.path.as_str()).collect();
        let files: Vec<Stale> = plan.files.iter().filter(|file| still.contains(file.path.as_str())).cloned().collect();
        let log = subject.log(self.engine.storage());
        let storage = self.engine.storage();
        for batch in files.chunks(BATCH) {
            let paths: Vec<_> = batch.iter().map(|file| Ok(below(log.path(), &file.path))).collect();
            let mut removing = storage.store.delete_stream(futures::stream::iter(paths).boxed());
            while let Some(removed) = removing.next().await {
                match removed {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => {
                        let action = format!("removing files of `{}`", plan.table);
                        return Err(StorageError::explain(action, &storage.url, error).into());
                    }
                }
            }
        }
        tracing::info!(table.name = plan.table, files = files.len(), "files that no version needs were removed");
        Ok(Vacuum { files, ..plan.clone() })
    }

    /// The end of the retention, in whole milliseconds.
    fn cutoff(&self, retention: Duration) -> DateTime<Utc> {
        let retention = TimeDelta::from_std(retention).ok();
        let cutoff = retention.and_then(|retention| self.engine.clock().now().checked_sub_signed(retention));
        let millis = cutoff.and_then(|cutoff| DateTime::from_timestamp_millis(cutoff.timestamp_millis()));
        millis.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    async fn plan_before(&self, subject: &Subject, cutoff: DateTime<Utc>) -> Result<Option<Vacuum>> {
        let log = subject.log(self.engine.storage());
        let Some(needed) = Needed::read(&log, cutoff).await? else {
            return Ok(None);
        };
        let files = needed.others(&log).await?;
        Ok(Some(Vacuum { table: log.label().to_owned(), oldest_kept: needed.oldest, files }))
    }

    async fn check_retention(&self, retention: Duration, allow_unsafe: bool) -> Result<()> {
        if retention >= LEAST_RETENTION {
            return Ok(());
        }
        if !allow_unsafe {
            return Err(MaintainError::Retention { seconds: retention.as_secs() }.into());
        }
        match self.leases().any_held().await? {
            Some((lease, holder)) => Err(MaintainError::Held { lease, holder }.into()),
            None => Ok(()),
        }
    }
}

/// What the versions from the retention on need.
struct Needed {
    cutoff: DateTime<Utc>,
    oldest: u64,
    files: HashSet<Path>,
}

impl Needed {
    /// The files of the version that the table was at `cutoff`, and all that came since.
    async fn read(log: &TableLog, cutoff: DateTime<Utc>) -> Result<Option<Self>> {
        let versions: Vec<u64> = log.list(None).await?.versions().collect();
        let (Some(first), Some(latest)) = (versions.first().copied(), versions.last().copied()) else {
            return Ok(None);
        };
        let (mut oldest, mut added) = (latest, Vec::new());
        for version in versions.iter().rev() {
            let commit = Commit::read(log, *version).await?;
            // A commit that does not say when it was made counts as young.
            if commit.made_at.is_some_and(|at| at < cutoff - CLOCKS) {
                break;
            }
            added.extend(commit.added.into_iter().map(|path| (*version, path)));
            if commit.made_at.is_none_or(|at| at > cutoff) {
                oldest = version.saturating_sub(1).max(first);
            }
        }
        let state = log.load_version(oldest).await?;
        // Refuses tables with files that the list does not show.
        let schema = state.snapshot().arrow_schema();
        TableFiles::try_new(log, &state, &schema)?;
        let data = state.snapshot().try_log_data().map_err(|source| failed(log, source))?;
        let since = added.iter().filter(|(version, _)| *version > oldest).map(|(_, path)| below(log.path(), path));
        let files = data.iter().map(|file| below(log.path(), &file.path())).chain(since).collect();
        Ok(Some(Self { cutoff, oldest, files }))
    }

    /// The data files below the table's folder that are none of these and older than the retention.
    async fn others(&self, log: &TableLog) -> Result<Vec<Stale>> {
        let storage = log.storage();
        let explain = |error| {
            let action = format!("listing the files of `{}`", log.label());
            StorageError::explain(action, &storage.url, error)
        };
        let mut listed = storage.store.list(Some(log.path()));
        let mut stale = Vec::new();
        while let Some(object) = listed.try_next().await.map_err(explain)? {
            let Some(path) = data_file(log.path(), &object.location) else { continue };
            if object.last_modified < self.cutoff && !self.files.contains(&object.location) {
                stale.push(Stale { path, size_bytes: object.size, written_at: object.last_modified });
            }
        }
        stale.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(stale)
    }
}

/// The path within the table of a Parquet file that is no part of the log or of another hidden folder.
fn data_file(table: &Path, location: &Path) -> Option<String> {
    let parts: Vec<String> = location.prefix_match(table)?.map(|part| part.as_ref().to_owned()).collect();
    let hidden = parts.iter().any(|part| part.starts_with(['_', '.']));
    let is_data = parts.last().is_some_and(|name| name.ends_with(".parquet"));
    (!hidden && is_data).then(|| parts.join("/"))
}

fn failed(log: &TableLog, source: impl Into<xiangyun_engine::error::BoxError>) -> MaintainError {
    MaintainError::Log { table: log.label().to_owned(), source: source.into() }
}

/// What a vacuum asks of a commit.
#[derive(Debug, Default)]
struct Commit {
    made_at: Option<DateTime<Utc>>,
    added: Vec<String>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "commitInfo")]
    commit_info: Option<Times>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    in_commit_timestamp: Option<i64>,
    timestamp: Option<i64>,
}

impl Commit {
    async fn read(log: &TableLog, version: u64) -> Result<Self> {
        let bytes = log.read_commit(version).await?;
        let mut commit = Self::default();
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)) {
            let info: Info = serde_json::from_slice(line).map_err(|source| failed(log, source))?;
            if let Some(times) = info.commit_info {
                let millis = times.in_commit_timestamp.or(times.timestamp);
                commit.made_at = millis.and_then(DateTime::from_timestamp_millis);
                continue;
            }
            // An action that is not understood may be a file that is needed.
            if let Action::Add(add) = serde_json::from_slice(line).map_err(|source| failed(log, source))? {
                if add.path.starts_with('/') || add.path.contains("://") {
                    return Err(MaintainError::WholeAddress { table: log.label().to_owned(), path: add.path }.into());
                }
                commit.added.push(add.path);
            }
        }
        Ok(commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_files_of_the_table_are_looked_at() {
        let table = Path::from("lake/market/trades");
        let find = |path: &str| data_file(&table, &Path::parse(path).unwrap_or_default());
        assert_eq!(find("lake/market/trades/part-1.parquet").as_deref(), Some("part-1.parquet"));
        assert_eq!(find("lake/market/trades/y=2019/part-1.parquet").as_deref(), Some("y=2019/part-1.parquet"));
        for other in [
            "lake/market/trades/_delta_log/00000000000000000019.checkpoint.parquet",
            "lake/market/trades/_change_data/x.parquet",
            "lake/market/trades/deletion_vector_1.bin",
            "lake/market/trades2/part-1.parquet",
            "lake/market/part-1.parquet",
        ] {
            assert_eq!(find(other), None, "{other}");
        }
    }
}
