//! Parquet, row group by row group.

use std::fs::File;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Fault, Reading};
use crate::source::BATCH_ROWS;

/// Bytes of rows that are decoded at a time.
const BATCH_BYTES: u64 = 32 << 20;

pub(super) fn read(content: File) -> Result<Reading, Fault> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(content)?;
    let metadata = builder.metadata();
    let groups = metadata.row_groups();
    let rows: u64 =
        groups.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX)).fold(0, u64::saturating_add);
    let said = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(u64::MAX);
    if rows != said {
        return Err(Fault::Damaged(format!("its footer says {said} rows, and those of its row groups are {rows}")));
    }
    // Rows are as long as their texts: a batch of them is bounded by what the longest group has for each.
    let row_bytes = groups.iter().map(|group| {
        u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX) / u64::try_from(group.num_rows()).unwrap_or(1).max(1)
    });
    let longest = row_bytes.max().unwrap_or_default().max(1);
    let batch_rows = usize::try_from(BATCH_BYTES / longest).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS);
    let schema = builder.schema().clone();
    let batches = builder.with_batch_size(batch_rows).build()?;
    Ok(Reading { schema, rows, batches: Box::new(batches) })
}
