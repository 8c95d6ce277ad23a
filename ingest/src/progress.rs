//! How a load tells how far it is.

use std::fmt::Debug;

/// Receives the progress of one load; called from worker threads, must return at once.
pub trait Progress: Debug + Send + Sync {
    /// A step begins, as in `reading`, `committing`; `total_bytes` where it is known.
    fn step(&self, name: &'static str, total_bytes: Option<u64>);
    /// So many more rows and source bytes were handled.
    fn advance(&self, rows: u64, bytes: u64);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _name: &'static str, _total_bytes: Option<u64>) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
}
