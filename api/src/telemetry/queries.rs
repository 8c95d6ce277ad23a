//! Queries by class and outcome.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use xiangyun_engine::query::{QueryOutcome, QueryRecord, QuerySink};

use super::{Durations, durations};

#[derive(Debug, Clone)]
pub(super) struct QueryCounters {
    durations: Durations<QueryLabels>,
    rows: Family<ClassLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    class: &'static str,
    outcome: &'static str,
    /// The code of a failure; empty, which Prometheus takes for absent, where nothing failed.
    error_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

impl QueryCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counters = Self { durations: durations(), rows: Family::default() };
        registry.register_with_unit(
            "xiangyun_query_duration",
            "Time from a question to its last row, by the caller's class and how it ended",
            Unit::Seconds,
            counters.durations.clone(),
        );
        registry.register("xiangyun_query_rows", "Rows that queries handed out", counters.rows.clone());
        counters
    }

    fn count(&self, record: &QueryRecord) {
        let error_type = match record.outcome {
            QueryOutcome::Failed(kind) => kind.code(),
            _ => "",
        };
        let class = record.principal.class().name();
        let labels = QueryLabels { class, outcome: record.outcome.name(), error_type };
        self.durations.get_or_create(&labels).observe(record.elapsed.as_secs_f64());
        self.rows.get_or_create(&ClassLabels { class }).inc_by(record.rows);
    }
}

/// Counts records on their way to whoever keeps them.
#[derive(Debug)]
pub(super) struct CountedQueries {
    pub(super) counters: QueryCounters,
    pub(super) kept: Arc<dyn QuerySink>,
}

impl QuerySink for CountedQueries {
    fn record(&self, record: QueryRecord) {
        self.counters.count(&record);
        self.kept.record(record);
    }
}
