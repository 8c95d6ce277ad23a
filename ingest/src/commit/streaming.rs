//! Files that are encoded while their rows still come: those of tables whose rows need neither sorting nor parting.
//! Several are open at a time, so that reading, checking and encoding share the processor.

use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::sync::mpsc;
use xiangyun_engine::Result;

use super::writer::{FileJob, TableWriter, memory_size};
use crate::source::BATCH_ROWS;

/// Batches that may wait for the encoder of a file.
const WAITING: usize = 4;

/// Rows that the first file takes alone: a small load has one file.
const ALONE_ROWS: u64 = 1 << 16;

/// Rows that one file takes before it is the next one's turn: which row is in which file depends on no clock. No more
/// than may wait, or the encoders would work one after the other.
const TURN_ROWS: u64 = BATCH_ROWS as u64;

/// A file that takes rows in. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct OpenFile {
    batches: mpsc::Sender<RecordBatch>,
    bytes: usize,
}

impl FileJob {
    /// Whether rows can be encoded in the order in which they come.
    pub(super) fn streams(&self) -> bool {
        self.target.partition_by.is_empty() && self.sort_columns().is_empty()
    }
}

impl TableWriter {
    /// Hands rows, which are counted already, to the file whose turn it is.
    pub(super) async fn stream(&mut self, batch: RecordBatch) -> Result<()> {
        let parallel = self.job.options.parallel_files.max(1);
        let before = self.staged.rows() - batch.num_rows() as u64;
        let turn = before.saturating_sub(ALONE_ROWS) / TURN_ROWS % parallel as u64;
        let turn = usize::try_from(turn).unwrap_or_default();
        self.open.resize_with(parallel, || None);
        let bytes = memory_size(&batch);
        let file = match self.open[turn].take() {
            Some(file) => file,
            None => self.open_file().await?,
        };
        if file.batches.send(batch).await.is_err() {
            // It has ended although nobody closed it: for an error.
            self.open.clear();
            while !self.running.is_empty() {
                self.join_one().await?;
            }
            return Err(self.job.encode_error("the encoder of a file ended early").into());
        }
        let file = OpenFile { bytes: file.bytes + bytes, ..file };
        if file.bytes < self.job.options.file_memory_bytes {
            self.open[turn] = Some(file);
        }
        Ok(())
    }

    async fn open_file(&mut self) -> Result<OpenFile> {
        // As many again may still be on their way to the store. At least one of so many is closed, and ends.
        while self.running.len() >= 2 * self.job.options.parallel_files.max(1) {
            self.join_one().await?;
        }
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let job = Arc::clone(&self.job);
        let encoding = Arc::clone(&job);
        self.running.spawn(async move {
            let batches = std::iter::from_fn(move || receiver.blocking_recv()).map(Ok);
            let encoded = tokio::task::spawn_blocking(move || encoding.encode(batches)).await;
            job.store(Vec::new(), encoded.map_err(|error| job.encode_error(error))?).await
        });
        Ok(OpenFile { batches: sender, bytes: 0 })
    }
}
