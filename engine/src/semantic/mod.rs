//! Dimensions, measures, metrics and time grains; a [`MetricQuery`] becomes a logical plan.

mod compile;
mod condition;
mod definition;
mod error;
mod expression;
mod filter;
mod formula;
mod join;
mod lookback;
mod model;
mod models;
mod period;
mod plan;
mod query;
mod region;
mod rollup;
mod sketched;
mod summary;
mod window;
mod working_days;

#[cfg(test)]
mod tests;

pub use condition::{Comparison, ComparisonOp, Condition};
pub use definition::{
    AsOfDef, ChangeKind, CumulativeWindow, DerivedInput, DimensionDef, DimensionKind, EmptyPeriods, HierarchyDef,
    JoinDef, JoinKind, MeasureDef, MetricDef, MetricKind, RollupDef, SemanticModelDef, TimeGrain,
};
pub use error::SemanticError;
pub use model::{TableShape, ViewShape};
pub use models::Models;
pub(crate) use period::Periods;
pub use plan::{MetricPlan, ShareKey, SharedPlan};
pub use query::{
    Additivity, Hierarchy, MetricAnswer, MetricColumn, MetricColumnRole, MetricQuery, MetricSummary, RegionMode,
};
pub use rollup::{AskedQuestion, RollupAdvice, RollupProposal, Tally};
pub use rollup::{RollupState, RollupSummary, RollupTable, RollupUse};
