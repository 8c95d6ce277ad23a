//! What can be checked of alerts without the metrics: names, bounds, ranges, and rules that cannot work.

use std::collections::HashMap;

use super::check::{keep_sound, not_an_identifier};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use crate::alert::{AlertDef, RuleDef};
use crate::catalog::is_identifier;
use crate::clock::{Clock, SystemClock};
use crate::dashboard::Range;
use crate::error::Classify;
use crate::semantic::{Periods, TimeGrain};

/// Names are unique, and every rule can work.
pub(super) fn check_alerts(alerts: &mut Vec<Document<AlertDef>>, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<String, String> = HashMap::new();
    keep_sound(alerts, diagnostics, |alert| {
        let name = &alert.def.name;
        let mut faults = Vec::new();
        if !is_identifier(name) {
            faults.push(not_an_identifier(alert, &["name"], name, "alert"));
        }
        if let Some(first) = seen.get(name) {
            let message = format!("alert `{name}` is declared twice, first in {first}");
            faults.push(alert.fault(&["name"], message).with_hint("rename one of them"));
        } else {
            seen.insert(name.clone(), alert.place_of(&["name"]));
        }
        faults.extend(rule_faults(alert));
        faults.extend(range_fault(alert));
        if alert.def.running && (alert.def.grain.is_none() || matches!(alert.def.rule, RuleDef::Missing { .. })) {
            let message = "`running` is about figures of periods";
            faults.push(alert.fault(&["running"], message).with_hint("leave it out"));
        }
        faults
    });
}

fn rule_faults(alert: &Document<AlertDef>) -> Vec<Diagnostic> {
    let (def, mut faults) = (&*alert.def, Vec::new());
    let mut report = |key: &[&str], message: &str, hint: &str| {
        faults.push(alert.fault(key, message).with_hint(hint));
    };
    match &def.rule {
        RuleDef::Threshold { above: None, below: None } => {
            report(&["rule"], "the rule has no bound", "give it `above`, `below` or both");
        }
        RuleDef::Threshold { above, below } => {
            if above.iter().chain(below).any(|bound| !bound.is_finite()) {
                report(&["rule"], "a bound must be a number", "write it as in 0.9");
            } else if above.zip(*below).is_some_and(|(above, below)| above < below) {
                report(
                    &["rule", "above"],
                    "every figure lies above the one bound or below the other",
                    "let `below` be the lesser",
                );
            }
        }
        RuleDef::Change { rise, fall, .. } => {
            if rise.is_none() && fall.is_none() {
                report(&["rule"], "the rule has no bound", "give it `rise`, `fall` or both");
            }
            for (key, bound) in [("rise", rise), ("fall", fall)] {
                if bound.is_some_and(|bound| !bound.is_finite() || bound < 0.0) {
                    report(
                        &["rule", key],
                        "a bound of a change must be a number of 0 or more",
                        "a fall is written without a sign",
                    );
                }
            }
            if def.grain.is_none() {
                report(&["rule"], "a change is one of periods, and the alert has no `grain`", "give it a `grain`");
            }
        }
        RuleDef::Missing { older_than_working_days, grace_working_days, expect } => {
            if older_than_working_days.is_some() && *grace_working_days > 0 {
                let message = "an age has no grace";
                report(&["rule", "grace_working_days"], message, "raise `older_than_working_days` instead");
            }
            if older_than_working_days.is_none() && def.grain.is_none() {
                let hint = "give it a `grain`, or the rule `older_than_working_days`";
                report(&["rule"], "nothing says which periods should have data", hint);
            }
            if *grace_working_days > 0 && def.grain == Some(TimeGrain::Hour) {
                report(&["rule", "grace_working_days"], "hours have no working days of grace", "leave it out");
            }
            let grouped = [("by", !def.by.is_empty()), ("where", def.filter.is_some()), ("range", def.range.is_some())];
            for (key, _) in grouped.into_iter().filter(|(_, is_set)| *is_set && def.grain.is_none()) {
                let message = format!("without a `grain` the age is that of all data, and `{key}` means nothing");
                report(&[key], &message, "give the alert a `grain`");
            }
            if !expect.is_empty() && def.by.len() != 1 {
                report(
                    &["rule", "expect"],
                    "`expect` lists values of the one dimension in `by`",
                    "group by one dimension",
                );
            }
        }
    }
    if older_than(def) && def.lasting > 1 && def.grain.is_some() {
        report(&["for"], "an age is judged once, and not by periods", "raise `older_than_working_days` instead");
    }
    faults
}

fn older_than(def: &AlertDef) -> bool {
    matches!(def.rule, RuleDef::Missing { older_than_working_days: Some(_), .. })
}

/// A range can be read, and holds the periods that the rule looks at.
fn range_fault(alert: &Document<AlertDef>) -> Option<Diagnostic> {
    let def = &*alert.def;
    let declared = def.range.as_ref()?;
    let range = match Range::read(declared) {
        Ok(range) => range,
        Err(error) => {
            let fault = alert.fault(&["range"], error.to_string());
            return Some(match error.hint() {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            });
        }
    };
    let is_missing = matches!(def.rule, RuleDef::Missing { .. });
    if is_missing && range.until().is_none() {
        let fault = alert.fault(&["range"], "between two dates nothing new comes, and so nothing new is missing");
        return Some(fault.with_hint("write `last`, as in `12 months`, or leave the range out"));
    }
    let needed = match &def.rule {
        RuleDef::Change { back, mean_of, .. } => def.lasting.max(1) + back + mean_of - 1,
        _ => def.lasting.max(1),
    };
    // The lengths of hours and working days are no calendar's.
    let grain = def.grain.filter(|grain| !matches!(grain, TimeGrain::Hour | TimeGrain::WorkingDay) && !is_missing)?;
    let (Ok((Some(from), Some(to))), periods) = (range.days(SystemClock.today()), Periods::new(grain, 1)) else {
        return None;
    };
    let (mut at, mut count) = (from, 0);
    while at <= to && count < needed {
        count += 1;
        at = periods.last_day(at).and_then(|last| last.succ_opt())?;
    }
    // Of the last one that has not ended yet nothing is judged.
    let (has, wants) = (count, needed);
    (has < wants).then(|| {
        let message = format!("the range has {has} of the {wants} periods that the rule looks at");
        alert.fault(&["range"], message).with_hint("make it longer, or leave it out: then it is as long as needed")
    })
}
