//! What is asked of a metric, and what comes back.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use super::condition::Condition;
use super::definition::TimeGrain;
use super::rollup::RollupUse;
use crate::catalog::Bilingual;
use crate::query::QueryResult;

/// Whether old division codes stay what they were or become what succeeded them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegionMode {
    /// 原区划: the division as it was when the record was made.
    AsWas,
    /// 现区划: the division that holds the place today. A code that was split among several, or dissolved without an
    /// heir, has no such division: its records keep it, and [`Self::label`] says so.
    AsIs,
}

impl RegionMode {
    /// How divisions were read, in words that stand beside every figure.
    pub fn label(self) -> Bilingual {
        let (zh, en) = match self {
            Self::AsWas => ("原区划", "divisions as they were"),
            Self::AsIs => {
                ("现区划（已拆分或撤销的保留原代码）", "divisions of today, codes split or dissolved since unchanged")
            }
        };
        Bilingual { zh: zh.into(), en: en.into() }
    }
}

/// A question to one metric.
#[derive(Debug, Clone, Default)]
pub struct MetricQuery {
    /// The metric's name.
    pub metric: String,
    /// Dimensions to group by: `channel`, or `region.prefecture` for a region dimension's level.
    pub by: Vec<String>,
    /// SQL predicate over dimensions, as in `channel = 'online' and region.prefecture = '220100'`.
    pub filter: Option<String>,
    /// Conditions as data, which hold beside `filter`.
    pub conditions: Option<Condition>,
    /// Length of a period; none gives one figure over the whole range.
    pub grain: Option<TimeGrain>,
    /// First day, inclusive.
    pub from: Option<NaiveDate>,
    /// Last day, inclusive.
    pub to: Option<NaiveDate>,
    /// Rows at the most; past it the answer ends and says that it was truncated. None: the principal's own limit.
    pub limit: Option<usize>,
    /// Columns to order by, each with `-` in front for descending; period, then dimensions unless said.
    pub order: Vec<String>,
    /// How regions are read; as was unless said.
    pub regions: Option<RegionMode>,
}

/// The question as records of queries show it, in the order of the HTTP parameters.
impl fmt::Display for MetricQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metric {}", self.metric)?;
        let joined = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        let regions = self.regions.map(|mode| match mode {
            RegionMode::AsWas => "as_was".to_owned(),
            RegionMode::AsIs => "as_is".to_owned(),
        });
        let parts = [
            ("by", joined(&self.by)),
            ("where", self.filter.clone()),
            ("conditions", self.conditions.as_ref().and_then(|held| serde_json::to_string(held).ok())),
            ("grain", self.grain.map(|grain| grain.name().to_owned())),
            ("from", self.from.map(|day| day.to_string())),
            ("to", self.to.map(|day| day.to_string())),
            ("order", joined(&self.order)),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("regions", regions),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

impl MetricQuery {
    /// The question that a record of a query shows, as its `Display` wrote it; none for what is no question to a metric,
    /// and for one that was cut off. What is read looks like the parts of a question, and is not proven to be them: a
    /// condition may end like one.
    pub fn of_record(text: &str) -> Option<Self> {
        let text = text.strip_prefix("metric ").filter(|text| !text.ends_with('…'))?;
        let (metric, mut rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut query = Self { metric: metric.into(), ..Self::default() };
        // From the end: behind the conditions no part has a space.
        let mut last = |name: &str| -> Option<String> {
            let at = rest.rfind(' ').map_or(0, |space| space + 1);
            let value = rest[at..].strip_prefix(name)?.strip_prefix('=')?.to_owned();
            rest = rest[..at].trim_end();
            Some(value)
        };
        let names = |text: String| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        query.regions = last("regions").map(|text| text.parse()).transpose().ok()?;
        query.limit = last("limit").map(|text| text.parse()).transpose().ok()?;
        query.order = last("order").map(names).unwrap_or_default();
        query.to = last("to").map(|text| text.parse()).transpose().ok()?;
        query.from = last("from").map(|text| text.parse()).transpose().ok()?;
        query.grain = last("grain").map(|text| text.parse()).transpose().ok()?;
        if let Some((before, held)) = rest.split_once("conditions=") {
            query.conditions = Some(serde_json::from_str(held).ok()?);
            rest = before.trim_end();
        }
        if let Some(by) = rest.strip_prefix("by=") {
            let (by, behind) = by.split_once(' ').unwrap_or((by, ""));
            query.by = names(by.to_owned());
            rest = behind;
        }
        query.filter = match rest {
            "" => None,
            rest => Some(rest.strip_prefix("where=")?.to_owned()),
        };
        Some(query)
    }
}

/// What a column of the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricColumnRole {
    /// First day of the period; an instant where periods are hours.
    Period,
    /// A dimension's value.
    Dimension,
    /// The name that belongs to a division code.
    Label,
    /// The figure.
    Value,
    /// Why the figure is null: `no_data`, `no_base`, `zero_base`; null where there is a figure.
    Reason,
}

/// A column of the answer.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MetricColumn {
    /// Name in the result's schema.
    pub name: String,
    /// What it is.
    pub role: MetricColumnRole,
    /// Title.
    pub title: Bilingual,
}

/// The answer: rows stream, everything else is known before the first one.
pub struct MetricAnswer {
    /// What was asked about.
    pub metric: MetricSummary,
    /// How regions were read.
    pub regions: Option<RegionMode>,
    /// The period's length.
    pub grain: Option<TimeGrain>,
    /// The columns, in the result's order.
    pub columns: Vec<MetricColumn>,
    /// Any of the tables it rests on is synthetic.
    pub synthetic: bool,
    /// The rollups that it was read from, and those that would have answered if they were not behind.
    pub rollups: Vec<RollupUse>,
    /// The rows, and the table versions they rest on.
    pub result: QueryResult,
}

/// A metric as the catalogue shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MetricSummary {
    /// Name.
    pub name: String,
    /// Title.
    pub title: Bilingual,
    /// Definition in words.
    pub description: Bilingual,
    /// Version of the definition.
    pub definition_version: u32,
    /// `simple`, `ratio`, `derived`, `cumulative` or `change`.
    pub kind: String,
    /// Unit of the value.
    pub unit: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// The table or view of its model.
    pub table: String,
    /// Grains that may be asked for.
    pub grains: Vec<TimeGrain>,
    /// Dimensions that may be grouped by; a region dimension lists its levels too, as in `region.prefecture`.
    pub dimensions: Vec<String>,
    /// Ways to drill down, as screens offer them.
    pub hierarchies: Vec<Hierarchy>,
    /// What its figures may be added over.
    pub additive: Additivity,
    /// Whether it is an estimate, as an approximate percentile is.
    pub approximate: bool,
    /// The month with which its years begin, from 1; none where it has no time, or its models differ.
    pub fiscal_year_start: Option<u32>,
}

/// Dimensions from the whole to its parts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Hierarchy {
    /// Name: a region dimension's own, or as declared.
    pub name: String,
    /// Title.
    pub title: Bilingual,
    /// Names as in `by`, the coarsest first.
    pub levels: Vec<String>,
}

/// Whether the figure of a whole is the sum of the figures of its parts. What may not be added is never summed here, and
/// should not be by whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Additivity {
    /// Over groups: sums and counts, of a stock too.
    pub groups: bool,
    /// Over periods: sums and counts of a flow.
    pub periods: bool,
}

/// Why a text names no grain or region mode.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is none of {expected}")]
pub struct InvalidChoice {
    text: String,
    expected: &'static str,
}

impl crate::error::Classify for InvalidChoice {
    fn kind(&self) -> crate::error::ErrorKind {
        crate::error::ErrorKind::InvalidInput
    }
}

impl FromStr for TimeGrain {
    type Err = InvalidChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "hour, day, working-day, week, month, quarter, year";
        let found = Self::ALL.into_iter().find(|grain| grain.name() == text);
        found.ok_or_else(|| InvalidChoice { text: text.into(), expected })
    }
}

impl FromStr for RegionMode {
    type Err = InvalidChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "as_was" => Ok(Self::AsWas),
            "as_is" => Ok(Self::AsIs),
            _ => Err(InvalidChoice { text: text.into(), expected: "as_was, as_is" }),
        }
    }
}
