//! Rules over plain figures, and what evaluations make of a state.

#![allow(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, NaiveDate, Utc};

use super::*;
use crate::catalog::Bilingual;
use crate::functions::calendar::WorkCalendar;
use crate::semantic::{Periods, TimeGrain};

fn def(rest: &str) -> AlertDef {
    let head = "version = 1\nname = \"a\"\ntitle = { zh = \"甲\", en = \"A\" }\nmetric = \"m\"\nowner = \"x\"\n";
    toml::from_str(&format!("{head}{rest}")).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Months of 2019 from January on, a figure each.
fn months(values: &[Option<f64>]) -> Vec<Point> {
    let periods = Periods::new(TimeGrain::Month, 1);
    (1..)
        .zip(values)
        .map(|(month, value)| Point {
            slot: Slot::days(NaiveDate::from_ymd_opt(2019, month, 1).unwrap(), &periods),
            value: *value,
            text: value.map(|value| value.to_string()),
            reason: value.is_none().then(|| "no_data".into()),
        })
        .collect()
}

fn judged(rest: &str, values: &[Option<f64>], now: &str) -> Finding {
    judge(&def(rest), &months(values), &[], at(now))
}

#[test]
fn the_last_period_that_has_ended_is_judged_and_a_bound_itself_is_within() {
    let rule = "grain = \"month\"\nrule = { kind = \"threshold\", above = 10, below = 2.5 }";
    let breaks = |values: &[f64], now| {
        let found = judged(rule, &values.iter().copied().map(Some).collect::<Vec<_>>(), now);
        (found.breaks, found.period)
    };
    let april = "2019-04-01T00:00:00+08:00";
    assert_eq!(breaks(&[1.0, 1.0, 10.0], april), (Some(false), Some("2019-03-01".into())));
    assert_eq!(breaks(&[1.0, 1.0, 10.5], april), (Some(true), Some("2019-03-01".into())));
    assert_eq!(breaks(&[1.0, 1.0, 2.5], april).0, Some(false));
    assert_eq!(breaks(&[5.0, 5.0, 2.4], april).0, Some(true));
    // A second before, March has not ended.
    assert_eq!(breaks(&[5.0, 11.0, 5.0], "2019-03-31T23:59:59+08:00"), (Some(true), Some("2019-02-01".into())));
    let running = format!("running = true\n{rule}");
    assert_eq!(judged(&running, &[Some(5.0), Some(11.0)], "2019-02-05T00:00:00Z").period.unwrap(), "2019-02-01");
    // Without a figure nothing is told.
    let found = judged(rule, &[Some(1.0), None], april);
    assert_eq!((found.breaks, found.reason.as_deref()), (None, Some("no_data")));
    assert_eq!(judged(rule, &[], april).breaks, None);
}

#[test]
fn it_counts_once_it_has_lasted_for_so_many_periods() {
    let rule = "for = 3\ngrain = \"month\"\nrule = { kind = \"threshold\", above = 10 }";
    let breaks = |values: &[Option<f64>]| judged(rule, values, "2019-12-01T00:00:00Z").breaks;
    assert_eq!(breaks(&[Some(11.0), Some(11.0), Some(11.0)]), Some(true));
    assert_eq!(breaks(&[Some(9.0), Some(11.0), Some(11.0)]), Some(false));
    assert_eq!(breaks(&[Some(11.0), None, Some(11.0)]), Some(false));
    assert_eq!(breaks(&[Some(11.0), Some(11.0)]), Some(false));
}

#[test]
fn a_change_is_told_against_earlier_periods() {
    let now = "2019-12-01T00:00:00Z";
    let change = |rest: &str, values: &[Option<f64>]| {
        let found = judged(&format!("grain = \"month\"\nrule = {{ kind = \"change\", {rest} }}"), values, now);
        (found.breaks, found.base, found.change, found.reason)
    };
    let told = |breaks, base, change| (Some(breaks), Some(base), Some(change), None);
    assert_eq!(
        change("rise = 0.2", &[Some(100.0), Some(120.0)]),
        told(false, 100.0, 0.2),
        "the bound itself is within"
    );
    assert_eq!(change("rise = 0.2", &[Some(100.0), Some(121.0)]), told(true, 100.0, 0.21));
    assert_eq!(change("fall = 0.2", &[Some(100.0), Some(79.0)]), told(true, 100.0, -0.21));
    assert_eq!(change("fall = 0.2", &[Some(100.0), Some(300.0)]), told(false, 100.0, 2.0));
    assert_eq!(change("rise = 0.2", &[Some(-100.0), Some(-50.0)]), told(true, -100.0, 0.5), "up is up below zero too");
    assert_eq!(change("rise = 5, as = \"difference\"", &[Some(0.0), Some(6.0)]), told(true, 0.0, 6.0));
    assert_eq!(change("rise = 1, back = 2", &[Some(1.0), Some(9.0), Some(3.0)]), told(true, 1.0, 2.0));
    // (2 + 4) / 2 = 3, and 6 is twice that.
    assert_eq!(change("rise = 0.5, mean_of = 2", &[Some(2.0), Some(4.0), Some(6.0)]), told(true, 3.0, 1.0));
    let untold = |values: &[Option<f64>]| change("rise = 0.2", values).3.unwrap();
    assert_eq!(untold(&[Some(0.0), Some(6.0)]), "zero_base");
    assert_eq!(untold(&[None, Some(6.0)]), "no_base");
    assert_eq!(untold(&[Some(6.0)]), "no_base");
    assert_eq!(untold(&[Some(6.0), None]), "no_data");
}

#[test]
fn a_period_is_expected_once_its_working_days_of_grace_have_passed() {
    let calendar = WorkCalendar::built_in();
    let first_days = |grain, grace, now: &str| -> Vec<String> {
        let found = expected(grain, 1, 2, grace, at(now), &calendar).unwrap();
        found.iter().map(|slot| slot.text(grain)).collect()
    };
    // Ten working days after 30 April 2019, over Labour Day, end with 16 May (see the vectors of freshness, which count
    // from the same day).
    assert_eq!(first_days(TimeGrain::Month, 10, "2019-05-15T12:00:00+08:00"), ["2019-03-01", "2019-02-01"]);
    assert_eq!(first_days(TimeGrain::Month, 10, "2019-05-20T12:00:00+08:00"), ["2019-04-01", "2019-03-01"]);
    assert_eq!(first_days(TimeGrain::Month, 0, "2019-05-01T00:00:00+08:00"), ["2019-04-01", "2019-03-01"]);
    assert_eq!(first_days(TimeGrain::Day, 0, "2019-05-02T12:00:00+08:00"), ["2019-05-01", "2019-04-30"]);
    // 1 to 4 May are off, 28 April is a Sunday that is worked.
    assert_eq!(first_days(TimeGrain::WorkingDay, 0, "2019-05-05T12:00:00+08:00"), ["2019-04-30", "2019-04-29"]);
    let hours = ["2019-05-05T11:00:00+08:00", "2019-05-05T10:00:00+08:00"];
    assert_eq!(first_days(TimeGrain::Hour, 0, "2019-05-05T12:10:00+08:00"), hours);
    assert!(expected(TimeGrain::Month, 1, 1, 3, at("2098-02-20T00:00:00Z"), &calendar).is_err(), "no notice, no guess");
}

#[test]
fn what_is_missing_is_told_from_the_expected_periods() {
    let calendar = WorkCalendar::built_in();
    let missing = |values: &[Option<f64>], lasting: u32| {
        let def = def(&format!("for = {lasting}\ngrain = \"month\"\nrule = {{ kind = \"missing\" }}"));
        let now = at("2019-04-10T00:00:00Z");
        let slots = expected(TimeGrain::Month, 1, lasting, 0, now, &calendar).unwrap();
        let found = judge(&def, &months(values), &slots, now);
        (found.breaks, found.period.unwrap())
    };
    let march = || "2019-03-01".to_owned();
    assert_eq!(missing(&[Some(1.0), Some(1.0), Some(0.0)], 1), (Some(false), march()), "zero is a figure");
    assert_eq!(missing(&[Some(1.0), Some(1.0), None], 1), (Some(true), march()));
    assert_eq!(missing(&[Some(1.0), Some(1.0)], 1), (Some(true), march()));
    assert_eq!(missing(&[Some(1.0), Some(1.0)], 2), (Some(false), march()));
    assert_eq!(missing(&[Some(1.0)], 2), (Some(true), march()));
    assert_eq!(missing(&[], 1), (Some(true), march()));
    assert_eq!(aged(Some(day("2019-03-01")), Some(3), 3).breaks, Some(false));
    assert_eq!(aged(Some(day("2019-03-01")), Some(4), 3).breaks, Some(true));
    assert_eq!(aged(None, None, 3).breaks, Some(true));
}

fn found(time: &str, breaks: &[(&str, Option<bool>)]) -> Evaluation {
    let verdict = |(name, breaks): &(&str, Option<bool>)| Verdict {
        group: Group::from([("d".to_owned(), Some((*name).to_owned()))]),
        names: Default::default(),
        finding: Finding { breaks: *breaks, ..Finding::default() },
    };
    Evaluation {
        at: at(time),
        metric_title: Bilingual::default(),
        unit: None,
        synthetic: false,
        tables: Vec::new(),
        provenance: Vec::new(),
        verdicts: breaks.iter().map(verdict).collect(),
    }
}

fn names(groups: &[GroupState]) -> Vec<String> {
    groups.iter().map(|group| group.group["d"].clone().unwrap()).collect()
}

#[test]
fn a_group_begins_and_ends_once_each_and_what_cannot_be_told_changes_nothing() {
    let def = def("rule = { kind = \"threshold\", above = 1 }");
    let mut state = AlertState::default();
    let mut turn = |time: &str, groups: &[(&str, Option<bool>)]| {
        let turn = state.advance(&def, &found(&format!("2024-01-0{time}T00:00:00Z"), groups), true);
        (names(&turn.began), names(&turn.ended))
    };
    let (none, x, y) = (Vec::<String>::new(), vec!["x".to_owned()], vec!["y".to_owned()]);
    assert_eq!(turn("1", &[("x", Some(true)), ("y", Some(false))]), (x.clone(), none.clone()));
    assert_eq!(turn("2", &[("x", Some(true)), ("y", None)]), (none.clone(), none.clone()));
    assert_eq!(turn("3", &[("x", None), ("y", Some(true))]), (y.clone(), none.clone()));
    assert_eq!(turn("4", &[]), (none.clone(), none.clone()), "an empty answer tells of nobody that he is well");
    assert_eq!(turn("5", &[("x", Some(false)), ("y", Some(true))]), (none.clone(), x));
    assert_eq!(turn("6", &[("x", Some(false))]), (none, y), "it is no longer there");
    assert_eq!(state.firing().count(), 0);
    let kinds: Vec<_> = state.history.iter().map(|event| (event.event, event.at)).collect();
    let at = |day: &str| at(&format!("2024-01-0{day}T00:00:00Z"));
    let expected = [
        (EventKind::Resolved, at("6")),
        (EventKind::Resolved, at("5")),
        (EventKind::Firing, at("3")),
        (EventKind::Firing, at("1")),
    ];
    assert_eq!(kinds, expected);
    // It survives being written down.
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<AlertState>(&text).unwrap(), state);
}

#[test]
fn without_a_grain_evaluations_over_new_data_are_counted() {
    let def = def("for = 2\nrule = { kind = \"threshold\", above = 1 }");
    let mut state = AlertState::default();
    let mut began = |breaks, counts| {
        !state.advance(&def, &found("2024-01-01T00:00:00Z", &[("x", Some(breaks))]), counts).began.is_empty()
    };
    assert!(!began(true, true));
    assert!(!began(true, false), "the same data once more");
    assert!(began(true, true));
    assert!(!began(false, true));
    assert!(!began(true, false));
    assert!(began(true, true));
}

#[test]
fn a_failure_is_news_once_and_a_repetition_is_due_after_its_hours() {
    let def = def("repeat_hours = 24\nrule = { kind = \"threshold\", above = 1 }");
    let mut state = AlertState::default();
    assert!(state.fail(&def, at("2024-01-01T00:00:00Z"), Vec::new(), "no".into()));
    assert!(!state.fail(&def, at("2024-01-01T01:00:00Z"), Vec::new(), "no".into()));
    state.advance(&def, &found("2024-01-01T02:00:00Z", &[("x", Some(true))]), true);
    assert_eq!(state.error, None);
    assert!(state.repeats(&def, at("2024-02-01T00:00:00Z")).is_empty(), "nobody was told a first time");
    state.groups[0].notified_at = Some(at("2024-01-01T02:00:00Z"));
    assert!(state.repeats(&def, at("2024-01-02T01:59:59Z")).is_empty());
    assert_eq!(state.repeats(&def, at("2024-01-02T02:00:00Z")).len(), 1);
}

#[test]
fn a_text_or_a_receiver_makes_no_other_definition_and_a_bound_does() {
    let one = def("rule = { kind = \"threshold\", above = 1 }");
    let told = AlertDef { webhook: Some("w".into()), owner: "y".into(), ..one.clone() };
    assert_eq!(one.fingerprint(), told.fingerprint());
    assert_ne!(one.fingerprint(), def("rule = { kind = \"threshold\", above = 2 }").fingerprint());
}
