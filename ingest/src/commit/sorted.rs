//! Rows in the order of a file, a batch at a time: beside the rows themselves only their order is held.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{SortColumn, SortOptions, concat, interleave_record_batch, lexsort_to_indices};
use arrow::error::ArrowError;

use crate::source::BATCH_ROWS;

/// Batches of all rows of other batches, sorted.
#[derive(Debug)]
pub(super) struct Sorted<'a> {
    batches: Vec<&'a RecordBatch>,
    /// Rows before each batch.
    starts: Vec<usize>,
    /// Rows as numbered over all batches.
    order: Vec<u32>,
    next: usize,
}

impl<'a> Sorted<'a> {
    /// Ascending by `columns`, missing values last: SQL's own order.
    pub(super) fn try_new(batches: &'a [RecordBatch], columns: &[String]) -> Result<Self, ArrowError> {
        let options = Some(SortOptions { descending: false, nulls_first: false });
        let mut keys = Vec::with_capacity(columns.len());
        for name in columns {
            let missing = || ArrowError::SchemaError(format!("there is no column `{name}` to sort by"));
            let parts = batches.iter().map(|batch| batch.column_by_name(name).map(ArrayRef::as_ref));
            let values = concat(&parts.collect::<Option<Vec<_>>>().ok_or_else(missing)?)?;
            keys.push(SortColumn { values, options });
        }
        let order = lexsort_to_indices(&keys, None)?.values().to_vec();
        let starts = batches.iter().scan(0, |rows, batch| {
            let start = *rows;
            *rows += batch.num_rows();
            Some(start)
        });
        Ok(Self { starts: starts.collect(), batches: batches.iter().collect(), order, next: 0 })
    }

    /// The batch and the row in it of a row as numbered over all batches.
    fn place(&self, row: u32) -> (usize, usize) {
        let row = row as usize;
        let batch = self.starts.partition_point(|start| *start <= row) - 1;
        (batch, row - self.starts[batch])
    }
}

impl Iterator for Sorted<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.order.len().min(self.next + BATCH_ROWS);
        let rows = self.order.get(self.next..end).filter(|rows| !rows.is_empty())?;
        self.next = end;
        let places: Vec<_> = rows.iter().map(|row| self.place(*row)).collect();
        Some(interleave_record_batch(&self.batches, &places))
    }
}
