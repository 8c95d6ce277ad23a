//! Dashboards as files: which metrics stand side by side, over which range, and by what they can be filtered.

mod definition;
mod range;
mod tile;

pub use definition::{DashboardDef, FilterDef, RangeDef, RangeEnd, TileDef, TileKind, TileSize};
pub(crate) use range::Range;
pub(crate) use tile::condition;
