//! Dimensions, measures, metrics and time grains; a [`MetricQuery`] becomes a logical plan.

mod definition;
mod query;

pub use definition::{
    CumulativeWindow, DerivedInput, DimensionDef, DimensionKind, MeasureDef, MetricDef, MetricKind, SemanticModelDef,
    TimeGrain,
};
pub use query::{MetricAnswer, MetricColumn, MetricColumnRole, MetricQuery, MetricSummary, RegionMode};
