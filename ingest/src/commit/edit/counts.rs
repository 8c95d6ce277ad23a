//! What an edit did to the table, for the run's record.

use std::sync::{Mutex, PoisonError};

use xiangyun_engine::catalog::RunRecord;

/// What an edit did, beyond adding the rows that it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::commit) struct Counts {
    /// Rows of the load that are not in the table, because another row took their place.
    pub(super) left_out: u64,
    /// Rows of the table that others took the place of, or that were closed.
    pub(super) updated: u64,
    /// Rows that were taken out of the table.
    pub(super) deleted: u64,
    /// In words.
    pub(super) notes: Vec<String>,
}

/// The counts of an edit's last attempt: of the one that was committed, in the end.
#[derive(Debug, Default)]
pub(in crate::commit) struct LastCounts(Mutex<Counts>);

impl LastCounts {
    pub(super) fn set(&self, counts: Counts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// Puts the counts into a record as it was before the edit.
    pub(super) fn enter(&self, run: &mut RunRecord) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        run.rows_loaded = run.rows_loaded.saturating_sub(counts.left_out);
        run.rows_duplicate += counts.left_out;
        run.rows_updated += counts.updated;
        run.rows_deleted += counts.deleted;
        run.notes.extend(counts.notes.iter().cloned());
    }
}

/// `1 row`, `2 rows`.
pub(super) fn rows(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}
