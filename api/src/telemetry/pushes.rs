//! Pushed rows by table and outcome.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use xiangyun_engine::Error;
use xiangyun_engine::catalog::TableName;
use xiangyun_ingest::push::PushReport;

use super::{Durations, durations};

/// The table of pushes that were refused: whoever sends a request can make a name up.
const NO_TABLE: &str = "";

#[derive(Debug, Clone)]
pub(super) struct PushCounters {
    durations: Durations<PushLabels>,
    rows: Family<RowLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PushLabels {
    outcome: &'static str,
    /// The code of a failure; empty, which Prometheus takes for absent, where nothing failed.
    error_type: &'static str,
    table: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RowLabels {
    outcome: &'static str,
    table: String,
}

impl PushCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counters = Self { durations: durations(), rows: Family::default() };
        registry.register_with_unit(
            "xiangyun_push_duration",
            "Time from the last byte of pushed rows until they are durable, by table and how it ended",
            Unit::Seconds,
            counters.durations.clone(),
        );
        registry.register("xiangyun_push_rows", "Pushed rows by table and what became of them", counters.rows.clone());
        counters
    }

    pub(super) fn count(&self, table: &TableName, answer: Result<&PushReport, &Error>, took: Duration) {
        let (outcome, error_type, table) = match answer {
            Ok(report) if report.loaded => ("loaded", "", table.to_string()),
            Ok(_) => ("unchanged", "", table.to_string()),
            Err(error) => ("failed", error.kind().code(), NO_TABLE.to_owned()),
        };
        if let Ok(PushReport { rows: Some(rows), .. }) = answer {
            for (outcome, rows) in [("loaded", rows.loaded), ("rejected", rows.rejected), ("duplicate", rows.duplicate)]
            {
                self.rows.get_or_create(&RowLabels { outcome, table: table.clone() }).inc_by(rows);
            }
        }
        let labels = PushLabels { outcome, error_type, table };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}
