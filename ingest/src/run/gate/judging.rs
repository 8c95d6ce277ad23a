//! A gate on a thread of its own: rows are read, judged and written at the same time.

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use xiangyun_engine::Result;

use super::{Gate, Verdict};
use crate::run::error::RunError;

/// Batches that may wait before the gate, and verdicts behind it.
const WAITING: usize = 1;

/// Judges batch after batch, in their order.
#[derive(Debug)]
pub(in crate::run) struct Judging {
    /// Aborted where nobody waits any more.
    feeding: JoinSet<()>,
    verdicts: mpsc::Receiver<Result<Verdict>>,
    gate: JoinHandle<Gate>,
}

impl Judging {
    /// Judges `rows`; an error among them takes its turn, and is the last.
    pub(in crate::run) fn start(mut gate: Gate, mut rows: BoxStream<'static, Result<RecordBatch>>) -> Self {
        let (sender, mut batches) = mpsc::channel::<Result<RecordBatch>>(WAITING);
        let (told, verdicts) = mpsc::channel(WAITING);
        let mut feeding = JoinSet::new();
        feeding.spawn(async move {
            while let Some(batch) = rows.next().await {
                // It ends early where a row stops the run, or nobody waits for verdicts any more.
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
        });
        // Checks are work for the processor: the tasks of other threads must not wait for them.
        let gate = tokio::task::spawn_blocking(move || {
            while let Some(batch) = batches.blocking_recv() {
                let verdict = batch.and_then(|batch| Ok(gate.judge(&batch)?));
                let failed = verdict.is_err();
                if told.blocking_send(verdict).is_err() || failed {
                    break;
                }
            }
            gate
        });
        Self { feeding, verdicts, gate }
    }

    /// What became of the next batch.
    pub(in crate::run) async fn next(&mut self) -> Option<Result<Verdict>> {
        self.verdicts.recv().await
    }

    /// The gate, with what it gathered of all batches.
    ///
    /// # Errors
    /// Where a thread panicked: what it had in hand is in no verdict.
    pub(in crate::run) async fn end(mut self) -> Result<Gate> {
        let lost = |error: JoinError| RunError::ReaderLost { source: error.into() };
        self.feeding.join_next().await.unwrap_or(Ok(())).map_err(lost)?;
        Ok(self.gate.await.map_err(lost)?)
    }
}
