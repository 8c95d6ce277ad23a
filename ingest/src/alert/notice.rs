//! Notices as endpoints get them: JSON with a text for chat services.

use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyun_engine::alert::{AlertDef, EventKind, Finding, Group, GroupState};
use xiangyun_engine::catalog::Bilingual;
use xiangyun_engine::query::TableProvenance;

/// Groups that a notice lists; their number is told in any case.
const LISTED: usize = 100;
/// Groups that its text names.
const NAMED: usize = 5;

/// What is known of the data at the moment of a notice.
#[derive(Debug, Default, Clone)]
pub(super) struct Basis {
    unit: Option<String>,
    synthetic: bool,
    tables: Vec<Value>,
}

impl Basis {
    /// What figures of these tables rest on.
    pub(super) fn of(provenance: &[TableProvenance], unit: Option<String>) -> Self {
        let tables = provenance.iter().map(|table| {
            json!({
                "table": table.table,
                "version": table.version,
                "synthetic": table.synthetic,
                "data_committed_at": table.data_committed_at,
                "age_working_days": table.age_working_days,
                "calendar_missing": table.calendar_missing,
                "freshness": table.freshness,
            })
        });
        let synthetic = provenance.iter().any(|table| table.synthetic);
        Self { unit, synthetic, tables: tables.collect() }
    }
}

/// A notice that `groups` went out of bounds, still are, or came back.
pub(super) fn of_groups(alert: &AlertDef, event: EventKind, groups: &[&GroupState], basis: &Basis, at: &str) -> Value {
    let listed = groups.iter().take(LISTED).map(|group| {
        let Finding { value, period, base, change, age_working_days, reason, .. } = &group.last;
        json!({
            "group": group.group,
            "names": group.names,
            "since": group.since,
            "value": value,
            "period": period,
            "base": base,
            "change": change,
            "age_working_days": age_working_days,
            "reason": reason,
        })
    });
    let words = match event {
        EventKind::Resolved => ("恢复正常", "resolved"),
        EventKind::Repeated => ("仍然异常", "still firing"),
        EventKind::Firing | EventKind::Failed => ("告警", "firing"),
    };
    let bounds = alert.rule.words();
    let shown: Vec<_> = groups.iter().take(NAMED).map(|group| told(group, basis.unit.as_deref())).collect();
    let more = groups.len().saturating_sub(NAMED);
    let (zh_more, en_more) = match more {
        0 => (String::new(), String::new()),
        more => (format!(" 等 {} 组", groups.len()), format!(" and {more} more")),
    };
    let synthetic = if basis.synthetic { ("（合成数据）", " (synthetic data)") } else { ("", "") };
    let text = Bilingual {
        zh: format!(
            "【{}】{}：{}{zh_more}（{}）{}{}",
            words.0,
            alert.title.zh,
            shown.join("；"),
            bounds.zh,
            fresh(basis).zh,
            synthetic.0
        ),
        en: format!(
            "[{}] {}: {}{en_more} ({}){}{}",
            words.1,
            alert.title.en,
            shown.join("; "),
            bounds.en,
            fresh(basis).en,
            synthetic.1
        ),
    };
    let mut notice =
        head(alert, if event == EventKind::Resolved { "alert.resolved" } else { "alert.firing" }, &text, at);
    notice.insert("repeated".into(), json!(event == EventKind::Repeated));
    notice.insert("unit".into(), json!(basis.unit));
    notice.insert("group_count".into(), json!(groups.len()));
    notice.insert("groups".into(), Value::Array(listed.collect()));
    notice.insert("tables".into(), json!(basis.tables));
    notice.insert("synthetic".into(), json!(basis.synthetic));
    Value::Object(notice)
}

/// A notice that the alert cannot be evaluated.
pub(super) fn of_failure(alert: &AlertDef, error: &str, at: &str) -> Value {
    let text = Bilingual {
        zh: format!("【告警无法判定】{}：{error}", alert.title.zh),
        en: format!("[cannot be evaluated] {}: {error}", alert.title.en),
    };
    let mut notice = head(alert, "alert.failed", &text, at);
    notice.insert("error".into(), json!(error));
    Value::Object(notice)
}

fn head(alert: &AlertDef, event: &str, text: &Bilingual, at: &str) -> Map<String, Value> {
    let value = json!({
        "event": event,
        "notice_id": Uuid::now_v7(),
        "at": at,
        "text": format!("{} / {}", text.zh, text.en),
        "texts": text,
        "alert": {
            "name": alert.name,
            "title": alert.title,
            "description": alert.description,
            "severity": alert.severity,
            "owner": alert.owner,
            "metric": alert.metric,
            "grain": alert.grain,
            "where": alert.filter,
            "rule": alert.rule,
            "bounds": alert.rule.words(),
            "for": alert.lasting,
        },
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A group and its figure in a text that both languages share.
fn told(group: &GroupState, unit: Option<&str>) -> String {
    let mut parts = Vec::new();
    let name = name(&group.group, group);
    if !name.is_empty() {
        parts.push(name);
    }
    parts.extend(group.last.period.clone());
    let unit = unit.filter(|unit| *unit != "1").map(|unit| format!(" {unit}")).unwrap_or_default();
    parts.push(match (&group.last.value, group.last.age_working_days, &group.last.reason) {
        (Some(day), Some(age), _) => format!("{day} (+{age})"),
        (Some(value), None, _) => format!("{value}{unit}"),
        (None, _, reason) => reason.clone().unwrap_or_else(|| "no_data".into()),
    });
    if let Some(change) = group.last.change {
        parts.push(format!("Δ {change}"));
    }
    parts.join(" ")
}

/// The group's values, by the names of divisions where those are known.
fn name(group: &Group, state: &GroupState) -> String {
    let shown = group.iter().map(|(dimension, value)| {
        let named = state.names.get(&format!("{dimension}_name")).or(value.as_ref());
        named.map_or("∅", String::as_str)
    });
    shown.collect::<Vec<_>>().join(" · ")
}

/// How fresh the data are: by the oldest of the tables.
fn fresh(basis: &Basis) -> Bilingual {
    let oldest = basis.tables.iter().filter_map(|table| table["age_working_days"].as_i64()).max();
    match oldest {
        Some(days) => Bilingual {
            zh: format!("，数据更新于 {days} 个工作日前"),
            en: format!(", data are {days} working days old"),
        },
        None => Bilingual::default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_how_old_the_data_are_and_how_many_groups_it_is_about() {
        let alert: AlertDef = toml::from_str(
            "version = 1\nname = \"a\"\ntitle = { zh = \"甲\", en = \"A\" }\nmetric = \"m\"\nowner = \"x\"\n\
             by = [\"region.county\"]\nrule = { kind = \"change\", rise = 0.2, fall = 0.1 }\ngrain = \"month\"",
        )
        .unwrap();
        let table = TableProvenance {
            table: "a.b".parse().unwrap(),
            version: 3,
            synthetic: true,
            data_committed_at: None,
            age_working_days: Some(4),
            calendar_missing: false,
            freshness: None,
            counts: Default::default(),
            counts_complete: true,
            runs: Vec::new(),
        };
        let group = |code: String| GroupState {
            names: [("region.county_name".to_owned(), format!("县{code}"))].into(),
            group: [("region.county".to_owned(), Some(code))].into(),
            last: Finding {
                value: Some("12".into()),
                period: Some("2019-03-01".into()),
                change: Some(0.5),
                ..Finding::default()
            },
            ..GroupState::default()
        };
        let groups: Vec<_> = (0..LISTED + 1).map(|code| group(code.to_string())).collect();
        let basis = Basis::of(&[table], Some("件".into()));
        let all: Vec<_> = groups.iter().collect();
        let notice = of_groups(&alert, EventKind::Repeated, &all, &basis, "2019-04-02T00:00:00Z");
        assert_eq!((&notice["event"], &notice["repeated"]), (&json!("alert.firing"), &json!(true)));
        assert_eq!((&notice["group_count"], notice["groups"].as_array().unwrap().len()), (&json!(101), 100));
        let text = notice["texts"]["zh"].as_str().unwrap();
        let (head, tail) = text.split_once(" 等 101 组").unwrap();
        assert!(head.starts_with("【仍然异常】甲：县0 2019-03-01 12 件 Δ 0.5；县1"), "{text}");
        let bounds = "（较前 1 期上升超过 20%，或较前 1 期下降超过 10%）";
        assert_eq!(tail, format!("{bounds}，数据更新于 4 个工作日前（合成数据）"));
        let one = of_groups(&alert, EventKind::Resolved, &all[..1], &basis, "2019-04-02T00:00:00Z");
        let bounds =
            "(up by more than 20% against 1 period(s) before, or down by more than 10% against 1 period(s) before)";
        let expected =
            format!("[resolved] A: 县0 2019-03-01 12 件 Δ 0.5 {bounds}, data are 4 working days old (synthetic data)");
        assert_eq!((&one["texts"]["en"], &one["event"]), (&json!(expected), &json!("alert.resolved")));
    }
}
