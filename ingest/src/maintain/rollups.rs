//! Rollups follow their tables: what came is added, and where anything else happened all is read again.

use xiangyun_engine::query::{Rolled, RolledRows, RollupFacts};
use xiangyun_engine::{ErrorKind, Principal, Result};

use super::Maintenance;
use crate::commit::{CommitOutcome, RolledCommit};

/// Rounds in which another process may be faster, or the table may go on.
const ROUNDS: usize = 5;

/// What a refresh did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// One of its tables was never loaded.
    NotLoaded,
    /// Nothing: it stood for the newest versions.
    Current,
    /// What had come was added.
    Added,
    /// What had come and what it kept were put together.
    Merged,
    /// All rows were read.
    Rebuilt,
}

impl RefreshOutcome {
    /// As reports and logs say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotLoaded => "not loaded",
            Self::Current => "current",
            Self::Added => "added",
            Self::Merged => "merged",
            Self::Rebuilt => "rebuilt",
        }
    }
}

/// A rollup that was brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// Its name.
    pub name: String,
    /// What was done.
    pub outcome: RefreshOutcome,
    /// Version of its table.
    pub version: Option<u64>,
    /// Rows that were written.
    pub rows: u64,
}

impl Maintenance {
    /// The declared rollups as they stand.
    ///
    /// # Errors
    /// Of the storage.
    pub async fn rollups(&self) -> Result<Vec<RollupFacts>> {
        self.engine.query_as(Principal::system()).rollups().await
    }

    /// Brings every rollup up to date. One that fails does not stop the others; its table answers in its place.
    pub async fn refresh_rollups(&self) -> Vec<(String, Result<Refreshed>)> {
        let mut refreshed = Vec::new();
        for rollup in self.engine.query_as(Principal::system()).declared_rollups() {
            let done = self.refresh_rollup(&rollup.name, false).await;
            refreshed.push((rollup.name, done));
        }
        refreshed
    }

    /// Brings the rollup `name` up to date; with `anew` from all rows of its table, whatever it keeps.
    ///
    /// # Errors
    /// `NotFound` for a name that is not declared, `Conflict` where other processes were faster several times; of the
    /// storage, and of expressions that fail on a row. Afterwards it stands for what it stood for before.
    pub async fn refresh_rollup(&self, name: &str, anew: bool) -> Result<Refreshed> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            match self.refresh_once(name, anew).await {
                // Another process has brought it further: what is left to do is worked out again.
                Err(error) if error.kind() == ErrorKind::Conflict && rounds < ROUNDS => {}
                done => return done,
            }
        }
    }

    async fn refresh_once(&self, name: &str, anew: bool) -> Result<Refreshed> {
        let context = self.engine.query_as(Principal::system());
        let summary = context.rollup(name)?;
        let done = |outcome, version, rows| Refreshed { name: name.to_owned(), outcome, version, rows };
        let rolled = match Box::pin(context.roll_up(name, anew)).await? {
            None => return Ok(done(RefreshOutcome::NotLoaded, None, 0)),
            Some(Rolled::Current { version }) => return Ok(done(RefreshOutcome::Current, Some(version), 0)),
            Some(Rolled::Rows(rolled)) => rolled,
        };
        let RolledRows { whole, incremental, .. } = rolled;
        let RolledCommit { outcome, rows } = self.committer.commit_rollup(&summary, rolled).await?;
        Ok(match outcome {
            CommitOutcome::AlreadyCommitted { version } => done(RefreshOutcome::Current, Some(version), 0),
            CommitOutcome::Committed { version } => {
                let outcome = match (whole, incremental) {
                    (false, _) => RefreshOutcome::Added,
                    (true, true) => RefreshOutcome::Merged,
                    (true, false) => RefreshOutcome::Rebuilt,
                };
                done(outcome, Some(version), rows)
            }
        })
    }
}
