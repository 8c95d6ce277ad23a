//! `dashboards/*.toml`: one dashboard a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::Bilingual;
use crate::project::Resource;
use crate::semantic::{RegionMode, TimeGrain};

/// `dashboards/*.toml`: figures that are looked at together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DashboardDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// Name, unique among the dashboards; part of its address.
    pub name: String,
    /// Title shown to people.
    pub title: Bilingual,
    /// What it shows, in words.
    pub description: Bilingual,
    /// What a viewer may choose.
    #[serde(default)]
    pub filters: Vec<FilterDef>,
    /// The figures, in the order in which they are laid out.
    pub tiles: Vec<TileDef>,
}

impl Resource for DashboardDef {
    const FOLDER: &'static str = "dashboards";
    const KIND: &'static str = "dashboard";
    const VERSION: u32 = 1;
}

/// A choice of values of one dimension. It applies to every tile whose metric has the dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterDef {
    /// Name, which is the parameter of the request.
    pub name: String,
    /// Title shown to people.
    pub title: Bilingual,
    /// The dimension, as in `channel` or `region.prefecture`.
    pub dimension: String,
    /// The values where the viewer chooses none; empty for all.
    #[serde(default)]
    pub default: Vec<String>,
}

/// One figure, or one chart of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TileDef {
    /// Name, unique within the dashboard.
    pub name: String,
    /// Title shown to people; the metric's unless said.
    pub title: Option<Bilingual>,
    /// The metric.
    pub metric: String,
    /// How it is drawn.
    pub kind: TileKind,
    /// Dimensions to group by.
    #[serde(default)]
    pub by: Vec<String>,
    /// Length of a period; none gives one figure over the whole range.
    pub grain: Option<TimeGrain>,
    /// The days that it covers; all there are unless said.
    pub range: Option<RangeDef>,
    /// A condition over dimensions that always holds, as in `channel = 'online'`.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Columns to order by, each with `-` in front for descending.
    #[serde(default)]
    pub order: Vec<String>,
    /// Rows at the most; 1,000 unless said, 10,000 at the most.
    pub limit: Option<usize>,
    /// How regions are read; `as_was` unless said.
    pub regions: Option<RegionMode>,
    /// Its place in the grid.
    #[serde(default)]
    pub size: TileSize,
}

/// How a tile is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TileKind {
    /// One figure.
    Number,
    /// A line over periods, one for each group.
    Line,
    /// A bar for each group or period.
    Bar,
    /// Rows.
    Table,
    /// A map of regions.
    Map,
}

/// The days that a tile covers: so many periods up to an end, or two dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeDef {
    /// So many calendar periods, as in `12 months` or `1 year`; the one that holds the end is the last.
    pub last: Option<String>,
    /// What `last` counts back from; `today` unless said.
    pub until: Option<RangeEnd>,
    /// First day, inclusive, as in `2019-01-01`.
    pub from: Option<String>,
    /// Last day, inclusive.
    pub to: Option<String>,
}

/// The end that a range counts back from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RangeEnd {
    /// Today, in China.
    #[default]
    Today,
    /// The last day for which the metric has data: figures that are published months later are not shown as missing.
    Data,
}

/// A tile's size in a grid of twelve columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TileSize {
    /// Columns, 1 to 12.
    pub width: u32,
    /// Rows, 1 to 12.
    pub height: u32,
}

impl Default for TileSize {
    fn default() -> Self {
        Self { width: 6, height: 4 }
    }
}
