//! The loads that a table's log tells of, so that a load knows which of its files are there already.

use futures::{FutureExt, StreamExt, TryStreamExt};
use serde::Deserialize;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{ResolvedRows, RunRecord, RunSource, TableLog};

use crate::source::is_pushed;

/// Commits that are read at a time.
const AHEAD: usize = 16;

/// A load that committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastLoad {
    /// Version of the table that it made.
    pub version: u64,
    /// The run.
    pub run_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// What it read.
    pub sources: Vec<RunSource>,
    /// The mark that it left of an incremental source.
    pub cursor: Option<String>,
    /// The run that it made again.
    pub redo_of: Option<String>,
    /// The quarantined rows that it took up.
    pub resolves: Vec<ResolvedRows>,
    /// Rows that it read.
    pub rows_read: u64,
    /// The columns that its sources had.
    pub columns: Vec<String>,
}

/// Whether both have the same rows to give: files by their name or their content, pushed requests by their name.
pub(super) fn is_same_source(one: &RunSource, other: &RunSource) -> bool {
    one.path == other.path || (one.sha256 == other.sha256 && !is_pushed(&one.path))
}

/// The loads of one table, as far as they have been read. A commit never changes, so that only new ones are.
#[derive(Debug, Default)]
pub(super) struct PastLoads {
    loads: Vec<PastLoad>,
    read_to: Option<u64>,
}

impl PastLoads {
    /// Reads the commits that came since.
    pub(super) async fn refresh(&mut self, log: &TableLog) -> Result<()> {
        let versions: Vec<u64> = log.list(self.read_to).await?.versions().collect();
        let reads: Vec<_> = versions.iter().map(|version| read(log, *version).boxed()).collect();
        let read: Vec<Option<PastLoad>> = futures::stream::iter(reads).buffered(AHEAD).try_collect().await?;
        self.loads.extend(read.into_iter().flatten());
        self.read_to = versions.last().copied().or(self.read_to);
        Ok(())
    }

    /// The loads, oldest first.
    pub(super) fn loads(&self) -> &[PastLoad] {
        &self.loads
    }

    /// The newest version that was read.
    pub(super) fn read_to(&self) -> Option<u64> {
        self.read_to
    }
}

/// The load of one commit; none where something else committed.
async fn read(log: &TableLog, version: u64) -> Result<Option<PastLoad>> {
    let bytes = log.read_commit(version).await?;
    let mut lines = bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    let run = lines.find_map(|line| line.commit_info?.run);
    Ok(run.map(|run| PastLoad {
        version,
        run_id: run.run_id,
        pipeline: run.pipeline,
        sources: run.sources,
        cursor: run.cursor,
        redo_of: run.redo_of,
        resolves: run.resolves,
        rows_read: run.rows_read,
        columns: run.columns,
    }))
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "commitInfo")]
    commit_info: Option<Info>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "xiangyun.run")]
    run: Option<RunRecord>,
}
