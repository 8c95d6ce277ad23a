//! A metric query held against its metric: every name known, every date sensible, nothing planned yet.

use chrono::{Days, NaiveDate};
use datafusion::execution::SessionState;

use crate::catalog::Bilingual;
use crate::semantic::definition::{DimensionKind, TimeGrain};
use crate::semantic::error::SemanticError;
use crate::semantic::filter::Filter;
use crate::semantic::formula::{Leaf, Node};
use crate::semantic::lookback::Lookback;
use crate::semantic::models::{Metric, Models};
use crate::semantic::period::Periods;
use crate::semantic::query::{MetricQuery, RegionMode};
use crate::semantic::region::{self, Level};
use crate::semantic::window::Window;
use crate::semantic::working_days::WorkingDays;

/// A question whose every part was checked.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) metric: &'a Metric,
    pub(super) node: Node,
    pub(super) keys: Vec<Key>,
    pub(super) filter: Option<Filter>,
    /// The periods, where there is a grain.
    pub(super) periods: Option<Periods>,
    pub(super) from: Option<NaiveDate>,
    pub(super) to: Option<NaiveDate>,
    /// Columns to sort by, as places among period, keys, labels and value; true for ascending.
    pub(super) order: Vec<(usize, bool)>,
    /// How regions are read, where any is used or the reading was asked for.
    pub(super) regions: Option<RegionMode>,
}

/// A column to group by.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// As asked, as in `region.prefecture`.
    pub(super) name: String,
    pub(super) dimension: String,
    pub(super) level: Option<Level>,
    pub(super) is_region: bool,
    pub(super) title: Bilingual,
}

impl Key {
    /// Name of the column with the division's name.
    pub(super) fn label(&self) -> Option<String> {
        self.is_region.then(|| format!("{}_name", self.name))
    }
}

/// Days whose rows count, both inclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::semantic) struct Span {
    pub(in crate::semantic) first: Option<NaiveDate>,
    pub(in crate::semantic) last: Option<NaiveDate>,
}

impl<'a> Question<'a> {
    /// Checks `query` against `metric`.
    pub(super) fn check(
        models: &'a Models,
        metric: &'a Metric,
        query: &MetricQuery,
        session: &SessionState,
    ) -> Result<Self, SemanticError> {
        let node = models.expand(metric, Lookback::default());
        let periods = periods(models, metric, query, session)?;
        check_time(models, metric, &node, query, periods.as_ref())?;
        let mode = query.regions.unwrap_or(RegionMode::AsWas);
        let keys = keys(models, metric, query, mode)?;
        let filter = filter(models, metric, query, session)?;
        let filters_region = filter.as_ref().is_some_and(|filter| {
            let regions: Vec<_> = models.dimensions(metric);
            filter.names().iter().any(|name| {
                let dimension = name.split_once('.').map_or(name.as_str(), |(dimension, _)| dimension);
                regions.iter().any(|(known, d)| *known == dimension && d.kind == DimensionKind::Region)
            })
        });
        let uses_region = filters_region || keys.iter().any(|key| key.is_region);
        let mut sortable: Vec<_> = query.grain.iter().map(|_| "period".to_owned()).collect();
        sortable.extend(keys.iter().map(|key| key.name.clone()));
        sortable.extend(keys.iter().filter_map(Key::label));
        sortable.push("value".into());
        let order = order(query, &sortable)?;
        Ok(Self {
            metric,
            node,
            keys,
            filter,
            periods,
            from: query.from,
            to: query.to,
            order,
            regions: if uses_region { Some(mode) } else { query.regions },
        })
    }

    /// The length of a period.
    pub(super) fn grain(&self) -> Option<TimeGrain> {
        self.periods.as_ref().map(|periods| periods.grain)
    }

    /// The days whose rows `leaf` rests on, with a grain as without.
    pub(super) fn span(&self, models: &Models, leaf: &Leaf, session: &SessionState) -> Result<Span, SemanticError> {
        let calendar = self.periods.as_ref().and_then(Periods::working_days);
        let back = |date: NaiveDate, lookback: Lookback| match calendar {
            Some(calendar) if lookback.working_days() > 0 => calendar.before(date, lookback.working_days(), session),
            _ => lookback.before(date).ok_or(SemanticError::OutOfCalendar { date }),
        };
        let last = match (self.to, calendar) {
            (None, _) => None,
            // With a grain the range is that of all leaves, and ends with the question's.
            (Some(to), Some(_)) => Some(to),
            (Some(to), None) => Some(end_before(to, leaf.lookback)?),
        };
        // With a grain every window from the first period's on is needed, without one only the last.
        let begin = if self.periods.is_some() { self.from } else { self.to };
        let first = match leaf.window {
            Some(Window::AllTime) => None,
            Some(Window::ToDate(unit)) => {
                let begin = begin.map(|date| back(date, leaf.lookback)).transpose()?;
                begin.map(|date| models.models[leaf.model].periods(unit).first_day(date))
            }
            // Without a grain the day behind the range is looked back from, so that it is exactly so long.
            Some(Window::Rolling(length)) if self.periods.is_none() => {
                let end = begin.map(|date| end_before(date, leaf.lookback)).transpose()?;
                let behind = end.and_then(|date| date.succ_opt());
                behind.map(|date| back(date, length)).transpose()?
            }
            Some(Window::Rolling(length)) => {
                let begin = begin.map(|date| back(date, leaf.lookback)).transpose()?;
                begin.map(|date| back(date, length)).transpose()?
            }
            None => self.from.map(|from| back(from, leaf.lookback)).transpose()?,
        };
        Ok(Span { first, last })
    }

    /// `span` with the days off whose rows count to its first working day, and without those that count to a later
    /// one than its last.
    pub(super) fn counted(&self, span: Span, session: &SessionState) -> Result<Span, SemanticError> {
        match self.periods.as_ref().and_then(Periods::working_days) {
            None => Ok(span),
            Some(calendar) => {
                let (first, last) = calendar.bounds(span.first, span.last, session)?;
                Ok(Span { first, last })
            }
        }
    }
}

/// The periods that are asked for.
fn periods(
    models: &Models,
    metric: &Metric,
    query: &MetricQuery,
    session: &SessionState,
) -> Result<Option<Periods>, SemanticError> {
    Ok(match query.grain {
        None => None,
        Some(TimeGrain::WorkingDay) => Some(Periods::of_working_days(WorkingDays::try_new(session)?)),
        Some(grain) => Some(Periods::new(grain, models.year_start(metric))),
    })
}

/// What `where` and the conditions say together.
fn filter(
    models: &Models,
    metric: &Metric,
    query: &MetricQuery,
    session: &SessionState,
) -> Result<Option<Filter>, SemanticError> {
    let text = query.filter.as_deref().filter(|text| !text.trim().is_empty());
    if text.is_none() && query.conditions.is_none() {
        return Ok(None);
    }
    let fields = filter_fields(models, metric);
    let written = text.map(|text| Filter::parse(text, &metric.name, &fields, session)).transpose()?;
    let compiled = query.conditions.as_ref().map(|held| held.compile(&metric.name, &fields)).transpose()?;
    Ok(match (written, compiled.map(Filter::of)) {
        (Some(written), Some(compiled)) => Some(written.and(compiled)),
        (written, compiled) => written.or(compiled),
    })
}

/// The last day of the range that lies `lookback` before one that ends with `date`. Counted from the day after, so
/// that a month's end stays a month's end: a month before 28 February 2019 is 31 January.
fn end_before(date: NaiveDate, lookback: Lookback) -> Result<NaiveDate, SemanticError> {
    if lookback.is_none() {
        return Ok(date);
    }
    let next = date.succ_opt().and_then(|next| lookback.before(next));
    next.and_then(|next| next.checked_sub_days(Days::new(1))).ok_or(SemanticError::OutOfCalendar { date })
}

/// The names that `where` may use, with their types.
fn filter_fields(models: &Models, metric: &Metric) -> Vec<(String, datafusion::arrow::datatypes::DataType)> {
    let mut fields = Vec::new();
    for (name, dimension) in models.dimensions(metric) {
        fields.push((name.to_owned(), dimension.data_type.clone()));
        if dimension.kind == DimensionKind::Region {
            let levels = Level::ALL.iter().map(|level| format!("{name}.{}", level.name()));
            fields.extend(levels.map(|level| (level, datafusion::arrow::datatypes::DataType::Utf8)));
        }
    }
    fields
}

fn keys(models: &Models, metric: &Metric, query: &MetricQuery, mode: RegionMode) -> Result<Vec<Key>, SemanticError> {
    let dimensions = models.dimensions(metric);
    let mut keys: Vec<Key> = Vec::with_capacity(query.by.len());
    for asked in &query.by {
        let (dimension, level) = match asked.split_once('.') {
            Some((dimension, level)) => (dimension, Some(level)),
            None => (asked.as_str(), None),
        };
        let unknown = || SemanticError::UnknownDimension {
            metric: metric.name.clone(),
            name: asked.clone(),
            available: models.dimension_names(metric),
        };
        let (name, found) = dimensions.iter().find(|(name, _)| *name == dimension).ok_or_else(unknown)?;
        let is_region = found.kind == DimensionKind::Region;
        let level = match level {
            None => None,
            Some(text) => {
                let level = Level::ALL.into_iter().find(|level| level.name() == text);
                Some(level.filter(|_| is_region).ok_or_else(unknown)?)
            }
        };
        if keys.iter().any(|key| key.name == *asked) {
            return Err(SemanticError::RepeatedDimension { name: asked.clone() });
        }
        let title = if is_region { region::title(&found.title, level, mode) } else { found.title.clone() };
        keys.push(Key { name: asked.clone(), dimension: (*name).into(), level, is_region, title });
    }
    Ok(keys)
}

fn check_time(
    models: &Models,
    metric: &Metric,
    node: &Node,
    query: &MetricQuery,
    periods: Option<&Periods>,
) -> Result<(), SemanticError> {
    let name = || metric.name.clone();
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from > to
    {
        return Err(SemanticError::EmptyRange { from, to });
    }
    if models.models_under(metric).iter().any(|model| models.models[*model].time.is_none()) {
        let asked = [("grain", query.grain.is_some()), ("from", query.from.is_some()), ("to", query.to.is_some())];
        return match asked.into_iter().find(|(_, given)| *given) {
            Some((parameter, _)) => Err(SemanticError::Timeless { metric: name(), parameter }),
            None => Ok(()),
        };
    }
    let leaves = node.leaves();
    let looks_back = leaves.iter().any(|leaf| !leaf.lookback.is_none());
    let adds_up = leaves.iter().any(|leaf| leaf.window.is_some());
    let Some(periods) = periods else { return check_ungrained(metric, &leaves, query) };
    let grain = periods.grain;
    let available = models.grains(metric);
    if !available.contains(&grain) {
        return Err(SemanticError::UnfitGrain { metric: name(), grain, available });
    }
    if let Some(date) = query.from.filter(|_| looks_back || adds_up) {
        let whole = periods.first_day(date);
        if whole != date {
            return Err(SemanticError::CutPeriod { metric: name(), parameter: "from", date, grain, whole });
        }
    }
    if let Some(date) = query.to.filter(|_| looks_back) {
        let whole = periods.last_day(date).ok_or(SemanticError::OutOfCalendar { date })?;
        if whole != date {
            return Err(SemanticError::CutPeriod { metric: name(), parameter: "to", date, grain, whole });
        }
    }
    Ok(())
}

/// Without a grain there is one range, and what lies before it must be known.
fn check_ungrained(metric: &Metric, leaves: &[&Leaf], query: &MetricQuery) -> Result<(), SemanticError> {
    let needed = |why, give| Err(SemanticError::RangeNeeded { metric: metric.name.clone(), why, give });
    let looks_back = leaves.iter().any(|leaf| !leaf.lookback.is_none());
    let all_add_up = leaves.iter().all(|leaf| leaf.window.is_some());
    let is_bounded = |window: Window| window != Window::AllTime;
    let to_a_day = leaves.iter().any(|leaf| leaf.window.is_some_and(is_bounded));
    let by_working_days = |lookback: Lookback| lookback.working_days() > 0;
    if leaves.iter().any(|leaf| {
        by_working_days(leaf.lookback)
            || matches!(leaf.window, Some(Window::Rolling(length)) if by_working_days(length))
    }) {
        return needed("counts back working days", "the grain working-day");
    }
    if all_add_up && query.from.is_some() {
        return needed(
            "adds up from its own beginning, so `from` means nothing without a grain",
            "`to` only, or a grain",
        );
    }
    if to_a_day && query.to.is_none() {
        return needed("adds up to a day", "`to`, or a grain");
    }
    if looks_back && (query.to.is_none() || (query.from.is_none() && !all_add_up)) {
        return needed("looks back, and has no range to look back from", "a grain, or `from` and `to`");
    }
    Ok(())
}

/// Columns to sort by as places in `sortable`, with true for ascending. Those asked for come first, then the period and
/// the keys, so that the order is always total.
fn order(query: &MetricQuery, sortable: &[String]) -> Result<Vec<(usize, bool)>, SemanticError> {
    let mut order: Vec<(usize, bool)> = Vec::new();
    for asked in &query.order {
        let (name, ascending) = match asked.strip_prefix('-') {
            Some(name) => (name, false),
            None => (asked.as_str(), true),
        };
        let place = sortable
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| SemanticError::UnknownOrder { name: name.into(), available: sortable.to_vec() })?;
        if !order.iter().any(|(known, _)| *known == place) {
            order.push((place, ascending));
        }
    }
    let keys = query.by.len() + usize::from(query.grain.is_some());
    for place in 0..keys {
        if !order.iter().any(|(known, _)| *known == place) {
            order.push((place, true));
        }
    }
    Ok(order)
}
