//! The runs that a version of a table rests on, told from commits that are read once and kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::history::read_commit;
use super::log::TableLog;
use super::summary::{CommitSummary, RunRecord};

/// The runs that a version of a table rests on.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentRuns {
    /// The newest of them, newest first, each with the time of its commit.
    pub(crate) newest: Vec<(RunRecord, Option<DateTime<Utc>>)>,
    /// When rows were changed last, by whatever writer.
    pub(crate) data_committed_at: Option<DateTime<Utc>>,
    /// Counts over all of them, or as far as commits were read.
    pub(crate) counts: RunCounts,
    /// Whether the counts are over all of them.
    pub(crate) complete: bool,
}

/// Counts over runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct RunCounts {
    /// Runs.
    pub runs: u64,
    /// Rows that they committed.
    pub rows_loaded: u64,
    /// Rows that they rejected.
    pub rows_rejected: u64,
    /// Rows that they left out as duplicates.
    pub rows_duplicate: u64,
}

impl RunCounts {
    fn add(&mut self, run: &RunRecord) {
        self.runs += 1;
        self.rows_loaded += run.rows_loaded;
        self.rows_rejected += run.rows_rejected;
        self.rows_duplicate += run.rows_duplicate;
    }
}

/// Counts over the commits from `newest` down to before `next`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    newest: u64,
    /// The next commit to count; none where all are.
    next: Option<u64>,
    counts: RunCounts,
}

/// See [`super::Catalog::recent_runs`].
pub(super) async fn recent_runs(
    log: &TableLog,
    commits: &mut BTreeMap<u64, CommitSummary>,
    tally: &mut Option<Tally>,
    version: u64,
    wanted: usize,
    budget: usize,
) -> RecentRuns {
    let mut reader = Reader { log, commits, left: budget };
    let mut recent = RecentRuns::default();
    let mut at = Some(version);
    while recent.newest.len() < wanted {
        let Some(commit) = reader.commit(at).await else { break };
        if commit.changed_rows() && recent.data_committed_at.is_none() {
            recent.data_committed_at = commit.committed_at;
        }
        at = commit.before();
        recent.newest.extend(commit.run.map(|run| (run, commit.committed_at)));
    }
    let mut counted = match tally.take() {
        Some(known) => brought_forward(known, version, &mut reader).await,
        None => Tally { newest: version, next: Some(version), counts: RunCounts::default() },
    };
    while let Some(at) = counted.next {
        let Some(commit) = reader.commit(Some(at)).await else { break };
        if let Some(run) = &commit.run {
            counted.counts.add(run);
        }
        counted.next = commit.before();
    }
    recent.counts = counted.counts;
    recent.complete = counted.next.is_none();
    *tally = Some(counted);
    recent
}

/// `known` with the commits up to `version`; begun anew where they do not build on what was counted.
async fn brought_forward(known: Tally, version: u64, reader: &mut Reader<'_>) -> Tally {
    let anew = Tally { newest: version, next: Some(version), counts: RunCounts::default() };
    let mut counts = known.counts;
    let mut at = Some(version);
    while at.is_some_and(|at| at > known.newest) {
        let Some(commit) = reader.commit(at).await else { return anew };
        if let Some(run) = &commit.run {
            counts.add(run);
        }
        at = commit.before();
    }
    if at == Some(known.newest) { Tally { newest: version, counts, ..known } } else { anew }
}

/// Reads commits, each once, and no more than it may.
struct Reader<'a> {
    log: &'a TableLog,
    commits: &'a mut BTreeMap<u64, CommitSummary>,
    left: usize,
}

/// Commits that are read at one time.
const AT_ONCE: usize = 8;

impl Reader<'_> {
    /// The commit; none where no more may be read, or it cannot be: another tool may have cleaned the log up. Figures are
    /// not withheld because an old commit cannot be read; the counts then say that they are not complete.
    async fn commit(&mut self, version: Option<u64>) -> Option<CommitSummary> {
        let version = version?;
        self.ahead(version).await;
        self.commits.get(&version).cloned()
    }

    /// Reads a few commits from `version` down at one time, where that one is not known.
    async fn ahead(&mut self, version: u64) {
        if self.commits.contains_key(&version) {
            return;
        }
        let unknown = (0..=version).rev().take(AT_ONCE.min(self.left));
        let unknown: Vec<u64> = unknown.filter(|version| !self.commits.contains_key(version)).collect();
        self.left -= unknown.len();
        let read = futures::future::join_all(unknown.iter().map(|version| read_commit(self.log, *version))).await;
        for (version, commit) in unknown.into_iter().zip(read) {
            match commit {
                Ok(commit) => drop(self.commits.insert(version, commit)),
                Err(error) => {
                    tracing::debug!(table.name = self.log.label(), version, error = error.chain(), "commit not read")
                }
            }
        }
    }
}
