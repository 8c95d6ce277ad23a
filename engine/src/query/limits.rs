//! What one query, and all of them together, may use.

use std::time::Duration;

use crate::policy::PrincipalClass;

/// Loads may take as long as their data needs; a day is a load that hangs.
const BATCH_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

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
    /// What all queries of dashboards, and each of them, may use.
    pub dashboard: ClassLimits,
    /// What all queries of analysts, and each of them, may use.
    pub analyst: ClassLimits,
    /// Results that are kept for whoever asked to come back.
    pub kept: KeptLimits,
    /// Bytes of results that are kept in memory for those who ask the same; 0: none.
    pub cache_bytes: u64,
}

/// What the queries of one class may use. 0 is no limit of the class's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassLimits {
    /// Queries that run at one time; further ones wait.
    pub concurrent: usize,
    /// Queries that wait for that; further ones are refused.
    pub queued: usize,
    /// Seconds that one query may take, waiting included.
    pub timeout: Duration,
    /// Bytes that the operators of one query may hold before they spill or fail.
    pub memory_bytes: usize,
    /// Bytes that one query may read from files.
    pub scan_bytes: u64,
    /// Rows that one result may have, where the request does not say.
    pub max_rows: usize,
}

impl ClassLimits {
    /// Nothing beyond what holds for everyone.
    pub const NONE: Self =
        Self { concurrent: 0, queued: 0, timeout: Duration::ZERO, memory_bytes: 0, scan_bytes: 0, max_rows: 0 };
}

/// Results of asynchronous queries.
#[derive(Debug, Clone, Copy)]
pub struct KeptLimits {
    /// Bytes on disk of one result.
    pub result_bytes: u64,
    /// Bytes on disk of all results.
    pub total_bytes: u64,
    /// A query that nobody asks about for so long is cancelled.
    pub lease: Duration,
    /// A result that nobody reads for so long is removed.
    pub retention: Duration,
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
            dashboard: ClassLimits {
                concurrent: 64,
                queued: 1_000,
                timeout: Duration::from_secs(60),
                ..ClassLimits::NONE
            },
            analyst: ClassLimits { concurrent: 8, queued: 100, ..ClassLimits::NONE },
            kept: KeptLimits {
                result_bytes: 4 << 30,
                total_bytes: 32 << 30,
                lease: Duration::from_secs(300),
                retention: Duration::from_secs(600),
            },
            cache_bytes: 256 << 20,
        }
    }
}

/// What holds for one query: the limits of its principal's class over those of everyone. Where a query passes one, the
/// message names the setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    pub(crate) timeout: Duration,
    pub(crate) timeout_setting: &'static str,
    /// 0: no limit.
    pub(crate) max_rows: usize,
    /// 0: no limit but that of all queries together.
    pub(crate) memory_bytes: usize,
    pub(crate) memory_setting: &'static str,
    /// 0: no limit.
    pub(crate) scan_bytes: u64,
    pub(crate) scan_setting: &'static str,
}

impl Limits {
    /// The class decides: a load is bounded by its data, those who operate the platform by what holds for everyone.
    pub(crate) fn of_query(&self, class: PrincipalClass) -> Allowed {
        let everyone = Allowed {
            timeout: self.timeout,
            timeout_setting: "limits.timeout_seconds",
            max_rows: self.max_rows,
            memory_bytes: 0,
            memory_setting: "limits.memory_bytes",
            scan_bytes: 0,
            scan_setting: "",
        };
        match class {
            PrincipalClass::Batch => Allowed { timeout: BATCH_TIMEOUT, max_rows: 0, ..everyone },
            PrincipalClass::Operator => everyone,
            PrincipalClass::Dashboard => {
                let names = [
                    "limits.dashboard_timeout_seconds",
                    "limits.dashboard_memory_bytes",
                    "limits.dashboard_scan_bytes",
                ];
                everyone.narrowed(&self.dashboard, names)
            }
            PrincipalClass::Analyst => {
                let names =
                    ["limits.analyst_timeout_seconds", "limits.analyst_memory_bytes", "limits.analyst_scan_bytes"];
                everyone.narrowed(&self.analyst, names)
            }
        }
    }
}

impl Allowed {
    fn narrowed(mut self, class: &ClassLimits, [timeout, memory, scan]: [&'static str; 3]) -> Self {
        if class.timeout > Duration::ZERO && class.timeout < self.timeout {
            (self.timeout, self.timeout_setting) = (class.timeout, timeout);
        }
        if class.max_rows > 0 && (self.max_rows == 0 || class.max_rows < self.max_rows) {
            self.max_rows = class.max_rows;
        }
        (self.memory_bytes, self.memory_setting) = (class.memory_bytes, memory);
        (self.scan_bytes, self.scan_setting) = (class.scan_bytes, scan);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_limit_counts_and_is_named() {
        let class = ClassLimits { timeout: Duration::from_secs(7), max_rows: 5, ..ClassLimits::NONE };
        let limits = Limits { dashboard: class, max_rows: 9, ..Limits::default() };
        let allowed = limits.of_query(PrincipalClass::Dashboard);
        assert_eq!((allowed.timeout, allowed.max_rows), (Duration::from_secs(7), 5));
        assert_eq!(allowed.timeout_setting, "limits.dashboard_timeout_seconds");
        let longer = ClassLimits { timeout: Duration::from_secs(900), max_rows: 50, ..ClassLimits::NONE };
        let allowed = Limits { dashboard: longer, ..limits }.of_query(PrincipalClass::Dashboard);
        assert_eq!((allowed.timeout, allowed.max_rows), (Duration::from_secs(300), 9));
        assert_eq!(allowed.timeout_setting, "limits.timeout_seconds");
        assert_eq!(Limits::default().of_query(PrincipalClass::Batch).max_rows, 0);
    }
}
