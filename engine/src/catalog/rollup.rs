//! The tables of rollups: what each stands for, and what has come to its source since.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use deltalake::kernel::Action;
use deltalake::table::state::DeltaTableState;
use futures::{FutureExt, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::error::CatalogError;
use super::log::TableLog;
use super::snapshot::TableSnapshot;
use super::table_files::TableFiles;
use super::table_name::TableName;
use crate::error::{ErrorKind, Result};

/// Under this name the log of a rollup says, as a transaction's version, what it stands for.
const STANDS_FOR: &str = "xiangyun/rollup";
/// Commits that are looked through for added rows; where there are more, all rows are read.
const MAX_COMMITS: u64 = 256;
/// Commits that are read at a time.
const AHEAD: usize = 8;
/// Earlier versions that are looked at for files that were put together since.
const MAX_VERSIONS: usize = 8;

/// What a rollup's rows are the sums of: its definition, and a version of each of its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Tells the definition from every other.
    pub definition: [u8; 32],
    /// The tables, the model's own first.
    pub sources: Vec<SourceVersion>,
}

/// A version of a table that is no other table of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceVersion {
    /// Its name.
    pub table: TableName,
    /// The id that its log gave it.
    pub id: String,
    /// Version of its log.
    pub version: u64,
}

impl Stand {
    /// What a commit of the rollup is recorded under: application ids with their versions. The first tells the whole, so
    /// that a commit is made once, and a rollup that has it stands for this and nothing else.
    pub fn names(&self) -> Vec<(String, i64)> {
        let sources = self
            .sources
            .iter()
            .map(|source| (source_app(&source.table), i64::try_from(source.version).unwrap_or(i64::MAX)));
        std::iter::once((STANDS_FOR.to_owned(), self.mark())).chain(sources).collect()
    }

    /// 63 bits of a hash: Delta's versions are signed.
    pub(crate) fn mark(&self) -> i64 {
        let mut hash = Sha256::new();
        hash.update(self.definition);
        for SourceVersion { table, id, version } in &self.sources {
            for part in [table.to_string(), id.clone(), version.to_string()] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        let hash: [u8; 32] = hash.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        i64::from_be_bytes(first) & i64::MAX
    }
}

fn source_app(table: &TableName) -> String {
    format!("{STANDS_FOR}/{table}")
}

/// What the log of a rollup in the state `state` says that it stands for; compare with [`Stand::names`].
pub async fn stands_for(log: &TableLog, state: &DeltaTableState) -> Result<Option<i64>> {
    transaction(log, state, STANDS_FOR).await
}

async fn transaction(log: &TableLog, state: &DeltaTableState, app: &str) -> Result<Option<i64>> {
    let version = state.transaction_version(log.log_store().as_ref(), app).await;
    version.map_err(|source| CatalogError::Unreadable { table: log.label().into(), source: source.into() }.into())
}

/// The newest version of a rollup's table.
#[derive(Debug, Clone)]
pub(crate) struct PinnedRollup {
    /// Version of its log.
    pub(crate) version: u64,
    pub(crate) provider: Arc<dyn TableProvider>,
    pub(crate) rows: Option<u64>,
    pub(crate) files: u64,
    /// What it stands for.
    pub(crate) mark: Option<i64>,
}

impl PinnedRollup {
    pub(super) fn of(snapshot: &TableSnapshot, mark: Option<i64>) -> Self {
        Self {
            version: snapshot.version(),
            provider: Arc::clone(snapshot.provider()),
            rows: snapshot.rows(),
            files: snapshot.files(),
            mark,
        }
    }
}

/// The versions of `tables` that the log of a rollup names; none where it lacks one.
pub(super) async fn source_versions(
    log: &TableLog,
    state: &DeltaTableState,
    tables: &[TableName],
) -> Result<Option<Vec<u64>>> {
    let mut versions = Vec::with_capacity(tables.len());
    for table in tables {
        let version = transaction(log, state, &source_app(table)).await?;
        match version.and_then(|version| u64::try_from(version).ok()) {
            Some(version) => versions.push(version),
            None => return Ok(None),
        }
    }
    Ok(Some(versions))
}

/// What has become of a table's rows since a version.
#[derive(Debug)]
pub(crate) enum Since {
    /// Rows came, and none went: those that came, in several parts or none.
    Added(Vec<Arc<dyn TableProvider>>),
    /// Rows went or changed, or it is not known.
    Otherwise,
}

/// What came to the table in the state `now`, which `snapshot` reads, since `from`. Files that were put together meanwhile
/// hold the same rows as before.
pub(super) async fn since(log: &TableLog, now: &DeltaTableState, snapshot: &TableSnapshot, from: u64) -> Result<Since> {
    let to = now.version();
    if from > to || to - from > MAX_COMMITS {
        return Ok(Since::Otherwise);
    }
    let commits = futures::stream::iter(from + 1..=to)
        .map(|version| async move { Ok::<_, crate::Error>((version, log.read_commit(version).await?)) }.boxed());
    let commits: Vec<_> = match commits.buffered(AHEAD).try_collect().await {
        Ok(commits) => commits,
        // Another tool has cleaned the log up.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Since::Otherwise),
        Err(error) => return Err(error),
    };
    let mut added = Vec::new();
    for (version, bytes) in &commits {
        match added_by(bytes) {
            Some(paths) => added.extend(paths.into_iter().map(|path| (*version, path))),
            None => return Ok(Since::Otherwise),
        }
    }
    match tables(log, now, snapshot, added).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Since::Otherwise),
        other => other,
    }
}

/// The files that a commit adds; none where it does more than that to the table's rows, or something unknown.
fn added_by(commit: &[u8]) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    for line in commit.split(|&byte| byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)) {
        match serde_json::from_slice(line).ok()? {
            Action::Add(add) if add.data_change => {
                if add.deletion_vector.is_some() {
                    return None;
                }
                paths.push(add.path);
            }
            Action::Remove(remove) if remove.data_change => return None,
            // It brings files back that may be known already.
            Action::CommitInfo(info) if info.operation.as_deref() == Some("RESTORE") => return None,
            _ => {}
        }
    }
    Some(paths)
}

/// The rows of files, each given with the version that added it.
async fn tables(
    log: &TableLog,
    now: &DeltaTableState,
    snapshot: &TableSnapshot,
    added: Vec<(u64, String)>,
) -> Result<Since> {
    if added.is_empty() {
        return Ok(Since::Added(Vec::new()));
    }
    let files = TableFiles::try_new(log, now, snapshot.schema())?;
    let by_path = numbers(&files);
    let (mut here, mut gone): (Vec<usize>, HashMap<u64, Vec<String>>) = (Vec::new(), HashMap::new());
    for (version, path) in added {
        match by_path.get(&path) {
            Some(number) => here.push(*number),
            None => gone.entry(version).or_default().push(path),
        }
    }
    if gone.len() > MAX_VERSIONS {
        return Ok(Since::Otherwise);
    }
    let mut tables = Vec::new();
    if !here.is_empty() {
        tables.push(files.table(&here));
    }
    for (version, paths) in gone {
        let state = log.load_version(version).await?;
        let files = TableFiles::try_new(log, &state, snapshot.schema())?;
        let by_path = numbers(&files);
        let found: Option<Vec<_>> = paths.iter().map(|path| by_path.get(path).copied()).collect();
        let Some(found) = found else { return Ok(Since::Otherwise) };
        tables.push(files.table(&found));
    }
    Ok(Since::Added(tables))
}

/// The numbers of files by their paths.
fn numbers(files: &TableFiles) -> HashMap<String, usize> {
    let paths = (0..files.len()).filter_map(|number| Some((files.view(number)?.path().into_owned(), number)));
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD: &str = r#"{"add":{"path":"y=%E5%B9%B4/a.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#;

    #[test]
    fn a_commit_that_only_adds_says_which_files() {
        let commit = format!("{{\"commitInfo\":{{\"operation\":\"WRITE\"}}}}\n{ADD}\n");
        assert_eq!(added_by(commit.as_bytes()), Some(vec!["y=年/a.parquet".to_owned()]));
        let moved = ADD.replace("\"dataChange\":true", "\"dataChange\":false");
        assert_eq!(added_by(moved.as_bytes()), Some(Vec::new()), "put together: the rows are known");
    }

    #[test]
    fn a_commit_that_takes_rows_out_is_told_apart() {
        let remove = r#"{"remove":{"path":"a.parquet","dataChange":true}}"#;
        assert_eq!(added_by(format!("{ADD}\n{remove}\n").as_bytes()), None);
        assert_eq!(added_by(format!("{{\"commitInfo\":{{\"operation\":\"RESTORE\"}}}}\n{ADD}\n").as_bytes()), None);
        assert_eq!(added_by(b"no json\n"), None);
    }

    #[test]
    fn a_stand_is_told_by_definition_table_and_version() {
        let source =
            |id: &str, version| SourceVersion { table: "a.b".parse().expect("a name"), id: id.into(), version };
        let stand = |definition: u8, source| Stand { definition: [definition; 32], sources: vec![source] }.mark();
        let one = stand(1, source("x", 5));
        assert_eq!(one, stand(1, source("x", 5)));
        for other in [stand(2, source("x", 5)), stand(1, source("y", 5)), stand(1, source("x", 6))] {
            assert_ne!(one, other);
        }
        assert!(one >= 0);
    }
}
