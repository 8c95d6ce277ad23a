//! Dashboards: as they are declared, and their figures.

use utoipa::ToSchema;

use super::metrics::MetricFigures;
use super::provenance::TablesProvenance;
use super::shared::{Bilingual, EntryProblem, RangeDays, RegionMode, TableVersion, TimeGrain};

/// The dashboards.
#[derive(ToSchema)]
pub(crate) struct DashboardList {
    /// In the order of their names.
    dashboards: Vec<DashboardSummary>,
}

/// A dashboard in a list.
#[derive(ToSchema)]
pub(crate) struct DashboardSummary {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// What it shows.
    description: Bilingual,
    /// What a viewer may choose.
    filters: Vec<DashboardFilter>,
    /// The number of its tiles.
    tiles: u64,
    /// Where more is told.
    links: DashboardLinks,
}

/// Where more is told of a dashboard.
#[derive(ToSchema)]
pub(crate) struct DashboardLinks {
    /// Its definition.
    definition: String,
    /// Its figures.
    data: String,
}

/// A choice of values of one dimension.
#[derive(ToSchema)]
pub(crate) struct DashboardFilter {
    /// Name, which is the parameter of the request.
    name: String,
    /// Title.
    title: Bilingual,
    /// The dimension.
    dimension: String,
    /// The values where the viewer chooses none; empty for all.
    default: Vec<String>,
}

/// A dashboard as it is declared.
#[derive(ToSchema)]
pub(crate) struct DashboardDetail {
    /// Version of the file's format.
    version: u32,
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// What it shows.
    description: Bilingual,
    /// What a viewer may choose.
    filters: Vec<DashboardFilter>,
    /// The figures, in the order in which they are laid out.
    tiles: Vec<DashboardTile>,
    /// Where more is told.
    links: DashboardLinks,
}

/// How a tile is drawn.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum TileKind {
    Number,
    Line,
    Bar,
    Table,
    Map,
}

/// One figure, or one chart of them.
#[derive(ToSchema)]
pub(crate) struct DashboardTile {
    /// Name, unique within the dashboard.
    name: String,
    /// Title; the metric's unless said.
    title: Option<Bilingual>,
    /// The metric.
    metric: String,
    /// How it is drawn.
    kind: TileKind,
    /// Dimensions to group by.
    by: Vec<String>,
    /// Length of a period; none gives one figure over the whole range.
    grain: Option<TimeGrain>,
    /// The days that it covers; all there are unless said.
    range: Option<RangeDays>,
    /// A condition that always holds.
    r#where: Option<String>,
    /// Columns to order by, each with `-` in front for descending.
    order: Vec<String>,
    /// Rows at the most.
    limit: Option<u64>,
    /// How regions are read.
    regions: Option<RegionMode>,
    /// Its place in the grid.
    size: TileSize,
}

/// A tile's size in a grid of twelve columns.
#[derive(ToSchema)]
pub(crate) struct TileSize {
    /// Columns.
    width: u32,
    /// Rows.
    height: u32,
}

/// The figures of a dashboard's tiles.
#[derive(ToSchema)]
pub(crate) struct DashboardData {
    /// The dashboard.
    dashboard: String,
    /// The filters, with the values that hold.
    filters: Vec<FilterValues>,
    /// The tables, each at the one version that all tiles rest on.
    tables: Vec<TableVersion>,
    /// What those tables rest on; not with `provenance=none`.
    #[schema(nullable = false)]
    provenance: Option<TablesProvenance>,
    /// The tiles in their order.
    answers: Vec<TileAnswer>,
}

/// The values of a filter; none for all.
#[derive(ToSchema)]
pub(crate) struct FilterValues {
    /// The filter.
    name: String,
    /// Its dimension.
    dimension: String,
    /// The values.
    values: Vec<String>,
}

/// The figures of a tile, or why it has none.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum TileAnswer {
    /// Figures.
    Figures(Box<TileFigures>),
    /// The tile's question failed.
    Failed(TileFailure),
}

/// A tile, and the filters that it is under.
#[derive(ToSchema)]
pub(crate) struct TileHead {
    /// The tile.
    name: String,
    /// Its status, as if it had been asked alone.
    status: u16,
    /// The filters with values that it is under.
    filtered_by: Vec<String>,
    /// Those that it is not under, since its metric lacks their dimension.
    not_filtered_by: Vec<String>,
}

/// A tile with its figures.
#[derive(ToSchema)]
pub(crate) struct TileFigures {
    #[serde(flatten)]
    tile: TileHead,
    #[serde(flatten)]
    figures: MetricFigures,
}

/// A tile without figures.
#[derive(ToSchema)]
pub(crate) struct TileFailure {
    #[serde(flatten)]
    tile: TileHead,
    /// Why.
    problem: EntryProblem,
}
