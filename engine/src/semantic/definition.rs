//! `metrics/*.toml`: one semantic model a file.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::{Bilingual, TableName};
use crate::project::Resource;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeGrain {
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year, which is China's fiscal year too.
    Year,
}

/// `metrics/*.toml`: measures and dimensions over one table or view, and the metrics made of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticModelDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// The table or view that the expressions speak about.
    pub table: TableName,
    /// The date or timestamp column that `from`, `to` and `grain` speak about. None: the model has no time.
    pub time_dimension: Option<String>,
    /// The finest grain that makes sense; `day` unless said. A yearly stock has `year`.
    pub finest_grain: Option<TimeGrain>,
    /// Things to group by and filter on.
    #[serde(default)]
    pub dimensions: IndexMap<String, DimensionDef>,
    /// Aggregates over the table.
    #[serde(default)]
    pub measures: IndexMap<String, MeasureDef>,
    /// The published figures. Names are unique in the whole project.
    #[serde(default)]
    pub metrics: IndexMap<String, MetricDef>,
}

impl Resource for SemanticModelDef {
    const FOLDER: &'static str = "metrics";
    const KIND: &'static str = "semantic model";
    const VERSION: u32 = 1;
}

/// Something to group by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DimensionDef {
    /// SQL expression over the table's columns; the column of the dimension's own name unless said.
    pub expr: Option<String>,
    /// Title shown to people.
    pub title: Bilingual,
    /// What kind of thing it is.
    #[serde(default)]
    pub kind: DimensionKind,
}

/// What a dimension's values are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DimensionKind {
    /// Plain values.
    #[default]
    Category,
    /// Division codes: may be grouped at `<name>.province`, `.prefecture`, `.county`, `.township`, as was or as is.
    Region,
}

/// An aggregate over the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureDef {
    /// SQL aggregate expression, as in `count(*) FILTER (WHERE late)`.
    pub expr: String,
    /// A stock is measured at a moment (entities alive at a year's end): over several periods the last one counts,
    /// stocks are never added over time. A flow is added.
    #[serde(default)]
    pub stock: bool,
    /// What a period means in which a group has no row, between the first and the last period of the table.
    #[serde(default)]
    pub empty_periods: EmptyPeriods,
}

/// What a period without rows means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyPeriods {
    /// Nobody delivered: the figure is missing. A year that was not published is not a year of zero.
    #[default]
    Missing,
    /// The source is complete, and nothing happened: the figure is zero. Only for sums and counts.
    Zero,
}

/// One published figure.
// serde cannot refuse unknown keys beside a flattened enum; the loader refuses them by the schema, which can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct MetricDef {
    /// Title shown to people.
    pub title: Bilingual,
    /// The definition in words, with what is left out.
    pub description: Bilingual,
    /// Version of the definition: raised whenever the figure changes its meaning.
    #[serde(default = "first_version")]
    pub definition_version: u32,
    /// Unit of the value, as in `CNY`, `working day`; `1` for a share or rate, which screens show in percent.
    pub unit: Option<String>,
    /// Who answers for the definition.
    pub owner: String,
    /// How it is computed.
    #[serde(flatten)]
    pub kind: MetricKind,
}

fn first_version() -> u32 {
    1
}

/// How a metric is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MetricKind {
    /// One measure.
    Simple {
        /// The measure.
        measure: String,
    },
    /// One measure over another; null with a reason when the denominator is missing or zero.
    Ratio {
        /// The measure above.
        numerator: String,
        /// The measure below.
        denominator: String,
    },
    /// An expression over other metrics of the project, each perhaps taken some periods earlier.
    Derived {
        /// SQL expression over the inputs' names, as in `now / before - 1`.
        expr: String,
        /// The inputs.
        inputs: IndexMap<String, DerivedInput>,
    },
    /// A measure added up over periods.
    Cumulative {
        /// The measure.
        measure: String,
        /// Over which periods.
        window: CumulativeWindow,
    },
}

/// An input of a derived metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DerivedInput {
    /// The metric.
    pub metric: String,
    /// Periods to go back, as in `1 year` or `1 month`; none unless said.
    pub offset: Option<String>,
}

/// Over which periods a cumulative metric adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CumulativeWindow {
    /// From the beginning of the year (累计).
    YearToDate,
    /// From the first period there is.
    AllTime,
}
