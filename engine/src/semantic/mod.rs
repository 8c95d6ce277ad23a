//! Dimensions, measures, metrics and time grains; a [`MetricQuery`] becomes a logical plan.

mod compile;
mod definition;
mod error;
mod expression;
mod filter;
mod formula;
mod lookback;
mod model;
mod models;
mod period;
mod plan;
mod query;
mod region;

#[cfg(test)]
mod tests;

pub use definition::{
    CumulativeWindow, DerivedInput, DimensionDef, DimensionKind, EmptyPeriods, MeasureDef, MetricDef, MetricKind,
    SemanticModelDef, TimeGrain,
};
pub use error::SemanticError;
pub use model::TableShape;
pub use models::Models;
pub use plan::{MetricPlan, ShareKey, SharedPlan};
pub use query::{MetricAnswer, MetricColumn, MetricColumnRole, MetricQuery, MetricSummary, RegionMode};
