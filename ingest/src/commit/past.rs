//! The loads that a table's log tells of, so that a load knows which of its files are there already.
//!
//! Loads of files are kept whole and for ever: there are as many as an agency sends files. Pushes may come every second
//! for years, so that of all but the newest only what makes them the same is kept, and that for [`KEYS_FOR`] days. What
//! was read of a long log is put down as a [`Digest`], from where the next process reads on.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{ResolvedRows, RunRecord, RunSource, TableLog};

use super::committer::Idempotency;
use super::digest::{Digest, EVERY};
use super::keys::PushedKeys;
use crate::source::is_pushed;

/// Commits that are read at a time.
const AHEAD: usize = 16;
/// Pushes that are kept whole: they may be asked for by their run, as by one whose answer got lost.
const WHOLE_PUSHES: usize = 500;

/// A load that committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLoad {
    /// Version of the table that it made.
    pub version: u64,
    /// What its commit is recorded under.
    pub names: Vec<Idempotency>,
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

impl PastLoad {
    /// Whether it loaded requests of callers, and nothing that came out of the quarantine.
    fn is_push(&self) -> bool {
        !self.sources.is_empty() && self.resolves.is_empty() && self.sources.iter().all(|file| is_pushed(&file.path))
    }
}

/// Whether both have the same rows to give: files by their name or their content, pushed requests by their name.
fn is_same_source(one: &RunSource, other: &RunSource) -> bool {
    one.path == other.path || (one.has_content_of(other) && !is_pushed(&one.path))
}

/// The loads of one table, as far as they have been read. A commit never changes, so that only new ones are.
#[derive(Debug, Default)]
pub(super) struct PastLoads {
    /// Oldest first.
    loads: Arc<Vec<PastLoad>>,
    /// How many of them are pushes.
    pushes: usize,
    keys: PushedKeys,
    read_to: Option<u64>,
    /// The version that the last digest goes to.
    digested: Option<u64>,
}

impl PastLoads {
    pub(super) fn of_digest(loads: Vec<PastLoad>, keys: PushedKeys, version: u64) -> Self {
        let pushes = loads.iter().filter(|load| load.is_push()).count();
        Self { loads: Arc::new(loads), pushes, keys, read_to: Some(version), digested: Some(version) }
    }

    /// The loads, oldest first; of pushes only the newest.
    pub(super) fn loads(&self) -> &Arc<Vec<PastLoad>> {
        &self.loads
    }

    /// The pushed requests.
    pub(super) fn keys(&self) -> &PushedKeys {
        &self.keys
    }

    /// The newest version that was read.
    pub(super) fn read_to(&self) -> Option<u64> {
        self.read_to
    }

    /// Reads the commits that came since.
    pub(super) async fn refresh(&mut self, log: &TableLog) -> Result<()> {
        if self.read_to.is_none()
            && let Some(digest) = Digest::newest(log).await
        {
            *self = digest;
        }
        let versions: Vec<u64> = log.list(self.read_to).await?.versions().collect();
        for some in versions.chunks(EVERY as usize) {
            let reads: Vec<_> = some.iter().map(|version| read(log, *version).boxed()).collect();
            let read: Vec<Commit> = futures::stream::iter(reads).buffered(AHEAD).try_collect().await?;
            self.extend(read);
        }
        if let Some(read_to) = self.read_to
            && read_to + 1 >= EVERY + self.digested.map_or(0, |digested| digested + 1)
        {
            // It spares others the reading; that it is not there costs them that.
            if let Err(error) = Digest::write(log, &self.loads, &self.keys, read_to).await {
                tracing::warn!(table.name = log.label(), error = %error.chain(), "no digest of the loads was written");
            }
            self.digested = Some(read_to);
        }
        Ok(())
    }

    fn extend(&mut self, commits: Vec<Commit>) {
        for Commit { version, made_at, load } in commits {
            self.read_to = Some(version);
            self.keys.pass(version, made_at);
            let Some(load) = load else { continue };
            if load.is_push() {
                let names = load.sources.iter().map(|file| file.path.as_str());
                self.keys.insert(&load.pipeline, names, version);
                self.pushes += 1;
            }
            // Copied where somebody still looks at the loads of before.
            Arc::make_mut(&mut self.loads).push(load);
        }
        self.keys.forget();
        if self.pushes > 2 * WHOLE_PUSHES {
            let mut surplus = self.pushes - WHOLE_PUSHES;
            self.pushes = WHOLE_PUSHES;
            Arc::make_mut(&mut self.loads).retain(|load| {
                let goes = surplus > 0 && load.is_push();
                surplus -= usize::from(goes);
                !goes
            });
        }
    }

    /// The load that was recorded as `name`.
    pub(super) fn named(&self, name: &Idempotency) -> Option<&PastLoad> {
        self.loads.iter().rfind(|load| load.names.contains(name))
    }

    /// A run that loaded some of the files of `run`, or took up the same rejected rows, for the same pipeline after
    /// version `seen`.
    pub(super) fn overtaking(&self, run: &RunRecord, seen: Option<u64>) -> Option<String> {
        let is_since = |version: u64| seen.is_none_or(|seen| version > seen);
        let is_same = |load: &&PastLoad| {
            let shares = |source: &RunSource| run.sources.iter().any(|own| is_same_source(own, source));
            load.pipeline == run.pipeline
                && (load.sources.iter().any(shares) || takes_up_same(&load.resolves, &run.resolves))
        };
        // Newest last: those that came since are few.
        let since = self.loads.iter().rev().take_while(|load| is_since(load.version));
        let found = since.filter(is_same).last().map(|load| load.run_id.clone());
        let key = || {
            let pushed = run.sources.iter().filter(|file| is_pushed(&file.path));
            let mut versions = pushed.filter_map(|file| self.keys.get(&run.pipeline, &file.path));
            versions.any(is_since).then(|| "of another process".to_owned())
        };
        found.or_else(key)
    }
}

/// Whether both took up one and the same rejected row.
fn takes_up_same(one: &[ResolvedRows], other: &[ResolvedRows]) -> bool {
    let meets = |(first, last): &(u64, u64), rows: &ResolvedRows| {
        rows.rows.iter().any(|(start, end)| start <= last && first <= end)
    };
    one.iter().any(|own| {
        let others = other.iter().filter(|rows| rows.run_id == own.run_id);
        others.into_iter().any(|rows| own.rows.iter().any(|stretch| meets(stretch, rows)))
    })
}

/// What is asked of a commit.
struct Commit {
    version: u64,
    /// Milliseconds since 1970.
    made_at: Option<i64>,
    /// None where something else was committed.
    load: Option<PastLoad>,
}

/// The load that was committed as `version`.
pub(super) async fn read_load(log: &TableLog, version: u64) -> Result<Option<PastLoad>> {
    Ok(read(log, version).await?.load)
}

async fn read(log: &TableLog, version: u64) -> Result<Commit> {
    let bytes = log.read_commit(version).await?;
    let (mut made_at, mut run, mut names) = (None, None, Vec::new());
    for line in bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
        names.extend(line.txn.map(|Txn { app_id, version }| Idempotency { app_id, version }));
        if let Some(info) = line.commit_info {
            made_at = info.in_commit_timestamp.or(info.timestamp);
            run = info.run;
        }
    }
    let load = run.map(|run| PastLoad {
        version,
        names,
        run_id: run.run_id,
        pipeline: run.pipeline,
        sources: run.sources,
        cursor: run.cursor,
        redo_of: run.redo_of,
        resolves: run.resolves,
        rows_read: run.rows_read,
        columns: run.columns,
    });
    Ok(Commit { version, made_at, load })
}

#[derive(Deserialize)]
struct Line {
    txn: Option<Txn>,
    #[serde(rename = "commitInfo")]
    commit_info: Option<Info>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    in_commit_timestamp: Option<i64>,
    timestamp: Option<i64>,
    #[serde(rename = "xiangyun.run")]
    run: Option<RunRecord>,
}
