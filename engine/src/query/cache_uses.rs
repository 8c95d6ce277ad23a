//! How often the cache had the answer.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cache::CacheUse;

/// Queries by what the cache of results had to do with them, since the engine was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Its rows came from there.
    pub hits: u64,
    /// It was asked and did not have them.
    pub misses: u64,
    /// It was not asked: the answer depends on more than tables, or there is no cache.
    pub bypassed: u64,
}

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct CacheUses {
    hits: AtomicU64,
    misses: AtomicU64,
    bypassed: AtomicU64,
}

impl CacheUses {
    pub(super) fn count(&self, used: CacheUse) {
        let counter = match used {
            CacheUse::Hit => &self.hits,
            CacheUse::Miss => &self.misses,
            CacheUse::Bypass => &self.bypassed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheCounts { hits: count(&self.hits), misses: count(&self.misses), bypassed: count(&self.bypassed) }
    }
}
