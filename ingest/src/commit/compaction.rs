//! Small files become files of the target size, while others write to the table.
//!
//! The files are made without the table's queue, so that nobody waits for them; only the commit that names them takes
//! it. Appends and compactions never conflict: the commit is worked out against the newest version, and a group whose
//! files somebody else has taken out in between is left alone and its new files are orphans.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::kernel::LogicalFileView;
use deltalake::table::state::DeltaTableState;
use uuid::Uuid;
use xiangyun_engine::catalog::system::{quarantine_schema, queries_schema, runs_schema};
use xiangyun_engine::catalog::{TableDef, TableFiles, TableLog, TableName};
use xiangyun_engine::project::Project;
use xiangyun_engine::semantic::RollupSummary;
use xiangyun_engine::storage::Storage;
use xiangyun_engine::{ErrorKind, Result};

use super::committer::{Change, CommitOutcome, Committer, Idempotency};
use super::edit::{Compact, Desk, Rewritten, list};
use super::error::refused;
use super::partition::PartitionKey;
use super::target::Target;
use super::writer::{FileJob, WriterOptions};

/// Stored bytes that one commit replaces at the most, beyond its first group: what is lost where it is cut off.
const COMMIT_BYTES: u64 = 4 << 30;
/// Files of less than this are all of one size: opening one costs more than reading it.
const LEAST_BYTES: u64 = 64 << 10;

/// A table whose files are looked after: a declared one, or one of the lake's own logs.
#[derive(Debug, Clone)]
pub enum Subject {
    /// Declared.
    Table(Arc<TableDef>),
    /// Below `_xiangyun`.
    Log(&'static str),
    /// The table of a rollup.
    Rollup(Arc<RollupSummary>),
}

impl Subject {
    /// The lake's own logs.
    pub const LOGS: [&'static str; 3] = ["quarantine", "runs", "queries"];

    /// The table's name, or the log's path.
    pub fn label(&self) -> String {
        match self {
            Self::Table(def) => def.name.to_string(),
            Self::Log(name) => format!("_xiangyun/{name}"),
            Self::Rollup(rollup) => format!("_xiangyun/rollups/{}", rollup.name),
        }
    }

    /// The subject that [`Self::label`] calls so, among the tables of `project`.
    pub(crate) fn find(label: &str, project: &Project) -> Option<Self> {
        if let Some(log) = label.strip_prefix("_xiangyun/") {
            return Self::LOGS.into_iter().find(|known| *known == log).map(Self::Log);
        }
        let name: TableName = label.parse().ok()?;
        project.table(&name).map(|table| Self::Table(Arc::clone(&table.def)))
    }

    pub(crate) fn is_automatic(&self) -> bool {
        match self {
            Self::Table(def) => def.optimize.automatic,
            Self::Log(_) => true,
            // Its parts are merged as they come.
            Self::Rollup(_) => false,
        }
    }

    pub(crate) fn log(&self, storage: &Storage) -> TableLog {
        match self {
            Self::Table(def) => TableLog::of_table(storage, &def.name),
            Self::Log(name) => TableLog::internal(storage, name),
            Self::Rollup(rollup) => TableLog::of_rollup(storage, &rollup.name),
        }
    }

    pub(super) fn target(&self, committer: &Committer) -> Target {
        let storage = committer.storage();
        match self {
            Self::Table(def) => Target::of_table(storage, def),
            Self::Log(name) => {
                let schema = match *name {
                    "quarantine" => quarantine_schema(),
                    "queries" => queries_schema(),
                    _ => runs_schema(),
                };
                Target::internal(storage, name, schema)
            }
            Self::Rollup(rollup) => Target::rollup(storage, rollup, false),
        }
    }
}

/// Which of the small files are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Those of about one size in a partition, where there are enough: a row is written anew as often as the logarithm
    /// of the target size says, however small the files are that come.
    Tiers,
    /// All of a partition, where there are two or more.
    All,
}

/// Small files of one partition that are to become one, or several of the target size.
#[derive(Debug, Clone)]
pub struct Small {
    /// The values of the partition columns, in their order.
    pub partition: Vec<Option<String>>,
    /// Numbers among the version's files.
    pub files: Vec<usize>,
    /// Stored bytes of all of them.
    pub bytes: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The last version that it made.
    pub version: Option<u64>,
    /// Small files that are no part of the table any more.
    pub files_removed: usize,
    /// Files that hold their rows now.
    pub files_added: usize,
    /// Stored bytes of the small files.
    pub bytes_removed: u64,
    /// Stored bytes of the others.
    pub bytes_added: u64,
    /// Groups that another writer has changed in between.
    pub overtaken: usize,
}

impl Committer {
    /// The small files of `subject`'s newest version.
    pub async fn small_files(&self, subject: &Subject, pick: Pick) -> Result<Vec<Small>> {
        let target = subject.target(self);
        let Some(state) = self.state(&target).await? else { return Ok(Vec::new()) };
        let target = target.as_logged(&state);
        small_files(&target, &state, pick)
    }

    /// Puts small files together.
    pub async fn compact(&self, subject: &Subject, pick: Pick) -> Result<Compacted> {
        let target = subject.target(self);
        let mut done = Compacted::default();
        let Some(state) = self.state(&target).await? else { return Ok(done) };
        let target = target.as_logged(&state);
        let groups = small_files(&target, &state, pick)?;
        if groups.is_empty() {
            return Ok(done);
        }
        let runtime = self.runtime()?;
        let desk = Desk::open(&target, &runtime, Some(&state), None)?;
        let job = Arc::new(FileJob::new(self.storage(), target.clone(), WriterOptions::of_target(&target)));
        let (mut rewritten, mut bytes) = (Vec::new(), 0);
        for group in groups {
            bytes += group.bytes;
            rewritten.extend(rewrite(&desk, &job, group).await?);
            if bytes >= COMMIT_BYTES {
                self.put_in_place(&target, std::mem::take(&mut rewritten), &mut done).await?;
                bytes = 0;
            }
        }
        self.put_in_place(&target, rewritten, &mut done).await?;
        Ok(done)
    }

    async fn put_in_place(&self, target: &Target, groups: Vec<Rewritten>, done: &mut Compacted) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let edit = Compact::new(groups);
        // One name for all compactions: the log keeps one version of it and not one for each.
        let version = i64::try_from(Uuid::now_v7().as_u128() >> 65).unwrap_or_default();
        let idempotency = Idempotency { app_id: "xiangyun/optimize".into(), version };
        let change = Change { target, edit: &edit, idempotency: &idempotency, run: None, in_place: None };
        match self.apply(&change).await {
            Ok(CommitOutcome::Committed { version } | CommitOutcome::AlreadyCommitted { version }) => {
                done.version = Some(version);
                let (kept, overtaken) = edit.outcome();
                done.overtaken += overtaken;
                for group in kept {
                    done.files_removed += group.removed.len();
                    done.files_added += group.adds.len();
                    done.bytes_removed += group.bytes;
                    done.bytes_added += group.adds.iter().map(|add| add.size.max(0) as u64).sum::<u64>();
                }
                Ok(())
            }
            // Every group was changed by another writer: it stands as that writer made it.
            Err(error) if error.kind() == ErrorKind::Conflict && edit.outcome().0.is_empty() => {
                done.overtaken += edit.outcome().1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The files of a group, written anew; nothing where a group cannot be made smaller.
async fn rewrite(desk: &Desk<'_>, job: &Arc<FileJob>, group: Small) -> Result<Option<Rewritten>> {
    desk.hold(&group.files).await?;
    let order = job.sort_columns();
    let order = match order.is_empty() {
        true => String::new(),
        false => format!(" ORDER BY {}", list_ordered(&order)),
    };
    let rows = desk.stream(&format!("SELECT {} FROM held{order}", desk.columns())).await?;
    let target_bytes = usize::try_from(job.target.optimize.target_bytes()).unwrap_or(usize::MAX);
    let adds = job.roll(group.partition, rows, target_bytes).await?;
    let views = group.files.iter().filter_map(|number| desk.files().and_then(|files| files.view(*number)));
    let (mut removed, mut expected) = (Vec::new(), Some(0));
    for view in views {
        removed.push(view.path().into_owned());
        expected = expected.zip(view.num_records()).map(|(all, rows)| all + rows as u64);
    }
    let written = rows_of(&adds);
    // The rows must be the same ones. Files of other writers may not say how many they have.
    if expected.is_some() && expected != written {
        let reason = format!("its files hold {expected:?} rows by the log, and {written:?} were read from them");
        let table = job.target.label().to_owned();
        return Err(super::error::CommitError::Edit { table, source: reason.into() }.into());
    }
    Ok((adds.len() < removed.len()).then_some(Rewritten { removed, adds, bytes: group.bytes }))
}

fn list_ordered(columns: &[String]) -> String {
    columns
        .iter()
        .map(|name| format!("{} ASC NULLS LAST", list(std::iter::once(name.as_str()), "")))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Rows of files that this process has written.
fn rows_of(adds: &[deltalake::kernel::Add]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statistics {
        num_records: u64,
    }
    let rows = adds.iter().map(|add| serde_json::from_str::<Statistics>(add.stats.as_deref()?).ok());
    rows.map(|statistics| Some(statistics?.num_records)).sum()
}

fn small_files(target: &Target, state: &DeltaTableState, pick: Pick) -> Result<Vec<Small>> {
    // Refuses tables whose files are not the whole truth.
    let files = TableFiles::try_new(&target.log, state, &target.schema)?;
    let data = state.snapshot().try_log_data().map_err(|error| refused(target, error))?;
    let sizes = data.iter().enumerate().map(|(number, file)| {
        debug_assert_eq!(files.view(number).map(|view| view.path().into_owned()), Some(file.path().into_owned()));
        (number, partition_of(&target.partition_by, &file), file.size().max(0) as u64)
    });
    Ok(choose(sizes, target.optimize.target_bytes(), target.optimize.min_files as usize, pick))
}

/// Delta's protocol: an empty text is a missing value.
fn partition_of(columns: &[String], file: &LogicalFileView) -> PartitionKey {
    let values = file.partition_values_map();
    columns.iter().map(|name| values.get(name).cloned().flatten().filter(|value| !value.is_empty())).collect()
}

/// The groups among files given as number, partition and stored bytes. A file of half the target size is large enough.
fn choose(
    files: impl Iterator<Item = (usize, PartitionKey, u64)>,
    target_bytes: u64,
    min_files: usize,
    pick: Pick,
) -> Vec<Small> {
    let mut groups: BTreeMap<(PartitionKey, u32), Small> = BTreeMap::new();
    for (number, partition, bytes) in files.filter(|(_, _, bytes)| *bytes < target_bytes.div_ceil(2)) {
        let tier = match pick {
            Pick::Tiers => (bytes / LEAST_BYTES).checked_ilog(min_files.max(2) as u64).map_or(0, |tier| tier + 1),
            Pick::All => 0,
        };
        let group = groups.entry((partition.clone(), tier));
        let group = group.or_insert_with(|| Small { partition, files: Vec::new(), bytes: 0 });
        group.files.push(number);
        group.bytes += bytes;
    }
    let least = if pick == Pick::All { 2 } else { min_files.max(2) };
    groups.into_values().filter(|group| group.files.len() >= least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(sizes: &[(Option<&str>, u64)]) -> impl Iterator<Item = (usize, PartitionKey, u64)> {
        let files: Vec<_> = sizes.iter().map(|(key, bytes)| (vec![key.map(str::to_owned)], *bytes)).collect();
        files.into_iter().enumerate().map(|(number, (key, bytes))| (number, key, bytes))
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn small_files_of_one_partition_are_a_group() {
        let all = [(Some("a"), 10), (Some("b"), 10), (Some("a"), 2 * MIB), (None, 10), (Some("a"), 64 * MIB)];
        let groups = choose(files(&all), 128 * MIB, 8, Pick::All);
        assert_eq!(groups.len(), 1);
        assert_eq!((groups[0].files.as_slice(), groups[0].bytes), ([0, 2].as_slice(), 10 + 2 * MIB));
    }

    #[test]
    fn a_tier_waits_until_it_is_full() {
        let mut all = vec![(Some("a"), 10 * MIB)];
        all.extend([(Some("a"), 1000); 3]);
        assert!(choose(files(&all), 128 * MIB, 4, Pick::Tiers).is_empty());
        all.push((Some("a"), 60_000));
        let groups = choose(files(&all), 128 * MIB, 4, Pick::Tiers);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].files, [1, 2, 3, 4], "the large file is not written anew with each small one");
    }

    /// A thousand pushes of 10 kB: how often a byte is written, by the rule alone.
    #[test]
    fn a_byte_is_written_a_few_times_only() {
        let (mut sizes, mut written) = (Vec::new(), 0);
        for _ in 0..1000 {
            sizes.push((Some("a"), 10_000));
            while let Some(group) = choose(files(&sizes), 128 * MIB, 8, Pick::Tiers).pop() {
                written += group.bytes;
                let mut number = 0;
                sizes.retain(|_| {
                    number += 1;
                    !group.files.contains(&(number - 1))
                });
                sizes.push((Some("a"), group.bytes));
            }
        }
        assert!(sizes.len() <= 8 * 3, "{} files are left", sizes.len());
        assert!(written <= 5 * 1000 * 10_000, "{written} bytes");
    }
}
