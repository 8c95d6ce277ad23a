//! Rows that come in the order of their files, as files of a target size.

use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake::kernel::Add;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use xiangyun_engine::Result;
use xiangyun_engine::error::BoxError;

use super::partition::PartitionKey;
use super::statistics::Statistics;
use super::writer::FileJob;

/// Batches that may wait for the encoder.
pub(super) const WAITING: usize = 4;

/// A file's bytes, and its statistics for the log.
type Encoded = (Vec<u8>, String);

impl FileJob {
    /// Writes `rows`, which are the partition `key` in the order of the sort columns, as files of about `target_bytes`
    /// each. Memory holds one row group and the bytes of a file; of two more where the store is slower than the encoder.
    pub(super) async fn roll(
        self: &Arc<Self>,
        key: PartitionKey,
        mut rows: BoxStream<'_, Result<RecordBatch>>,
        target_bytes: usize,
    ) -> Result<Vec<Add>> {
        let (batches, receiver) = mpsc::channel(WAITING);
        let feeding = async {
            while let Some(batch) = rows.next().await {
                let batch = self.fit(&batch?)?;
                // The encoder ends early only with an error, which is in its files.
                if batches.send(batch).await.is_err() {
                    break;
                }
            }
            drop(batches);
            Ok::<_, xiangyun_engine::Error>(())
        };
        let (fed, stored) = futures::future::join(feeding, self.roll_received(key, receiver, target_bytes)).await;
        fed?;
        stored
    }

    /// As [`Self::roll`], of rows that fit the table already.
    pub(super) async fn roll_received(
        self: &Arc<Self>,
        key: PartitionKey,
        rows: mpsc::Receiver<RecordBatch>,
        target_bytes: usize,
    ) -> Result<Vec<Add>> {
        let (files, mut encoded) = mpsc::channel(1);
        let job = Arc::clone(self);
        let encoder = tokio::task::spawn_blocking(move || job.encode_files(rows, target_bytes, &files));
        let mut adds = Vec::new();
        while let Some(file) = encoded.recv().await {
            adds.push(self.store(key.clone(), file).await?);
        }
        encoder.await.map_err(|error| self.encode_error(error))?;
        Ok(adds)
    }

    fn encode_files(
        &self,
        mut batches: mpsc::Receiver<RecordBatch>,
        target_bytes: usize,
        files: &mpsc::Sender<Result<Encoded, BoxError>>,
    ) {
        while let Some(first) = batches.blocking_recv() {
            let file = self.encode_file(first, &mut batches, target_bytes, files);
            let failed = file.is_err();
            if files.blocking_send(file).is_err() || failed {
                return;
            }
        }
    }

    fn encode_file(
        &self,
        first: RecordBatch,
        batches: &mut mpsc::Receiver<RecordBatch>,
        target_bytes: usize,
        files: &mpsc::Sender<Result<Encoded, BoxError>>,
    ) -> Result<Encoded, BoxError> {
        let mut bytes = Vec::new();
        let mut writer = self.parquet(&mut bytes)?;
        let mut statistics = Statistics::new(&self.file_schema);
        let mut next = Some(first);
        while let Some(batch) = next {
            if files.is_closed() {
                return Err("the file before this one could not be stored".into());
            }
            let rows = self.in_file(&batch)?;
            statistics.push(&rows);
            writer.write(&rows)?;
            if writer.bytes_written() + writer.in_progress_size() >= target_bytes {
                // What is in progress is not compressed yet: only a closed row group tells its size.
                writer.flush()?;
            }
            let is_full = writer.bytes_written() >= target_bytes / 4 * 3;
            next = if is_full { None } else { batches.blocking_recv() };
        }
        let metadata = writer.close()?;
        Ok((bytes, statistics.close(&metadata)?))
    }
}
