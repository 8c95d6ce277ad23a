//! Rules on plain figures: whether those of one group break it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::definition::{AlertDef, ChangeUnit, RuleDef, rounded};
use super::due::Slot;
use super::finding::Finding;
use crate::semantic::TimeGrain;

/// A figure of one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// Its period; none where the question has no grain.
    pub(crate) slot: Option<Slot>,
    /// The figure; none where there is none.
    pub(crate) value: Option<f64>,
    /// The figure as the answer writes it.
    pub(crate) text: Option<String>,
    /// Why there is none.
    pub(crate) reason: Option<String>,
}

/// Judges the figures of one group, in the order of their periods. `expected` are the periods that should have one, newest
/// first, where the rule asks for missing figures.
pub(crate) fn judge(def: &AlertDef, points: &[Point], expected: &[Slot], now: DateTime<Utc>) -> Finding {
    match &def.rule {
        RuleDef::Threshold { above, below } => {
            let out = |value: f64| above.is_some_and(|bound| value > bound) || below.is_some_and(|bound| value < bound);
            latest(def, points, now, |at| {
                let found = told(def.grain, &points[at]);
                Finding { breaks: points[at].value.map(out), ..found }
            })
        }
        RuleDef::Change { rise, fall, unit, back, mean_of } => latest(def, points, now, |at| {
            let found = told(def.grain, &points[at]);
            let Some(value) = points[at].value else { return found };
            let untold = |reason: &str| Finding { reason: Some(reason.into()), ..found.clone() };
            let Some(base) = mean_before(points, at, *back as usize, *mean_of as usize) else {
                return untold("no_base");
            };
            let change = match unit {
                ChangeUnit::Difference => value - base,
                ChangeUnit::Ratio if base == 0.0 => return Finding { base: Some(base), ..untold("zero_base") },
                ChangeUnit::Ratio => (value - base) / base.abs(),
            };
            let change = rounded(change);
            let out = rise.is_some_and(|bound| change > bound) || fall.is_some_and(|bound| -change > bound);
            Finding { breaks: Some(out), base: Some(rounded(base)), change: Some(change), ..found }
        }),
        RuleDef::Missing { .. } => missing(def.grain, points, expected),
    }
}

/// Judges the latest period that counts by `judged`. It breaks the rule where the periods before it, as many as `for` says,
/// do so too.
fn latest(def: &AlertDef, points: &[Point], now: DateTime<Utc>, judged: impl Fn(usize) -> Finding) -> Finding {
    let counts = |point: &Point| def.running || point.slot.is_none_or(|slot| slot.ends_at <= now);
    let Some(at) = points.iter().rposition(counts) else { return Finding::untold("no_data") };
    let found = judged(at);
    if found.breaks != Some(true) || def.grain.is_none() {
        return found;
    }
    let lasting = def.lasting.max(1) as usize;
    let whole = at + 1 >= lasting && (at + 1 - lasting..at).all(|earlier| judged(earlier).breaks == Some(true));
    Finding { breaks: Some(whole), ..found }
}

/// The mean of the figures of `count` periods, of which the last lies `back` before `at`. None where one has no figure.
fn mean_before(points: &[Point], at: usize, back: usize, count: usize) -> Option<f64> {
    let end = (at + 1).checked_sub(back)?;
    let first = end.checked_sub(count)?;
    let sum: Option<f64> = points[first..end].iter().map(|point| point.value).sum();
    sum.map(|sum| sum / count as f64)
}

/// Whether the newest of the expected periods all lack a figure.
fn missing(grain: Option<TimeGrain>, points: &[Point], expected: &[Slot]) -> Finding {
    let Some(newest) = expected.first() else { return Finding::untold("no_data") };
    let by_start: BTreeMap<DateTime<Utc>, &Point> =
        points.iter().filter_map(|point| Some((point.slot?.starts_at, point))).collect();
    let has_figure = |slot: &Slot| by_start.get(&slot.starts_at).is_some_and(|point| point.value.is_some());
    let breaks = !expected.iter().any(has_figure);
    let period = grain.map(|grain| newest.text(grain));
    match by_start.get(&newest.starts_at) {
        Some(point) => Finding { breaks: Some(breaks), ..told(grain, point) },
        None => Finding { breaks: Some(breaks), period, ..Finding::untold("no_data") },
    }
}

/// What is shown of a figure, whatever is made of it.
fn told(grain: Option<TimeGrain>, point: &Point) -> Finding {
    let period = point.slot.zip(grain).map(|(slot, grain)| slot.text(grain));
    Finding { value: point.text.clone(), period, reason: point.reason.clone(), ..Finding::default() }
}

/// Judges how old the newest data are.
pub(crate) fn aged(newest: Option<NaiveDate>, age: Option<i64>, allowed: u32) -> Finding {
    let Some((newest, age)) = newest.zip(age) else {
        return Finding { breaks: Some(true), ..Finding::untold("no_data") };
    };
    let breaks = Some(age > i64::from(allowed));
    Finding { breaks, value: Some(newest.to_string()), age_working_days: Some(age), ..Finding::default() }
}
