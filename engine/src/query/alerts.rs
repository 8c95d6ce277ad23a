//! Alerts over the metrics: checked against them, asked, and judged.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Months, NaiveDate, Utc};
use futures::StreamExt;

use super::context::QueryContext;
use super::dashboards::{names_fault, planned_question, with_nearest};
use super::named::named;
use super::provenance::{Depth, TableProvenance};
use super::result::TableVersion;
use super::scope::{Pins, Resolver};
use crate::alert::{
    AlertDef, AlertState, Evaluation, Group, Point, RuleDef, Slot, StoredAlert, Verdict, aged, expected, judge,
};
use crate::catalog::tables_under;
use crate::dashboard::{Range, RangeEnd};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{self, Principal};
use crate::project::{Diagnostics, Project};
use crate::semantic::{MetricAnswer, MetricColumnRole, MetricQuery, MetricSummary, Models, Periods, TimeGrain};

/// Rows of one alert's answer: groups times periods.
const MAX_ROWS: usize = 50_000;
/// Groups that one alert judges, each of which it keeps a state of.
const MAX_GROUPS: usize = 1_000;
/// Periods beyond those that are judged, in which groups are found that should have data.
const LOOK_AROUND: u32 = 12;

impl QueryContext {
    /// The alerts on metrics that this principal may ask, in the order of their names.
    pub fn alerts(&self) -> Vec<&AlertDef> {
        alerts_seen(self.engine().project(), self.engine().models(), self.principal())
    }

    /// The alert called `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, for one that there is not or on a metric that this principal may not ask.
    pub fn alert(&self, name: &str) -> Result<&AlertDef> {
        named("alert", name, self.alerts(), |alert| &alert.name)
    }

    /// What is known of `alert`; none where it was never evaluated. The figures in it were asked by the platform itself: who
    /// sees other rows than it does is told of none of them.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn alert_state(&self, alert: &AlertDef) -> Result<Option<AlertState>> {
        Ok(StoredAlert::load(self.engine().storage(), &alert.name).await?.told_to(self.principal()))
    }

    /// How fresh the tables are that `alert` is judged over.
    ///
    /// # Errors
    /// `NotFound` for a metric that there is not.
    pub async fn alert_provenance(&self, alert: &AlertDef) -> Result<Vec<TableProvenance>> {
        let pins = self.pin_alert(alert).await?;
        Ok(self.provenance(&pins, &pins.versions(), Depth::Summary).await)
    }

    /// The versions of these tables alone.
    ///
    /// # Errors
    /// `NotFound` for a metric that there is not.
    pub async fn alert_versions(&self, alert: &AlertDef) -> Result<Vec<TableVersion>> {
        Ok(self.pin_alert(alert).await?.versions())
    }

    /// Evaluates `alert` once and changes nothing.
    ///
    /// # Errors
    /// Of its question; `LimitExceeded` for more groups than an alert may have; `NotFound` with `calendar_missing` where
    /// working days of a year matter that is not published.
    pub async fn evaluate_alert(&self, alert: &AlertDef) -> Result<Evaluation> {
        let metric = self.metric_summary(&alert.metric)?;
        let pins = self.pin_alert(alert).await?;
        let at = self.engine().clock().now();
        let verdicts = match (&alert.rule, alert.grain) {
            (RuleDef::Missing { older_than_working_days: Some(allowed), .. }, None) => {
                let newest = self.loaded(alert, &pins, self.newest_day(&pins, &metric).await)?.flatten();
                let finding = aged(newest, newest.map(|day| self.age(day)).transpose()?, *allowed);
                vec![Verdict { group: Group::new(), names: BTreeMap::new(), finding }]
            }
            _ => self.judged(alert, &metric, &pins, at).await?,
        };
        let tables = pins.versions();
        let provenance = self.provenance(&pins, &tables, Depth::Summary).await;
        let synthetic = provenance.iter().any(|table| table.synthetic);
        Ok(Evaluation { at, metric_title: metric.title, unit: metric.unit, synthetic, tables, provenance, verdicts })
    }

    /// Pins the tables of the alert's question.
    async fn pin_alert(&self, alert: &AlertDef) -> Result<Pins> {
        let read = self.tables_read(&question(alert, (None, None)))?;
        let pins = Pins::new(self.engine().catalog());
        let under = tables_under(self.engine().project(), &read);
        // What cannot be pinned in time is left to the question, which has a deadline of its own.
        let _ = tokio::time::timeout(self.engine().limits().timeout, pins.pin_all(under)).await;
        Ok(pins)
    }

    /// Asks the question and judges each group of the answer.
    async fn judged(
        &self,
        alert: &AlertDef,
        metric: &MetricSummary,
        pins: &Pins,
        at: DateTime<Utc>,
    ) -> Result<Vec<Verdict>> {
        let year_start = metric.fiscal_year_start.unwrap_or(1);
        let groups = self.loaded(alert, pins, self.figures(alert, metric, pins).await)?.unwrap_or_default();
        let mut groups = with_expected(alert, groups);
        if groups.len() > MAX_GROUPS {
            let message =
                format!("alert `{}` judges {} groups, and {MAX_GROUPS} at the most", alert.name, groups.len());
            return Err(
                Error::new(ErrorKind::LimitExceeded, message).with_hint("group by less, or narrow it by `where`")
            );
        }
        let mut due = Vec::new();
        if let RuleDef::Missing { older_than_working_days: None, grace_working_days: grace, .. } = &alert.rule {
            // The whole is missing where nothing at all is there.
            if groups.is_empty() {
                groups.insert(Group::new(), Figures::default());
            }
            let (grain, calendar) = (alert.grain.unwrap_or(TimeGrain::Day), &self.engine().reference().calendar);
            due = expected(grain, year_start, alert.lasting.max(1), *grace, at, calendar).map_err(untold)?;
        } else if groups.is_empty() && alert.by.is_empty() {
            groups.insert(Group::new(), Figures::default());
        }
        let mut verdicts = Vec::with_capacity(groups.len());
        for (group, Figures { names, points }) in groups {
            let finding = match &alert.rule {
                RuleDef::Missing { older_than_working_days: Some(allowed), .. } => {
                    let newest = points.iter().rev().find(|point| point.value.is_some());
                    let newest = newest.and_then(|point| point.slot).map(|slot| slot.last_day);
                    aged(newest, newest.map(|day| self.age(day)).transpose()?, *allowed)
                }
                _ => judge(alert, &points, &due, at),
            };
            verdicts.push(Verdict { group, names, finding });
        }
        Ok(verdicts)
    }

    /// The figures of each group, in the order of their periods.
    async fn figures(&self, alert: &AlertDef, metric: &MetricSummary, pins: &Pins) -> Result<BTreeMap<Group, Figures>> {
        let Some(range) = self.range_of(alert, metric, pins).await? else { return Ok(BTreeMap::new()) };
        let answer = Box::pin(self.metric_in(pins, question(alert, range))).await?;
        let MetricAnswer { columns, mut result, .. } = answer;
        let roles: Vec<_> = columns.iter().map(|column| (column.name.clone(), column.role)).collect();
        let status = std::sync::Arc::clone(&result.status);
        let (mut groups, year_start) = (BTreeMap::new(), metric.fiscal_year_start.unwrap_or(1));
        while let Some(batch) = result.next().await {
            take_in(&batch?, &roles, alert.grain, year_start, &mut groups)?;
        }
        if status.is_truncated() {
            let message = format!("alert `{}` asks for more than {MAX_ROWS} rows", alert.name);
            let hint = "group by less, ask for fewer periods by `range`, or narrow it by `where`";
            return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint(hint));
        }
        for figures in groups.values_mut() {
            figures.points.sort_by_key(|point| point.slot);
        }
        Ok(groups)
    }

    /// The days that are asked for; none where they end with the data and there are none.
    async fn range_of(&self, alert: &AlertDef, metric: &MetricSummary, pins: &Pins) -> Result<Option<Days>> {
        let until = match &alert.range {
            Some(range) => Range::read(range)?.until(),
            None if alert.grain.is_none() => None,
            // What is missing is missing until today.
            None if matches!(alert.rule, RuleDef::Missing { .. }) => Some(RangeEnd::Today),
            None => Some(RangeEnd::Data),
        };
        let end = match until {
            Some(RangeEnd::Data) => self.newest_day(pins, metric).await?,
            _ => Some(self.engine().clock().today()),
        };
        end.map(|end| days(alert, metric, end)).transpose()
    }

    /// What was found; none where a table that it reads was never loaded.
    fn loaded<T>(&self, alert: &AlertDef, pins: &Pins, found: Result<T>) -> Result<Option<T>> {
        let error = match found {
            Ok(found) => return Ok(Some(found)),
            Err(error) => error,
        };
        let read = self.tables_read(&question(alert, (None, None)))?;
        let all_there = tables_under(self.engine().project(), &read).iter().all(|table| pins.held(table).is_some());
        if error.kind() == ErrorKind::NotFound && !all_there { Ok(None) } else { Err(error) }
    }

    /// Working days from `day` to today, that day not counted.
    fn age(&self, day: NaiveDate) -> Result<i64> {
        let today = self.engine().clock().today();
        self.engine().reference().calendar.working_days_between(day.min(today), today).map_err(untold)
    }
}

/// The alerts on metrics that `principal` may ask, in the order of their names.
pub(super) fn alerts_seen<'p>(project: &'p Project, models: &Models, principal: &Principal) -> Vec<&'p AlertDef> {
    let asks = |alert: &AlertDef| {
        let read = models.tables_for(&question(alert, (None, None)));
        read.is_ok_and(|tables| tables.iter().all(|table| policy::sees(principal, table)))
    };
    let mut alerts: Vec<_> = project.alerts.iter().map(|document| document.def.as_ref()).collect();
    alerts.retain(|alert| asks(alert));
    alerts.sort_by(|a, b| a.name.cmp(&b.name));
    alerts
}

/// First and last day of a question, both inclusive and either of them open.
type Days = (Option<NaiveDate>, Option<NaiveDate>);

fn untold(error: crate::functions::calendar::CalendarError) -> Error {
    Error::new(ErrorKind::NotFound, "calendar_missing: working days cannot be told")
        .with_hint("add the State Council's notice of that year in calendar/*.toml")
        .with_source(error)
}

/// What an alert asks over a range.
fn question(alert: &AlertDef, (from, to): Days) -> MetricQuery {
    MetricQuery {
        metric: alert.metric.clone(),
        by: alert.by.clone(),
        filter: alert.filter.clone(),
        grain: alert.grain,
        from,
        to,
        limit: Some(MAX_ROWS),
        regions: alert.regions,
        ..MetricQuery::default()
    }
}

/// The days of an alert's question whose range ends with `end`: as declared, or as many whole periods as its rule needs.
fn days(alert: &AlertDef, metric: &MetricSummary, end: NaiveDate) -> Result<Days> {
    if let Some(range) = &alert.range {
        return Ok(Range::read(range)?.days(end)?);
    }
    let Some(grain) = alert.grain else { return Ok((None, None)) };
    // The one that has not ended yet may be among them.
    let count = judged_periods(alert) + 1 + looked_around(alert);
    let periods = Periods::new(grain, metric.fiscal_year_start.unwrap_or(1));
    let first = periods.first_day(end);
    let from = match (grain, grain.months()) {
        (_, Some(months)) => first.checked_sub_months(Months::new(months.saturating_mul(count - 1))),
        (TimeGrain::Week, _) => first.checked_sub_days(chrono::Days::new(7 * u64::from(count - 1))),
        (TimeGrain::Hour, _) => first.checked_sub_days(chrono::Days::new(u64::from(count / 24 + 1))),
        // Half of the days at the least, and more than the longest holiday.
        (TimeGrain::WorkingDay, _) => first.checked_sub_days(chrono::Days::new(u64::from(2 * count + 15))),
        _ => first.checked_sub_days(chrono::Days::new(u64::from(count - 1))),
    };
    match from.zip(periods.last_day(end)) {
        Some((from, to)) => Ok((Some(from), Some(to))),
        None => Err(Error::new(ErrorKind::InvalidInput, "the rule looks back behind the calendar's beginning")),
    }
}

/// Periods that the rule looks at.
fn judged_periods(alert: &AlertDef) -> u32 {
    let lasting = alert.lasting.max(1);
    match &alert.rule {
        RuleDef::Change { back, mean_of, .. } => lasting + back + mean_of - 1,
        _ => lasting,
    }
}

/// Periods beyond those in which the groups are found that should have data.
fn looked_around(alert: &AlertDef) -> u32 {
    match &alert.rule {
        RuleDef::Missing { older_than_working_days, grace_working_days, .. } => {
            LOOK_AROUND + 2 * older_than_working_days.unwrap_or(*grace_working_days)
        }
        _ => 0,
    }
}

/// The figures of one group.
#[derive(Debug, Default)]
struct Figures {
    names: BTreeMap<String, String>,
    points: Vec<Point>,
}

/// The groups, and those that should be there although they were never seen.
fn with_expected(alert: &AlertDef, mut groups: BTreeMap<Group, Figures>) -> BTreeMap<Group, Figures> {
    if let (RuleDef::Missing { expect, .. }, [dimension]) = (&alert.rule, alert.by.as_slice()) {
        for value in expect {
            groups.entry(Group::from([(dimension.clone(), Some(value.clone()))])).or_default();
        }
    }
    groups
}

/// Adds the rows of `batch` to their groups.
fn take_in(
    batch: &RecordBatch,
    roles: &[(String, MetricColumnRole)],
    grain: Option<TimeGrain>,
    year_start: u32,
    groups: &mut BTreeMap<Group, Figures>,
) -> Result<()> {
    let unreadable = |error| Error::new(ErrorKind::Internal, "a metric's answer cannot be read").with_source(error);
    let options = FormatOptions::default();
    let column = |name: &str| batch.column_by_name(name);
    let shown: Vec<_> = roles
        .iter()
        .filter_map(|(name, role)| Some((name, *role, column(name)?)))
        .map(|(name, role, array)| Ok((name, role, array, ArrayFormatter::try_new(array, &options)?)))
        .collect::<Result<_, arrow::error::ArrowError>>()
        .map_err(unreadable)?;
    let of_role = |wanted: MetricColumnRole| shown.iter().find(|(_, role, ..)| *role == wanted);
    let figures = of_role(MetricColumnRole::Value).map(|(.., array, _)| cast(array, &DataType::Float64));
    let figures = figures.transpose().map_err(unreadable)?;
    let slots = of_role(MetricColumnRole::Period).map(|(.., array, _)| slots(array, grain, year_start));
    let slots = slots.transpose().map_err(unreadable)?;
    for row in 0..batch.num_rows() {
        let text = |array: &ArrayRef, formatter: &ArrayFormatter<'_>| {
            array.is_valid(row).then(|| formatter.value(row).to_string())
        };
        let (mut group, mut names) = (Group::new(), BTreeMap::new());
        let (mut written, mut reason) = (None, None);
        for (name, role, array, formatter) in &shown {
            let text = text(array, formatter);
            match role {
                MetricColumnRole::Dimension => drop(group.insert((*name).clone(), text)),
                MetricColumnRole::Label => names.extend(text.map(|text| ((*name).clone(), text))),
                MetricColumnRole::Value => written = text,
                MetricColumnRole::Reason => reason = text,
                MetricColumnRole::Period => {}
            }
        }
        let value = figures.as_ref().and_then(|array| array.as_primitive_opt::<Float64Type>());
        let value = value.filter(|array| array.is_valid(row)).map(|array| array.value(row));
        // What is no number lies neither above nor below anything.
        let value = value.filter(|value| value.is_finite());
        let slot = slots.as_ref().and_then(|slots| slots.get(row).copied().flatten());
        let figures = groups.entry(group).or_default();
        figures.names = names;
        figures.points.push(Point { slot, value, text: written, reason });
    }
    Ok(())
}

/// The periods of a column of them.
fn slots(
    array: &ArrayRef,
    grain: Option<TimeGrain>,
    year_start: u32,
) -> Result<Vec<Option<Slot>>, arrow::error::ArrowError> {
    if grain == Some(TimeGrain::Hour) {
        let zone = Some("UTC".into());
        let instants = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        let instants = instants.as_primitive::<TimestampMicrosecondType>().iter();
        return Ok(instants.map(|micros| micros.and_then(DateTime::from_timestamp_micros).map(Slot::hour)).collect());
    }
    let periods = Periods::new(grain.unwrap_or(TimeGrain::Day), year_start);
    let days = cast(array, &DataType::Date32)?;
    let days = days.as_primitive::<Date32Type>().iter();
    Ok(days.map(|day| day.and_then(NaiveDate::from_epoch_days).and_then(|day| Slot::days(day, &periods))).collect())
}

/// Holds every alert against the metrics: each name, the rule, and the question as a whole.
pub(super) async fn check_alerts(
    models: &Models,
    resolver: Resolver<'_>,
    today: NaiveDate,
    diagnostics: &mut Diagnostics,
) {
    let summaries = models.summaries();
    // What a faulty model or view takes with it was reported there.
    let declared = |name: &str| resolver.project.models.iter().any(|model| model.def.metrics.contains_key(name));
    for document in &resolver.project.alerts {
        let alert = &*document.def;
        let Some(metric) = summaries.iter().find(|metric| metric.name == alert.metric) else {
            if !declared(&alert.metric) {
                let fault = document.fault(&["metric"], format!("there is no metric `{}`", alert.metric));
                let names: Vec<_> = summaries.iter().map(|metric| metric.name.as_str()).collect();
                diagnostics.push(with_nearest(fault, &alert.metric, &names, "`xiangyun metric list` lists them"));
            }
            continue;
        };
        if let Err(fault) = names_fault(document, &[], &alert.by, alert.grain, metric) {
            diagnostics.push(*fault);
            continue;
        }
        if matches!(alert.rule, RuleDef::Missing { .. }) && metric.grains.is_empty() {
            let message = format!("metric `{}` has no time dimension, so nothing tells that it is late", metric.name);
            diagnostics.push(document.fault(&["rule"], message).with_hint("name a `time_dimension` in its model"));
            continue;
        }
        let (path, planned) = match days(alert, metric, today) {
            Ok(range) => ("metric", planned_question(models, resolver, question(alert, range), today).await),
            Err(error) => ("range", Err(error)),
        };
        if let Err(error) = planned {
            let fault = document.fault(&[path], error.chain());
            diagnostics.push(match error.hint() {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            });
        }
    }
}
