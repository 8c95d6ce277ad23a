//! Rollups follow their tables and small files are put together by themselves, in the background of a process that writes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use xiangyun_engine::Result;

use super::optimize::{Optimized, optimize};
use super::{Maintenance, Pick, RefreshOutcome, Refreshed, Subject};

/// How long further commits are waited for: one look serves them all.
const GATHER: Duration = Duration::from_secs(2);
/// How often the lake's own logs are looked at: other parts of the process write to them too.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The background task. Dropped, it goes on; [`Self::close`] ends it.
#[derive(Debug)]
pub struct Upkeep {
    stop: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Upkeep {
    /// Looks after every table that this process commits to. Must be called within a runtime.
    pub fn start(maintenance: Maintenance) -> Self {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = work(&maintenance) => {}
                // What was not committed never was: new files of a compaction that is cut off are orphans.
                () = stopped.notified() => {}
            }
        });
        Self { stop, task: Mutex::new(Some(task)) }
    }

    /// Ends it. A compaction that runs is given up.
    pub async fn close(&self) {
        self.stop.notify_one();
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::warn!(%error, "the upkeep of tables ended early");
        }
    }
}

async fn work(maintenance: &Maintenance) {
    // What other processes have committed before this one began.
    follow(maintenance).await;
    loop {
        let looks_at_logs = tokio::select! {
            () = maintenance.committer.touch() => false,
            () = tokio::time::sleep(LOOK_EVERY) => true,
        };
        tokio::time::sleep(GATHER).await;
        let mut subjects = maintenance.touched();
        if looks_at_logs {
            subjects = Subject::LOGS.into_iter().map(Subject::Log).collect();
        }
        // Before files are put together, so that what came is still told by files of its own.
        follow(maintenance).await;
        let mut changed = false;
        for (table, done) in maintenance.tend(subjects).await {
            match done {
                Ok(done) => changed |= done.done.version.is_some(),
                Err(error) => {
                    tracing::warn!(table.name = table, error = %error.chain(), "small files were not put together");
                }
            }
        }
        if changed {
            follow(maintenance).await;
        }
    }
}

/// Brings the rollups up to date; the tables answer for those that cannot be.
async fn follow(maintenance: &Maintenance) {
    for (rollup, refreshed) in maintenance.refresh_rollups().await {
        match refreshed {
            Ok(Refreshed { outcome: RefreshOutcome::Current | RefreshOutcome::NotLoaded, .. }) => {}
            Ok(Refreshed { outcome, version, rows, .. }) => {
                let outcome = outcome.name();
                tracing::info!(
                    rollup.name = rollup,
                    rollup.version = version,
                    rows,
                    outcome,
                    "a rollup follows its table"
                );
            }
            Err(error) => tracing::warn!(rollup.name = rollup, error = %error.chain(), "a rollup was left behind"),
        }
    }
}

impl Maintenance {
    /// Puts the small files of those tables together that this process has committed to since the last call, and where
    /// there are enough of them. For a process that ends: one that stays has an [`Upkeep`].
    pub async fn catch_up(&self) -> Vec<(String, Result<Optimized>)> {
        self.tend(self.touched()).await
    }

    fn touched(&self) -> Vec<Subject> {
        let labels = self.committer.take_touched();
        labels.iter().filter_map(|label| Subject::find(label, self.engine.project())).collect()
    }

    async fn tend(&self, subjects: Vec<Subject>) -> Vec<(String, Result<Optimized>)> {
        let mut done = Vec::new();
        if !self.optimizes {
            return done;
        }
        for subject in subjects.into_iter().filter(Subject::is_automatic) {
            let optimized = optimize(&self.committer, &subject, Pick::Tiers).await;
            if let Ok(Optimized { table, done }) = &optimized
                && let Some(version) = done.version
            {
                let (removed, added) = (done.files_removed, done.files_added);
                tracing::info!(
                    table.name = table,
                    table.version = version,
                    removed,
                    added,
                    "small files were put together"
                );
            }
            done.push((subject.label(), optimized));
        }
        done
    }
}
