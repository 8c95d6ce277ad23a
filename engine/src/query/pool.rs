//! The memory of one query within the memory of all.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;

/// Counts what one query's operators hold in the pool of all queries, and keeps it within the query's own limit: an
/// operator that is told that there is no more spills, or fails.
#[derive(Debug)]
pub(crate) struct QueryPool {
    shared: Arc<dyn MemoryPool>,
    used: AtomicUsize,
    peak: AtomicUsize,
    /// Why an operator was told that there is no more, the first time.
    denied: OnceLock<String>,
    /// 0: no limit but the pool's.
    limit: usize,
    setting: &'static str,
}

impl QueryPool {
    /// Within `shared`; `setting` is the limit's name.
    pub(crate) fn new(shared: Arc<dyn MemoryPool>, limit: usize, setting: &'static str) -> Self {
        let (used, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { shared, used, peak, denied: OnceLock::new(), limit, setting }
    }

    /// Bytes that were held at once, at the most.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Why an operator was told that there is no more memory, where one was.
    pub(crate) fn denied(&self) -> Option<&str> {
        self.denied.get().map(String::as_str)
    }

    fn deny(&self, message: String) -> DataFusionError {
        let error = DataFusionError::ResourcesExhausted(message.clone());
        // Only the first is of interest.
        let _ = self.denied.set(message);
        error
    }

    fn grown(&self, additional: usize) {
        let used = self.used.fetch_add(additional, Ordering::Relaxed).saturating_add(additional);
        self.peak.fetch_max(used, Ordering::Relaxed);
    }
}

/// The environment of one query, which shares everything but the count of its memory.
pub(crate) fn with_pool(env: &RuntimeEnv, pool: &Arc<QueryPool>) -> RuntimeEnv {
    let memory_pool = Arc::clone(pool) as Arc<dyn MemoryPool>;
    RuntimeEnv { memory_pool, ..env.clone() }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(used: {})", self.name(), self.used.load(Ordering::Relaxed))
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &'static str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
        self.grown(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if self.limit > 0 && self.used.load(Ordering::Relaxed).saturating_add(additional) > self.limit {
            let who = reservation.consumer().name();
            let limit = self.limit;
            let message =
                format!("the query would hold more than {limit} bytes in memory, for {who} (`{}`)", self.setting);
            return Err(self.deny(message));
        }
        self.shared.try_grow(reservation, additional).map_err(|error| match error {
            DataFusionError::ResourcesExhausted(message) => self.deny(message),
            other => other,
        })?;
        self.grown(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        if self.limit > 0 { MemoryLimit::Finite(self.limit) } else { self.shared.memory_limit() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn a_query_keeps_to_its_own_limit_and_to_that_of_all() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let own = Arc::new(QueryPool::new(Arc::clone(&shared), 60, "limits.analyst_memory_bytes"));
        let pool = Arc::clone(&own) as Arc<dyn MemoryPool>;
        let held = MemoryConsumer::new("sort").register(&pool);
        held.try_grow(50).unwrap();
        let message = held.try_grow(20).unwrap_err().to_string();
        assert!(own.denied().unwrap().contains("more than 60 bytes"));
        assert!(message.contains("more than 60 bytes") && message.contains("limits.analyst_memory_bytes"), "{message}");
        let others = MemoryConsumer::new("others").register(&shared);
        others.try_grow(45).unwrap();
        assert!(held.try_grow(8).is_err(), "the shared pool is full");
        held.shrink(40);
        assert_eq!((pool.reserved(), own.peak(), shared.reserved()), (10, 50, 55));
        drop(held);
        assert_eq!((pool.reserved(), shared.reserved()), (0, 45));
    }
}
