//! What can be checked of dashboards without the metrics: names, sizes, ranges, and what each kind of tile needs.

use std::collections::{HashMap, HashSet};

use super::check::{keep_sound, not_an_identifier};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use crate::catalog::is_identifier;
use crate::dashboard::{DashboardDef, Range, TileDef, TileKind};
use crate::error::Classify;

/// Columns of the grid, and rows of a tile at the most.
const GRID: std::ops::RangeInclusive<u32> = 1..=12;
/// Tiles of one dashboard: all of them are answered in one request.
const MAX_TILES: usize = 100;
/// Rows of a tile at the most.
const MAX_ROWS: usize = 10_000;
/// Parameters of the request for a dashboard's data that are no filters.
const RESERVED: [&str; 7] = ["format", "numbers", "bom", "formulas", "provenance", "explain", "page"];

/// Names are unique, and every tile can be drawn.
pub(super) fn check_dashboards(dashboards: &mut Vec<Document<DashboardDef>>, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<String, String> = HashMap::new();
    keep_sound(dashboards, diagnostics, |dashboard| {
        let name = &dashboard.def.name;
        let mut faults = Vec::new();
        if !is_identifier(name) {
            faults.push(not_an_identifier(dashboard, &["name"], name, "dashboard"));
        }
        if let Some(first) = seen.get(name) {
            let message = format!("dashboard `{name}` is declared twice, first in {first}");
            faults.push(dashboard.fault(&["name"], message).with_hint("rename one of them"));
        } else {
            seen.insert(name.clone(), dashboard.place_of(&["name"]));
        }
        faults.extend(filter_faults(dashboard));
        let tiles = dashboard.def.tiles.len();
        if tiles == 0 || tiles > MAX_TILES {
            faults.push(dashboard.fault(&["tiles"], format!("a dashboard has 1 to {MAX_TILES} tiles, not {tiles}")));
        }
        let mut names = HashSet::new();
        for (at, tile) in dashboard.def.tiles.iter().enumerate() {
            let at = at.to_string();
            let fault = |key: &str, message: String| dashboard.fault(&["tiles", &at, key], message);
            if !is_identifier(&tile.name) {
                faults.push(not_an_identifier(dashboard, &["tiles", &at, "name"], &tile.name, "tile"));
            } else if !names.insert(&tile.name) {
                faults.push(fault("name", format!("two tiles are called `{}`", tile.name)));
            }
            faults.extend(tile_faults(tile, &fault));
        }
        faults
    });
}

fn filter_faults(dashboard: &Document<DashboardDef>) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut names = HashSet::new();
    for (at, filter) in dashboard.def.filters.iter().enumerate() {
        let at = at.to_string();
        let path = ["filters", at.as_str(), "name"];
        if !is_identifier(&filter.name) {
            faults.push(not_an_identifier(dashboard, &path, &filter.name, "filter"));
        } else if RESERVED.contains(&filter.name.as_str()) {
            let message = format!("`{}` is a parameter of every request, and no name for a filter", filter.name);
            faults.push(dashboard.fault(&path, message));
        } else if !names.insert(&filter.name) {
            faults.push(dashboard.fault(&path, format!("two filters are called `{}`", filter.name)));
        }
    }
    faults
}

fn tile_faults(tile: &TileDef, fault: &impl Fn(&str, String) -> Diagnostic) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    if !GRID.contains(&tile.size.width) || !GRID.contains(&tile.size.height) {
        let message = format!("a tile of {} by {} does not fit", tile.size.width, tile.size.height);
        faults.push(fault("size", message).with_hint("the grid has 12 columns, and a tile 1 to 12 rows"));
    }
    if let Some(range) = &tile.range
        && let Err(error) = Range::read(range)
    {
        let found = fault("range", error.to_string());
        faults.push(match error.hint() {
            Some(hint) => found.with_hint(hint),
            None => found,
        });
    }
    if tile.limit.is_some_and(|limit| limit == 0 || limit > MAX_ROWS) {
        faults.push(fault("limit", format!("a tile has 1 to {MAX_ROWS} rows")));
    }
    match tile.kind {
        TileKind::Number if !tile.by.is_empty() => {
            faults.push(
                fault("by", "a number is one figure, and has no groups".into()).with_hint("use `kind = \"table\"`"),
            );
        }
        TileKind::Line if tile.grain.is_none() => {
            faults.push(fault("kind", "a line runs over periods, and the tile has no `grain`".into()));
        }
        TileKind::Bar if tile.grain.is_none() && tile.by.is_empty() => {
            faults.push(fault(
                "kind",
                "bars stand for groups or periods, and the tile has neither `by` nor `grain`".into(),
            ));
        }
        TileKind::Map if tile.by.len() != 1 => {
            faults.push(fault("kind", "a map needs one region dimension in `by`".into()));
        }
        _ => {}
    }
    faults
}
