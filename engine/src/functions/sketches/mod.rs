//! Sketches: small summaries of very many values that can be put together without the values. Counts of distinct values
//! do not add up over months or groups; their sketches do.

mod hyperloglog;
mod sql;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub use hyperloglog::{HyperLogLog, InvalidSketch};
pub(crate) use sql::{ESTIMATE, MERGE, SKETCH, hll_estimate, hll_merge, hll_sketch};

/// The functions of one row.
pub(super) fn scalar_functions() -> Vec<ScalarUDF> {
    vec![hll_estimate()]
}

/// The functions of many rows.
pub(super) fn aggregate_functions() -> Vec<AggregateUDF> {
    vec![hll_sketch(), hll_merge()]
}
