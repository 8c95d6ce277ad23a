//! Files that are encoded while their rows still come: those of tables whose rows need neither sorting nor parting.
//! Several are written at a time, so that reading, checking and encoding share the processor.

use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::sync::mpsc;
use xiangyun_engine::Result;

use super::rolling::WAITING;
use super::writer::{FileJob, TableWriter};
use crate::source::BATCH_ROWS;

/// Rows that the first file takes alone: a small load has one file.
const ALONE_ROWS: u64 = 1 << 16;

/// Rows that one encoder takes before it is the next one's turn: which row is in which file depends on no clock. No more
/// than may wait, or the encoders would work one after the other.
const TURN_ROWS: u64 = BATCH_ROWS as u64;

/// An encoder that takes rows in and begins a new file as often as one is full. Dropped, the last one is closed.
pub(super) type Encoder = mpsc::Sender<RecordBatch>;

impl FileJob {
    /// Whether rows can be encoded in the order in which they come.
    pub(super) fn streams(&self) -> bool {
        self.target.partition_by.is_empty() && self.sort_columns().is_empty()
    }
}

impl TableWriter {
    /// Hands rows, which are counted already, to the encoder whose turn it is.
    pub(super) async fn stream(&mut self, batch: RecordBatch) -> Result<()> {
        let parallel = self.job.options.parallel_files.max(1);
        let before = self.staged.rows() - batch.num_rows() as u64;
        let turn = before.saturating_sub(ALONE_ROWS) / TURN_ROWS % parallel as u64;
        let turn = usize::try_from(turn).unwrap_or_default();
        self.encoders.resize_with(parallel, || None);
        let encoder = match self.encoders[turn].take() {
            Some(encoder) => encoder,
            None => self.open_encoder(),
        };
        if encoder.send(batch).await.is_err() {
            // It has ended although nobody closed it: for an error.
            self.encoders.clear();
            while !self.running.is_empty() {
                self.join_one().await?;
            }
            return Err(self.job.encode_error("the encoder of a file ended early").into());
        }
        self.encoders[turn] = Some(encoder);
        Ok(())
    }

    fn open_encoder(&mut self) -> Encoder {
        let (sender, receiver) = mpsc::channel(WAITING);
        let job = Arc::clone(&self.job);
        self.running.spawn(async move { job.roll_received(Vec::new(), receiver, job.options.file_bytes).await });
        sender
    }
}
