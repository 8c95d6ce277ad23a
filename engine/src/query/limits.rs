//! What one query, and all of them together, may use.

use std::time::Duration;

/// Limits; each has a setting.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes that all queries' operators may hold before they spill or fail.
    pub memory_bytes: usize,
    /// Bytes on disk that operators may spill into when memory is short.
    pub spill_bytes: u64,
    /// Partitions that a query runs in.
    pub target_partitions: usize,
    /// Seconds that one query may take.
    pub timeout: Duration,
    /// Bytes of one statement.
    pub sql_bytes: usize,
    /// Rows that one result may have, where the request does not say; 0: no limit.
    pub max_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            spill_bytes: 32 << 30,
            target_partitions: std::thread::available_parallelism().map_or(2, usize::from),
            timeout: Duration::from_secs(300),
            sql_bytes: 256 << 10,
            max_rows: 0,
        }
    }
}
