//! What keeps a commit from naming a file that a vacuum has removed, however long its load took.
//!
//! A vacuum says in the table's own log, before it removes anything, that every file written before a moment may be gone
//! unless a version has it. A commit is worked out against the newest version and is refused by the log where another
//! came in between; so a commit that has not seen the vacuum cannot stand, and one that has looks whether its files are
//! older than that moment. No clock, lease or sign of life is relied on: a process that slept for a week is told too.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use deltalake::kernel::{Action, MetadataExt};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use xiangyun_engine::Result;
use xiangyun_engine::catalog::TableLog;
use xiangyun_engine::storage::StorageError;

use super::committer::{Change, Committer, Idempotency};
use super::compaction::Subject;
use super::edit::Edit;
use super::error::{CommitError, refused};
use super::target::Target;

/// Property of a table: files that were written before may be gone. RFC 3339, by the store's clock.
const VACUUMED_BEFORE: &str = "xiangyun.vacuumedBefore";

/// The clocks of a writer and of the store may differ by this much. Files that are younger by more are not looked for.
const CLOCKS: TimeDelta = TimeDelta::hours(1);
/// Files that are looked for at a time.
const AHEAD: usize = 16;

/// The vacuum's announcement, a commit without files.
#[derive(Debug)]
struct Fence {
    cutoff: DateTime<Utc>,
}

#[async_trait]
impl Edit for Fence {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        // What an earlier vacuum with a shorter retention has announced stays true.
        let Some(state) = state.filter(|state| vacuumed_before(state) < Some(self.cutoff)) else {
            return Ok(Vec::new());
        };
        let value = self.cutoff.to_rfc3339_opts(SecondsFormat::Millis, true);
        let metadata = state.metadata().clone().add_config_key(VACUUMED_BEFORE.into(), value);
        Ok(vec![Action::Metadata(metadata.map_err(|error| refused(target, error.into()))?)])
    }

    fn operation(&self, _target: &Target) -> DeltaOperation {
        let value = self.cutoff.to_rfc3339_opts(SecondsFormat::Millis, true);
        DeltaOperation::SetTableProperties { properties: [(VACUUMED_BEFORE.to_owned(), value)].into() }
    }
}

impl Committer {
    /// Announces that files of `subject` written before `cutoff` (in whole milliseconds) are about to be removed where no
    /// version has them. Once this has returned, no commit that names one can be made.
    pub(crate) async fn fence(&self, subject: &Subject, cutoff: DateTime<Utc>) -> Result<()> {
        let target = subject.target(self);
        let Some(state) = self.state(&target).await? else { return Ok(()) };
        if vacuumed_before(&state) >= Some(cutoff) {
            return Ok(());
        }
        let target = target.as_logged(&state);
        let idempotency = Idempotency { app_id: "xiangyun/vacuum".into(), version: cutoff.timestamp_millis() };
        let edit = Fence { cutoff };
        let change = Change { target: &target, edit: &edit, idempotency: &idempotency, run: None, in_place: None };
        self.apply(&change).await.map(drop)
    }
}

/// Refuses `actions` where one adds a file that a vacuum, as `state` tells of it, may have removed.
pub(super) async fn check(target: &Target, state: Option<&DeltaTableState>, actions: &[Action]) -> Result<()> {
    let Some(cutoff) = state.and_then(vacuumed_before) else { return Ok(()) };
    let doubtful = (cutoff + CLOCKS).timestamp_millis();
    let added = actions.iter().filter_map(|action| match action {
        Action::Add(add) if add.modification_time < doubtful => Some(&add.path),
        _ => None,
    });
    let added: Vec<&String> = added.collect();
    let paths = added.iter().map(|path| below(target.log.path(), path)).collect();
    let found = stored(&target.log, paths).await?;
    let is_safe = |file: &Option<ObjectMeta>| file.as_ref().is_some_and(|file| file.last_modified >= cutoff);
    match added.iter().zip(&found).find(|(_, file)| !is_safe(file)) {
        Some((file, _)) => {
            let (table, file) = (target.label().to_owned(), (*file).clone());
            Err(CommitError::Vacuumed { table, file, before: cutoff }.into())
        }
        None => Ok(()),
    }
}

fn vacuumed_before(state: &DeltaTableState) -> Option<DateTime<Utc>> {
    let value = state.metadata().configuration().get(VACUUMED_BEFORE)?;
    DateTime::parse_from_rfc3339(value).ok().map(|at| at.to_utc())
}

/// Where the file is that the log calls `relative`: found as the log's own reader finds it.
pub(crate) fn below(table: &Path, relative: &str) -> Path {
    let relative = Path::parse(relative).unwrap_or_else(|_| Path::from(relative));
    relative.parts().fold(table.clone(), |path, part| path.join(part))
}

/// What the store says of each of `paths`; none of those that it does not have.
pub(super) async fn stored(log: &TableLog, paths: Vec<Path>) -> Result<Vec<Option<ObjectMeta>>> {
    let storage = log.storage();
    let look = |path: Path| {
        async move {
            match storage.store.head(&path).await {
                Ok(found) => Ok(Some(found)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => {
                    let action = format!("looking for the files of `{}`", log.label());
                    Err(xiangyun_engine::Error::from(StorageError::explain(action, &storage.url, error)))
                }
            }
        }
        .boxed()
    };
    let looks: Vec<_> = paths.into_iter().map(look).collect();
    futures::stream::iter(looks).buffered(AHEAD).try_collect().await
}
