//! Metrics and their figures.

use utoipa::ToSchema;

use super::provenance::{Provenance, TablesProvenance};
use super::shared::{Bilingual, EntryProblem, QueryReply, RegionMode, TableVersion, TimeGrain};

/// A metric's figures, with all that one needs to quote them, and what they rest on.
#[derive(ToSchema)]
pub(crate) struct MetricReply {
    #[serde(flatten)]
    figures: MetricFigures,
    /// The tables under the figures, with their newest runs and how fresh they are; not with `provenance=none`.
    #[schema(nullable = false)]
    provenance: Option<Provenance>,
}

/// A metric's figures, with all that one needs to quote them.
#[derive(ToSchema)]
pub(crate) struct MetricFigures {
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

/// The answers to several questions, over one version of each table.
#[derive(ToSchema)]
pub(crate) struct MetricAnswers {
    /// The tables, each at the one version that all answers rest on.
    tables: Vec<TableVersion>,
    /// What those tables rest on; not with `provenance=none` or `explain=true`.
    #[schema(nullable = false)]
    provenance: Option<TablesProvenance>,
    /// In the order of the questions.
    answers: Vec<MetricEntry>,
}

/// The answer to one question among several.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum MetricEntry {
    /// Figures.
    Figures(FiguresEntry),
    /// What would be run, with `explain=true`.
    Explanation(ExplanationEntry),
    /// The question failed.
    Failed(FailedEntry),
}

/// A question among several.
#[derive(ToSchema)]
pub(crate) struct EntryHead {
    /// The caller's own name for it.
    name: Option<String>,
    /// Its status, as if it had been asked alone.
    status: u16,
}

/// A question with its figures.
#[derive(ToSchema)]
pub(crate) struct FiguresEntry {
    #[serde(flatten)]
    entry: EntryHead,
    #[serde(flatten)]
    figures: MetricFigures,
}

/// A question with what would be run for it.
#[derive(ToSchema)]
pub(crate) struct ExplanationEntry {
    #[serde(flatten)]
    entry: EntryHead,
    /// What would be run.
    explanation: MetricExplanation,
}

/// A question without an answer.
#[derive(ToSchema)]
pub(crate) struct FailedEntry {
    #[serde(flatten)]
    entry: EntryHead,
    /// Why.
    problem: EntryProblem,
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
