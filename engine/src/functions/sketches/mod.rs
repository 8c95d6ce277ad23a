//! Sketches: small summaries of very many values that can be put together without the values. Counts of distinct values
//! and percentiles do not add up over months or groups; their sketches do.

mod aggregate;
mod distinct;
mod hyperloglog;
mod kind;
mod log_histogram;
mod percentile;
mod sketch;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub use hyperloglog::HyperLogLog;
pub(crate) use kind::{SketchKind, is_aggregate};
pub use log_histogram::LogHistogram;
pub use sketch::{InvalidSketch, Sketch};

/// The functions of one row.
pub(super) fn scalar_functions() -> Vec<ScalarUDF> {
    SketchKind::ALL.into_iter().map(SketchKind::estimate).collect()
}

/// The functions of many rows.
pub(super) fn aggregate_functions() -> Vec<AggregateUDF> {
    SketchKind::ALL.into_iter().flat_map(|kind| [kind.sketch(), kind.merge()]).collect()
}
