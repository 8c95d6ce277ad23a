//! Metrics and their figures.

use serde_json::Value;
use utoipa::ToSchema;

use super::shared::{Bilingual, QueryReply, RegionMode, TableVersion, TimeGrain};

/// A metric's figures, with all that one needs to quote them.
#[derive(ToSchema)]
pub(crate) struct MetricReply {
    #[serde(flatten)]
    rows: QueryReply,
    /// The metric, with its definition.
    metric: MetricSummary,
    /// Length of a period.
    grain: Option<TimeGrain>,
    /// How regions were read.
    regions: Option<RegionMode>,
    /// The same in words.
    regions_label: Option<Bilingual>,
    /// Any of the tables is synthetic.
    synthetic: bool,
    /// The rollups that the figures were read from, and those that would have answered if they were not behind.
    rollups: Vec<RollupUse>,
    /// What each column is.
    columns: Vec<MetricColumn>,
    /// The tables under the figures, with their newest runs and how fresh they are; not with `provenance=none`.
    #[schema(value_type = Object, required = false)]
    provenance: Option<Value>,
}

/// What a rollup had to do with an answer.
#[derive(ToSchema)]
pub(crate) struct RollupUse {
    /// The rollup.
    name: String,
    /// What became of it.
    state: RollupState,
}

/// What became of a rollup.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RollupState {
    /// The figures were read from it.
    Used,
    /// It does not stand for the versions that the figures rest on, so that the tables were read.
    Behind,
}

/// Figures, or with `explain=true` what would be run for them.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum MetricAnswer {
    /// Figures.
    Figures(MetricReply),
    /// What would be run.
    Explanation(MetricExplanation),
}

/// What a question to a metric would run.
#[derive(ToSchema)]
pub(crate) struct MetricExplanation {
    /// The metric, with its definition.
    metric: MetricSummary,
    /// The tables it would read, each at one version.
    tables: Vec<TableVersion>,
    /// The rollups that it would be read from, and those that would answer if they were not behind.
    rollups: Vec<RollupUse>,
    /// A statement that gives the same figures; none where the plan has no form in SQL.
    sql: Option<String>,
    /// Why there is no statement.
    sql_missing: Option<String>,
    /// The logical plan.
    logical_plan: String,
    /// The operators that would run.
    physical_plan: String,
}

/// A metric.
#[derive(ToSchema)]
pub(crate) struct MetricSummary {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// Definition in words.
    description: Bilingual,
    /// Version of the definition.
    definition_version: u32,
    /// `simple`, `ratio`, `derived`, `cumulative` or `change`.
    kind: String,
    /// Unit of the value.
    unit: Option<String>,
    /// Who answers for it.
    owner: String,
    /// The table or view of its model.
    table: String,
    /// Grains that may be asked for.
    grains: Vec<TimeGrain>,
    /// Dimensions that may be grouped by.
    dimensions: Vec<String>,
    /// Ways to drill down.
    hierarchies: Vec<Hierarchy>,
    /// What its figures may be added over.
    additive: Additivity,
    /// Whether it is an estimate.
    approximate: bool,
    /// The month with which its years begin, from 1.
    fiscal_year_start: Option<u32>,
}

/// Dimensions from the whole to its parts.
#[derive(ToSchema)]
pub(crate) struct Hierarchy {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// Names as in `by`, the coarsest first.
    levels: Vec<String>,
}

/// Whether the figure of a whole is the sum of the figures of its parts.
#[derive(ToSchema)]
pub(crate) struct Additivity {
    /// Over groups.
    groups: bool,
    /// Over periods.
    periods: bool,
}

/// A column of a metric's figures.
#[derive(ToSchema)]
pub(crate) struct MetricColumn {
    /// Name in the rows.
    name: String,
    /// What it is.
    role: MetricColumnRole,
    /// Title.
    title: Bilingual,
}

/// What a column of a metric's figures is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum MetricColumnRole {
    Period,
    Dimension,
    Label,
    Value,
    Reason,
}

/// The metrics.
#[derive(ToSchema)]
pub(crate) struct MetricList {
    /// In the order of their names.
    metrics: Vec<MetricSummary>,
}
