//! What the engine knows of itself: memory, queries that run and wait, and how often the cache had the answer.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use xiangyun_engine::Engine;

/// Figures that are looked at when they are asked for.
#[derive(Debug)]
pub(super) struct EngineFigures {
    reserved_bytes: Gauge<u64, AtomicU64>,
    memory_limit_bytes: Gauge<u64, AtomicU64>,
    running: Family<ClassLabels, Gauge>,
    queued: Family<ClassLabels, Gauge>,
    cache: Family<CacheLabels, Counter>,
    cache_bytes: Gauge<u64, AtomicU64>,
    cache_limit_bytes: Gauge<u64, AtomicU64>,
    cache_entries: Gauge<u64, AtomicU64>,
    cache_evictions: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    outcome: &'static str,
}

impl EngineFigures {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let reserved_bytes =
            bytes(registry, "xiangyun_memory_pool_reserved", "Memory that the operators of running queries hold");
        let memory_limit_bytes =
            bytes(registry, "xiangyun_memory_pool_limit", "Memory that the operators of all queries may hold together");
        let running = Family::default();
        registry.register(
            "xiangyun_queries_running",
            "Queries whose operators work or whose rows are fetched, by the caller's class",
            running.clone(),
        );
        let queued = Family::default();
        registry.register("xiangyun_queries_queued", "Queries that wait for a slot of their class", queued.clone());
        let cache = Family::default();
        registry.register(
            "xiangyun_result_cache_queries",
            "Queries by what the memory of results had to do with them",
            cache.clone(),
        );
        let cache_bytes = bytes(registry, "xiangyun_result_cache_size", "Memory that results and replies take");
        let cache_limit_bytes =
            bytes(registry, "xiangyun_result_cache_limit", "Memory that results and replies may take");
        let cache_entries = Gauge::default();
        registry.register("xiangyun_result_cache_entries", "Results and replies in memory", cache_entries.clone());
        let cache_evictions = Counter::default();
        registry.register(
            "xiangyun_result_cache_evictions",
            "Results and replies that had to make room for others",
            cache_evictions.clone(),
        );
        Self {
            reserved_bytes,
            memory_limit_bytes,
            running,
            queued,
            cache,
            cache_bytes,
            cache_limit_bytes,
            cache_entries,
            cache_evictions,
        }
    }

    /// A reply to so many queries was given again whole, without a plan.
    pub(super) fn reply_given_again(&self, queries: usize) {
        self.cache.get_or_create(&CacheLabels { outcome: "reply" }).inc_by(queries as u64);
    }

    /// Looks at the figures anew.
    pub(super) fn look(&self, engine: &Engine) {
        self.reserved_bytes.set(engine.reserved_bytes() as u64);
        self.memory_limit_bytes.set(engine.limits().memory_bytes as u64);
        for load in engine.load() {
            let labels = ClassLabels { class: load.class.name() };
            let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            self.running.get_or_create(&labels).set(gauge(load.running));
            self.queued.get_or_create(&labels).set(gauge(load.queued));
        }
        let counts = engine.cache_counts();
        for (outcome, count) in [("hit", counts.hits), ("miss", counts.misses), ("bypass", counts.bypassed)] {
            self.cache.get_or_create(&CacheLabels { outcome }).inner().store(count, Ordering::Relaxed);
        }
        let size = engine.cache_size();
        self.cache_bytes.set(size.bytes);
        self.cache_limit_bytes.set(size.limit_bytes);
        self.cache_entries.set(size.entries);
        self.cache_evictions.inner().store(size.evicted, Ordering::Relaxed);
        // It is there from the beginning, as the others are.
        drop(self.cache.get_or_create(&CacheLabels { outcome: "reply" }));
    }
}

/// A figure in bytes.
fn bytes(registry: &mut Registry, name: &str, help: &str) -> Gauge<u64, AtomicU64> {
    let gauge = Gauge::default();
    registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
    gauge
}
