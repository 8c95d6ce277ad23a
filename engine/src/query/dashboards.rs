//! Dashboards over the metrics: checked against them, and turned into questions.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Date32Type;
use chrono::NaiveDate;
use datafusion::execution::context::SessionState;
use futures::StreamExt;

use super::context::QueryContext;
use super::metrics::scan;
use super::named::named;
use super::scope::{Pins, Resolver, Scope};
use crate::dashboard::{DashboardDef, FilterDef, Range, RangeEnd, TileDef, condition};
use crate::error::{Error, ErrorKind, Result};
use crate::project::{Diagnostic, Diagnostics, Document, nearest};
use crate::semantic::{MetricQuery, MetricSummary, Models, TimeGrain};

/// Rows of a tile that does not say.
const TILE_ROWS: usize = 1_000;

/// The values that a viewer chose, by the name of the filter. One that is not there has its default.
pub type Choices = BTreeMap<String, Vec<String>>;

/// A tile's question, and which filters stand in it.
#[derive(Debug)]
pub struct TileQuestion {
    /// The tile's name.
    pub tile: String,
    /// What is asked, or why it cannot be.
    pub query: Result<MetricQuery>,
    /// The filters with values that the tile is under.
    pub filtered_by: Vec<String>,
    /// Those that it is not under, since its metric lacks their dimension.
    pub not_filtered_by: Vec<String>,
}

impl QueryContext {
    /// The dashboards, in the order of their names.
    pub fn dashboards(&self) -> Vec<&DashboardDef> {
        let mut dashboards: Vec<_> =
            self.engine().project().dashboards.iter().map(|document| document.def.as_ref()).collect();
        dashboards.sort_by(|a, b| a.name.cmp(&b.name));
        dashboards
    }

    /// The dashboard called `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name.
    pub fn dashboard(&self, name: &str) -> Result<&DashboardDef> {
        named("dashboard", name, self.dashboards(), |dashboard| &dashboard.name)
    }

    /// The questions of the tiles of `dashboard` under `choices`, in their order. `pins` hold the tables of its metrics.
    pub async fn tile_questions(&self, pins: &Pins, dashboard: &DashboardDef, choices: &Choices) -> Vec<TileQuestion> {
        let mut newest: HashMap<&str, Result<NaiveDate, String>> = HashMap::new();
        let mut questions = Vec::with_capacity(dashboard.tiles.len());
        for tile in &dashboard.tiles {
            let (mut filtered_by, mut not_filtered_by) = (Vec::new(), Vec::new());
            let query = match self.metric_summary(&tile.metric) {
                Ok(metric) => {
                    let until = tile.range.as_ref().and_then(|range| Range::read(range).ok()?.until());
                    if until == Some(RangeEnd::Data) && !newest.contains_key(tile.metric.as_str()) {
                        let day = match self.newest_day(pins, &metric).await {
                            Ok(day) => day.ok_or_else(|| format!("metric `{}` has no data yet", metric.name)),
                            Err(error) => Err(error.chain()),
                        };
                        newest.insert(&tile.metric, day);
                    }
                    let end = match (until, newest.get(tile.metric.as_str())) {
                        (Some(RangeEnd::Data), Some(Err(why))) => Err(Error::new(ErrorKind::NotFound, why.clone())),
                        (Some(RangeEnd::Data), Some(Ok(day))) => Ok(*day),
                        _ => Ok(self.engine().clock().today()),
                    };
                    let mut chosen = Vec::new();
                    for filter in &dashboard.filters {
                        let values = choices.get(&filter.name).unwrap_or(&filter.default).as_slice();
                        let fits = metric.dimensions.contains(&filter.dimension);
                        if !values.is_empty() {
                            let names = if fits { &mut filtered_by } else { &mut not_filtered_by };
                            names.push(filter.name.clone());
                        }
                        if fits {
                            chosen.push((filter, values));
                        }
                    }
                    end.and_then(|end| question(tile, end, chosen))
                }
                Err(error) => Err(error),
            };
            questions.push(TileQuestion { tile: tile.name.clone(), query, filtered_by, not_filtered_by });
        }
        questions
    }

    /// The last day for which a metric has data; none where it has none.
    pub(super) async fn newest_day(&self, pins: &Pins, metric: &MetricSummary) -> Result<Option<NaiveDate>> {
        let models = self.engine().models();
        let tables = models.tables(&metric.name)?;
        let statement = format!("newest day of metric {}", metric.name);
        let build = |_: &SessionState, scope: &Scope| {
            let scans = tables.iter().map(|table| Ok((table.clone(), scan(table, scope)?)));
            let plan = models.newest_day(&metric.name, &scans.collect::<Result<_>>()?)?;
            plan.ok_or_else(|| timeless(&metric.name))
        };
        let mut result = self.plan_in(pins, statement, &tables, &[], None, build).await?.run().await?;
        while let Some(batch) = result.next().await {
            let batch = batch?;
            let days = batch.column(0).as_primitive_opt::<Date32Type>().filter(|days| !days.is_empty());
            if let Some(days) = days.filter(|days| days.is_valid(0))
                && let Some(day) = NaiveDate::from_epoch_days(days.value(0))
            {
                return Ok(Some(day));
            }
        }
        Ok(None)
    }
}

fn timeless(metric: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("metric `{metric}` has no time dimension, so it has no `range`"))
}

/// What a tile asks; `end` is the day that its range counts back from.
fn question<'f>(
    tile: &TileDef,
    end: NaiveDate,
    chosen: impl IntoIterator<Item = (&'f FilterDef, &'f [String])>,
) -> Result<MetricQuery> {
    let (from, to) = match &tile.range {
        Some(range) => Range::read(range)?.days(end)?,
        None => (None, None),
    };
    Ok(MetricQuery {
        metric: tile.metric.clone(),
        by: tile.by.clone(),
        filter: condition(tile.filter.as_deref(), chosen),
        grain: tile.grain,
        from,
        to,
        limit: Some(tile.limit.unwrap_or(TILE_ROWS)),
        order: tile.order.clone(),
        regions: tile.regions,
        ..MetricQuery::default()
    })
}

/// Holds the tiles and filters of every dashboard against the metrics: each name, and the question as a whole.
pub(super) async fn check_dashboards(
    models: &Models,
    resolver: Resolver<'_>,
    today: NaiveDate,
    diagnostics: &mut Diagnostics,
) {
    let summaries = models.summaries();
    // What a faulty model or view takes with it was reported there.
    let declared = |name: &str| resolver.project.models.iter().any(|model| model.def.metrics.contains_key(name));
    for dashboard in &resolver.project.dashboards {
        let mut known: Vec<&MetricSummary> = Vec::new();
        for (at, tile) in dashboard.def.tiles.iter().enumerate() {
            let at = at.to_string();
            let path = ["tiles", at.as_str(), "metric"];
            let Some(metric) = summaries.iter().find(|metric| metric.name == tile.metric) else {
                if !declared(&tile.metric) {
                    let fault = dashboard.fault(&path, format!("there is no metric `{}`", tile.metric));
                    let names: Vec<_> = summaries.iter().map(|metric| metric.name.as_str()).collect();
                    diagnostics.push(with_nearest(fault, &tile.metric, &names, "`xiangyun metric list` lists them"));
                }
                continue;
            };
            known.push(metric);
            if let Err(fault) = names_fault(dashboard, &["tiles", &at], &tile.by, tile.grain, metric) {
                diagnostics.push(*fault);
                continue;
            }
            if let Err(error) = planned(models, resolver, tile, &dashboard.def.filters, metric, today).await {
                let fault = dashboard.fault(&path, error.chain());
                diagnostics.push(match error.hint() {
                    Some(hint) => fault.with_hint(hint),
                    None => fault,
                });
            }
        }
        for (at, filter) in dashboard.def.filters.iter().enumerate() {
            let dimensions: Vec<&str> =
                known.iter().flat_map(|metric| metric.dimensions.iter().map(String::as_str)).collect();
            if known.is_empty() || dimensions.contains(&filter.dimension.as_str()) {
                continue;
            }
            let message = format!("no tile has the dimension `{}`", filter.dimension);
            let fault = dashboard.fault(&["filters", &at.to_string(), "dimension"], message);
            diagnostics.push(with_nearest(fault, &filter.dimension, &dimensions, "a filter needs a tile to apply to"));
        }
    }
}

/// A dimension or grain that the metric lacks, at its own place below `at`.
pub(super) fn names_fault<T>(
    document: &Document<T>,
    at: &[&str],
    by: &[String],
    grain: Option<TimeGrain>,
    metric: &MetricSummary,
) -> Result<(), Box<Diagnostic>> {
    let dimensions: Vec<&str> = metric.dimensions.iter().map(String::as_str).collect();
    for (index, name) in by.iter().enumerate() {
        if !dimensions.contains(&name.as_str()) {
            let message = format!("metric `{}` has no dimension `{name}`", metric.name);
            let fault = document.fault(&[at, &["by", &index.to_string()]].concat(), message);
            let all = format!("there are {}", dimensions.join(", "));
            return Err(Box::new(with_nearest(fault, name, &dimensions, &all)));
        }
    }
    if let Some(grain) = grain.filter(|grain| !metric.grains.contains(grain)) {
        let names: Vec<_> = metric.grains.iter().map(|grain| grain.name()).collect();
        let message = format!("metric `{}` cannot be asked by {}", metric.name, grain.name());
        let hint = match names.is_empty() {
            true => "it has no time dimension".to_owned(),
            false => format!("ask by {}", names.join(", ")),
        };
        return Err(Box::new(document.fault(&[at, &["grain"]].concat(), message).with_hint(hint)));
    }
    Ok(())
}

/// Plans the tile's question over the contracts, as it would be with every filter set.
async fn planned(
    models: &Models,
    resolver: Resolver<'_>,
    tile: &TileDef,
    filters: &[FilterDef],
    metric: &MetricSummary,
    today: NaiveDate,
) -> Result<()> {
    let placeholder = ["".to_owned()];
    let fitting = filters.iter().filter(|filter| metric.dimensions.contains(&filter.dimension));
    // Without values where the dimension is no text: whether they fit its type depends on them.
    let chosen = fitting.map(|filter| match filter.default.is_empty() {
        true if filter.dimension.contains('.') => (filter, placeholder.as_slice()),
        _ => (filter, filter.default.as_slice()),
    });
    planned_question(models, resolver, question(tile, today, chosen)?, today).await
}

/// Plans a question over the contracts.
pub(super) async fn planned_question(
    models: &Models,
    resolver: Resolver<'_>,
    query: MetricQuery,
    today: NaiveDate,
) -> Result<()> {
    let tables = models.tables_for(&query)?;
    let mut scope = Scope::default();
    resolver.resolve_names(&tables, &mut scope).await?;
    let scans = tables.iter().map(|table| Ok((table.clone(), scan(table, &scope)?)));
    models.plan(&query, resolver.state, &scans.collect::<Result<_>>()?, today).map(drop)
}

pub(super) fn with_nearest(fault: Diagnostic, name: &str, names: &[&str], otherwise: &str) -> Diagnostic {
    match nearest(name, names.iter().copied()) {
        Some(known) => fault.with_hint(format!("did you mean `{known}`?")),
        None => fault.with_hint(otherwise),
    }
}
