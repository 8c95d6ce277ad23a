//! `metrics/*.toml`: one semantic model a file.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::{Bilingual, TableName};
use crate::project::Resource;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeGrain {
    /// An hour by the clock in China; only where the time dimension is a timestamp.
    Hour,
    /// A calendar day.
    Day,
    /// A working day by the State Council's calendar; what happens on a day off counts to the next one.
    WorkingDay,
    /// An ISO week, told by its Monday.
    Week,
    /// A calendar month.
    Month,
    /// A quarter of the model's year.
    Quarter,
    /// A year, from the model's `fiscal_year_start` on: the calendar's, which is China's fiscal year too, unless said.
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
    /// The finest grain that makes sense; `day` unless said. A yearly stock has `year`, events by the clock `hour`.
    pub finest_grain: Option<TimeGrain>,
    /// The month, from 1 to 12, with which a year begins; quarters follow it. January unless said.
    pub fiscal_year_start: Option<u32>,
    /// Other tables whose columns dimensions may use, as in `enterprise.industry`, by the name that stands before the dot.
    #[serde(default)]
    pub joins: IndexMap<String, JoinDef>,
    /// Things to group by and filter on.
    #[serde(default)]
    pub dimensions: IndexMap<String, DimensionDef>,
    /// Ways to drill down, beside the levels that every region dimension has.
    #[serde(default)]
    pub hierarchies: IndexMap<String, HierarchyDef>,
    /// Aggregates over the table.
    #[serde(default)]
    pub measures: IndexMap<String, MeasureDef>,
    /// The published figures. Names are unique in the whole project.
    #[serde(default)]
    pub metrics: IndexMap<String, MetricDef>,
    /// Sums that are kept beside the table and answer what they can answer exactly. Names are unique in the whole project.
    #[serde(default)]
    pub rollups: IndexMap<String, RollupDef>,
}

impl Resource for SemanticModelDef {
    const FOLDER: &'static str = "metrics";
    const KIND: &'static str = "semantic model";
    const VERSION: u32 = 1;
}

/// A table that is looked up for each row. A row without a partner stays, and the columns are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinDef {
    /// The other table. Its contract's primary key must be among the columns of `on`, so that no row is counted twice.
    pub table: TableName,
    /// Columns that must be equal: the model's column (or one of another join, as in `"enterprise.industry"`) and the
    /// other table's.
    pub on: IndexMap<String, String>,
    /// How many rows of either side belong together.
    #[serde(default)]
    pub kind: JoinKind,
    /// For a table that keeps every version of a row: which one counts.
    pub as_of: Option<AsOfDef>,
}

/// How many rows of either side of a join belong together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JoinKind {
    /// Each of the model's rows has one partner at the most.
    #[default]
    ManyToOne,
}

/// Which version of a row counts: the one that held on the record's day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsOfDef {
    /// The model's date or timestamp column; the time dimension unless said.
    pub day: Option<String>,
    /// The other table's date or timestamp column from whose value on a version holds.
    pub valid_from: String,
    /// The column up to whose value, exclusive, it holds; missing for the one that holds now. Without the key a version
    /// holds until the next one begins.
    pub valid_to: Option<String>,
}

/// Dimensions from the whole to its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HierarchyDef {
    /// Title shown to people.
    pub title: Bilingual,
    /// Names as in `by`, the coarsest first; two at the least.
    pub levels: Vec<String>,
}

/// Something to group by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DimensionDef {
    /// SQL expression over the table's columns and those of `joins`; the column of the dimension's own name unless said.
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

/// Measures, added up by dimensions and periods and kept beside the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollupDef {
    /// What it is kept by, named as in `by`: `channel`, `region`, or only a level, as in `region.prefecture`. Questions may
    /// group by and filter on these, and on nothing else.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// The period that it is kept by; needed where the model has a time dimension. Coarser grains are answered too.
    pub grain: Option<TimeGrain>,
    /// Measures that it keeps.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Metrics of this file whose measures it keeps.
    #[serde(default)]
    pub metrics: Vec<String>,
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
    /// A metric against itself some periods earlier: 同比 with an offset of `1 year`, 环比 with one of `1 month`.
    Change {
        /// The metric.
        metric: String,
        /// Periods to go back, as in `1 year`.
        offset: String,
        /// What is told of the two.
        #[serde(rename = "as", default)]
        shown: ChangeKind,
    },
}

/// What a change tells of two figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Growth as a share of the earlier figure: `now / before - 1`.
    #[default]
    Ratio,
    /// The later figure less the earlier one.
    Difference,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CumulativeWindow {
    /// From the beginning of the model's year (累计).
    YearToDate,
    /// From the beginning of the quarter.
    QuarterToDate,
    /// From the beginning of the month.
    MonthToDate,
    /// From the Monday of the week.
    WeekToDate,
    /// From the first period there is.
    AllTime,
    /// So many periods with the present one, as in `12 months`. Where one of them is missing, so is the figure.
    Rolling(String),
}
