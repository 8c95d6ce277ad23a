//! A footer of a declared number of rows: so many are held back until the file has ended.

use std::collections::VecDeque;

use super::super::SourceBatch;

/// Batches that may still turn out to be footer.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    batches: VecDeque<SourceBatch>,
}

/// The rows that were left out at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) rows: u64,
    /// The line of the first of them.
    pub(super) from: Option<u64>,
}

impl HeldBack {
    /// Takes a batch in.
    pub(super) fn push(&mut self, batch: SourceBatch) {
        self.batches.push_back(batch);
    }

    /// A batch behind which `rows` or more rows are held back.
    pub(super) fn pop(&mut self, rows: usize) -> Option<SourceBatch> {
        let behind: usize = self.batches.iter().skip(1).map(rows_of).sum();
        if behind >= rows { self.batches.pop_front() } else { None }
    }

    /// The batches that are held back.
    pub(super) fn each(&self) -> impl Iterator<Item = &SourceBatch> {
        self.batches.iter()
    }

    /// Leaves the last `rows` rows out; what is left is popped with zero rows behind it.
    pub(super) fn cut(&mut self, rows: usize) -> Cut {
        let mut cut = Cut::default();
        for batch in self.batches.iter_mut().rev() {
            for _ in cut.rows..rows as u64 {
                let Some(line) = remove_last(batch) else { break };
                cut = Cut { rows: cut.rows + 1, from: Some(line) };
            }
        }
        cut
    }
}

fn rows_of(batch: &SourceBatch) -> usize {
    batch.batch.num_rows() + batch.unreadable.len()
}

/// Removes the row on the greatest line, readable or not.
fn remove_last(batch: &mut SourceBatch) -> Option<u64> {
    let readable = batch.lines.values().last().copied();
    let unreadable = batch.unreadable.last().map(|row| row.line);
    if unreadable > readable {
        batch.unreadable.pop();
        return unreadable;
    }
    let rows = batch.lines.len().checked_sub(1)?;
    batch.batch = batch.batch.slice(0, rows);
    batch.lines = batch.lines.slice(0, rows);
    readable
}
