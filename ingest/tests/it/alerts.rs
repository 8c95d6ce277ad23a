//! Alerts: evaluated after loads, by one process, and told once to a real receiver.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use xiangyun_engine::Engine;
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_ingest::Declarations;
use xiangyun_ingest::alert::{AlertOptions, Alerts};
use xiangyun_ingest::observe::Outbox;

use crate::clock::SetClock;
use crate::receiver::Receiver;
use crate::workspace::Lake;

const TABLE: &str = r#"version = 1
name = "trade.sales"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "销售", en = "sales" }
description = { zh = "销售", en = "sales" }
columns = [
  { name = "day", type = "date" },
  { name = "shop", type = "text" },
  { name = "amount", type = "int64" },
]
"#;

const PIPELINE: &str = r#"version = 1
name = "sales"
table = "trade.sales"
source = { kind = "csv", path = "sales.csv" }
mode = "replace"
"#;

const MODEL: &str = r#"version = 1
table = "trade.sales"
time_dimension = "day"
dimensions.shop = { title = { zh = "店", en = "Shop" } }
measures.amount.expr = "sum(amount)"

[metrics.sales]
title = { zh = "销售额", en = "Sales" }
description = { zh = "合计。", en = "The sum." }
unit = "元"
owner = "tests"
type = "simple"
measure = "amount"
"#;

fn alert(name: &str, rest: &str) -> String {
    format!(
        "version = 1\nname = \"{name}\"\ntitle = {{ zh = \"销售异常\", en = \"Odd sales\" }}\nmetric = \"sales\"\n\
         owner = \"tests\"\n{rest}\n"
    )
}

fn outbox(hook: &Receiver) -> Outbox {
    Outbox::open(&hook.url, None).unwrap()
}

/// Each notice as its event and its groups with their figures.
fn short(notices: &[Value]) -> Vec<String> {
    let group = |group: &Value| {
        let shop = group["group"]["shop"].as_str().unwrap_or("-");
        format!("{shop} {}", group["value"].as_str().or(group["reason"].as_str()).unwrap_or("-"))
    };
    let line = |notice: &Value| {
        let groups = notice["groups"].as_array().into_iter().flatten().map(group).collect::<Vec<_>>().join(", ");
        let again = if notice["repeated"] == true { " again" } else { "" };
        format!("{}{again}: {groups}", notice["event"].as_str().unwrap())
    };
    notices.iter().map(line).collect()
}

async fn lake(alerts: &[(&str, &str)], csv: &str, clock: Arc<SetClock>) -> Lake {
    let texts: Vec<_> = alerts.iter().map(|(name, rest)| (format!("alerts/{name}.toml"), alert(name, rest))).collect();
    let mut files: Vec<(&str, &[u8])> = vec![
        ("tables/sales.toml", TABLE.as_bytes()),
        ("pipelines/sales.toml", PIPELINE.as_bytes()),
        ("metrics/sales.toml", MODEL.as_bytes()),
        ("sales.csv", csv.as_bytes()),
    ];
    files.extend(texts.iter().map(|(path, text)| (path.as_str(), text.as_bytes())));
    Lake::open_at(&files, clock).await
}

fn watching(lake: &Lake, webhook: Option<Outbox>) -> Alerts {
    Alerts::open(lake.ingest.clone(), AlertOptions { webhook, ..AlertOptions::default() }).unwrap()
}

/// Names and words of what a look found out.
async fn look(alerts: &Alerts) -> Vec<String> {
    let mut told = Vec::new();
    let tell = |report: xiangyun_ingest::alert::AlertReport| {
        let error = report.error.map(|error| format!(" {}", error.chain())).unwrap_or_default();
        told.push(format!("{} +{} -{}{error}", report.alert.name, report.turn.began.len(), report.turn.ended.len()));
    };
    alerts.look(tell).await.unwrap();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_told_of_when_it_begins_and_ends_and_not_again_after_a_restart() {
    let clock = SetClock::at("2024-05-08T12:00:00+08:00");
    let rule = "by = [\"shop\"]\nrule = { kind = \"threshold\", below = 10 }\nseverity = \"critical\"";
    let lake = lake(&[("low", rule)], "day,shop,amount\n2024-05-06,a,5\n2024-05-06,b,20\n", clock.clone()).await;
    let hook = Receiver::start(&[]).await;
    let alerts = watching(&lake, Some(outbox(&hook)));
    // Nothing was loaded yet: nothing can be told, and that is no failure.
    assert_eq!(look(&alerts).await, [] as [String; 0]);
    lake.load("sales").await.unwrap();
    assert_eq!(look(&alerts).await, ["low +1 -0"]);
    let notices = hook.take();
    assert_eq!(short(&notices), ["alert.firing: a 5"]);
    let notice = &notices[0];
    assert_eq!(notice["texts"]["zh"], "【告警】销售异常：a 5 元（低于 10）");
    assert_eq!(notice["texts"]["en"], "[firing] Odd sales: a 5 元 (below 10)");
    assert_eq!(notice["alert"]["severity"], "critical");
    assert_eq!(notice["alert"]["rule"], json!({"kind": "threshold", "above": null, "below": 10.0}));
    assert_eq!((&notice["tables"][0]["table"], &notice["tables"][0]["version"]), (&json!("trade.sales"), &json!(0)));
    // The commit bears the machine's time, which lies behind the one that this test has set: its age cannot be told.
    assert!(notice["tables"][0]["data_committed_at"].is_string());
    assert!(notice["notice_id"].as_str().is_some());
    // Nothing new: nothing is told, by this process, by one that begins anew, or by both at once.
    let other = watching(&lake, Some(outbox(&hook)));
    let both = tokio::join!(look(&alerts), look(&other));
    assert_eq!((both, hook.take().len()), ((Vec::new(), Vec::new()), 0));
    lake.write("sales.csv", b"day,shop,amount\n2024-05-06,a,6\n2024-05-06,b,20\n");
    lake.load("sales").await.unwrap();
    assert_eq!((look(&other).await, hook.take().len()), (Vec::new(), 0), "it is still out of bounds");
    lake.write("sales.csv", b"day,shop,amount\n2024-05-06,a,10\n2024-05-06,b,2\n");
    lake.load("sales").await.unwrap();
    // Of two that look at once one does it.
    let (first, second) = tokio::join!(look(&alerts), look(&other));
    assert_eq!([first, second].concat(), ["low +1 -1"]);
    assert_eq!(short(&hook.take()), ["alert.firing: b 2", "alert.resolved: a 10"]);
    assert_eq!(look(&other).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_a_table_with_a_row_for_each_group() {
    let clock = SetClock::at("2024-05-08T12:00:00+08:00");
    let alerts = [
        ("high", "rule = { kind = \"threshold\", above = 100 }\nseverity = \"critical\""),
        ("low", "by = [\"shop\"]\nrule = { kind = \"threshold\", below = 10 }"),
    ];
    let lake = lake(&alerts, "day,shop,amount\n2024-05-06,a,5\n2024-05-06,b,20\n", clock.clone()).await;
    let rows = async || {
        let asked = "select alert, metric, rule, bounds_en, severity, status, cast(evaluated_at as varchar), tables, waiting, \
                     group_values, group_status, cast(since as varchar), value, in_succession \
                     from system.alerts order by alert, group_values";
        lake.sql(asked).await.iter().map(|row| row.join("|")).collect::<Vec<_>>()
    };
    let never = [
        "high|sales|threshold|above 100|critical|never||[]|0|||||",
        "low|sales|threshold|below 10|warning|never||[]|0|||||",
    ];
    assert_eq!(rows().await, never);
    lake.load("sales").await.unwrap();
    // Nobody takes the notice: it waits.
    let hook = Receiver::start(&["400 Bad Request"]).await;
    look(&watching(&lake, Some(outbox(&hook)))).await;
    let tables = r#"[{"table":"trade.sales","version":0}]"#;
    let at = "2024-05-08T04:00:00Z";
    let expected = [
        format!("high|sales|threshold|above 100|critical|ok|{at}|{tables}|0|{{}}|ok||25|0"),
        format!("low|sales|threshold|below 10|warning|firing|{at}|{tables}|1|{{\"shop\":\"a\"}}|firing|{at}|5|1"),
        format!("low|sales|threshold|below 10|warning|firing|{at}|{tables}|1|{{\"shop\":\"b\"}}|ok||20|0"),
    ];
    assert_eq!(rows().await, expected);
    // It stands beside the tables of data, and says what is out of bounds where those are asked.
    let joined = "select s.table_name, count(*) from system.alerts a join system.tables s \
                  on strpos(a.tables, s.schema_name || '.' || s.table_name) > 0 where a.group_status = 'firing' \
                  group by s.table_name";
    assert_eq!(lake.sql(joined).await, [["sales", "1"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_not_taken_waits_in_the_lake_and_one_is_repeated_after_its_hours() {
    let clock = SetClock::at("2024-05-08T12:00:00+08:00");
    let rule = "rule = { kind = \"threshold\", above = 3 }\nrepeat_hours = 24";
    let lake = lake(&[("high", rule)], "day,shop,amount\n2024-05-06,a,5\n", clock.clone()).await;
    lake.load("sales").await.unwrap();
    // Refused: it is not tried again at once, and the endpoint is left alone for a while.
    let hook = Receiver::start(&["400 Bad Request"]).await;
    let alerts = watching(&lake, Some(outbox(&hook)));
    assert_eq!(look(&alerts).await, ["high +1 -0"]);
    assert_eq!(look(&alerts).await, [] as [String; 0]);
    assert_eq!(hook.take().len(), 0);
    let queries = lake.ingest.engine().query_as(xiangyun_engine::Principal::local());
    let waiting = async || {
        let alert = queries.alert("high").unwrap();
        queries.alert_state(alert).await.unwrap().unwrap().waiting
    };
    let id = waiting().await[0]["notice_id"].clone();
    // Another process, or this one later, sends what waits.
    let other = watching(&lake, Some(outbox(&hook)));
    assert_eq!(look(&other).await, [] as [String; 0]);
    let sent = hook.take();
    assert_eq!((short(&sent), &sent[0]["notice_id"]), (vec!["alert.firing: - 5".to_owned()], &id));
    assert!(waiting().await.is_empty());
    clock.advance(TimeDelta::hours(23));
    assert_eq!((look(&other).await, hook.take().len()), (Vec::new(), 0));
    clock.advance(TimeDelta::hours(2));
    assert_eq!(look(&other).await, [] as [String; 0]);
    assert_eq!(short(&hook.take()), ["alert.firing again: - 5"]);
    assert_eq!((look(&other).await, hook.take().len()), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_missing_periods_are_found_by_the_calendar() {
    // Wednesday; 1 to 5 May were off, and 28 April and 11 May are worked.
    let clock = SetClock::at("2024-05-08T12:00:00+08:00");
    let alerts = [
        ("dropped", "grain = \"day\"\nby = [\"shop\"]\nrule = { kind = \"change\", fall = 0.5 }"),
        ("gap", "grain = \"working-day\"\nby = [\"shop\"]\nrule = { kind = \"missing\", expect = [\"c\"] }"),
        ("old", "rule = { kind = \"missing\", older_than_working_days = 2 }"),
    ];
    let csv = "day,shop,amount\n2024-05-06,a,8\n2024-05-07,a,4\n2024-05-06,b,8\n2024-05-07,b,3\n";
    let lake = lake(&alerts, csv, clock.clone()).await;
    let hook = Receiver::start(&[]).await;
    let alerts = watching(&lake, Some(outbox(&hook)));
    let sorted = |mut notices: Vec<Value>| {
        notices.sort_by_key(|notice| notice["alert"]["name"].as_str().unwrap().to_owned());
        notices
            .iter()
            .map(|notice| {
                format!("{} {}", notice["alert"]["name"].as_str().unwrap(), short(std::slice::from_ref(notice))[0])
            })
            .collect::<Vec<_>>()
    };
    // A table that was never loaded is missing; whoever is expected is, too.
    look(&alerts).await;
    assert_eq!(sorted(hook.take()), ["gap alert.firing: c no_data", "old alert.firing: - no_data"]);
    lake.load("sales").await.unwrap();
    look(&alerts).await;
    // From 8 to 4 is a fall by a half and no more.
    let found = hook.take();
    let change = found.iter().find(|notice| notice["alert"]["name"] == "dropped").unwrap();
    assert_eq!((&change["groups"][0]["base"], &change["groups"][0]["change"]), (&json!(8.0), &json!(-0.625)));
    assert_eq!(sorted(found), ["dropped alert.firing: b 3", "old alert.resolved: - 2024-05-07"]);
    // Thursday: the 8th has ended without data of anybody.
    clock.advance(TimeDelta::days(1));
    look(&alerts).await;
    assert_eq!(sorted(hook.take()), ["gap alert.firing: a no_data, b no_data"]);
    // Friday: three working days since the 7th.
    clock.advance(TimeDelta::days(1));
    look(&alerts).await;
    assert_eq!(sorted(hook.take()), ["old alert.firing: - 2024-05-07"]);
    assert_eq!(look(&alerts).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_with_a_schedule_waits_for_its_time() {
    let clock = SetClock::at("2024-05-08T12:00:00+08:00");
    let rule = "rule = { kind = \"threshold\", above = 3 }\nschedule = { cron = \"0 9 * * *\", days = \"working\" }";
    let lake = lake(&[("daily", rule)], "day,shop,amount\n2024-05-06,a,1\n", clock.clone()).await;
    lake.load("sales").await.unwrap();
    let alerts = watching(&lake, None);
    assert_eq!(look(&alerts).await, [] as [String; 0]);
    lake.write("sales.csv", b"day,shop,amount\n2024-05-06,a,5\n");
    lake.load("sales").await.unwrap();
    assert_eq!(look(&alerts).await, [] as [String; 0], "it is not nine yet");
    clock.advance(TimeDelta::hours(22));
    assert_eq!(look(&alerts).await, ["daily +1 -0"]);
    assert_eq!(look(&alerts).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_evaluated_is_told_once() {
    // No working days are published for that year.
    let clock = SetClock::at("2098-05-08T12:00:00+08:00");
    let rule = "rule = { kind = \"missing\", older_than_working_days = 2 }";
    let lake = lake(&[("old", rule)], "day,shop,amount\n2098-05-06,a,1\n", clock.clone()).await;
    lake.load("sales").await.unwrap();
    let hook = Receiver::start(&[]).await;
    let alerts = watching(&lake, Some(outbox(&hook)));
    let told = look(&alerts).await;
    assert!(told.len() == 1 && told[0].contains("calendar_missing: "), "{told:?}");
    let notices = hook.take();
    assert_eq!((notices.len(), &notices[0]["event"]), (1, &json!("alert.failed")));
    assert!(notices[0]["error"].as_str().unwrap().contains("2098"), "{}", notices[0]);
    clock.advance(TimeDelta::days(1));
    assert_eq!((look(&alerts).await, hook.take().len()), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_takes_notices_with_its_secret() {
    let hook = Receiver::start(&[]).await;
    let clock = SetClock::at("2024-05-08T12:00:00+08:00");
    let rule = "rule = { kind = \"threshold\", above = 3 }\nwebhook = \"chat\"";
    let text = alert("high", rule);
    let connection = format!(
        "version = 1\nname = \"chat\"\nurl = \"{}\"\ntls = \"off\"\nheader = \"x-key\"\nsecret = {{ file = \"key\" }}\n",
        hook.url
    );
    let lake = Lake::open_at(
        &[
            ("tables/sales.toml", TABLE.as_bytes()),
            ("pipelines/sales.toml", PIPELINE.as_bytes()),
            ("metrics/sales.toml", MODEL.as_bytes()),
            ("alerts/high.toml", text.as_bytes()),
            ("connections/chat.toml", connection.as_bytes()),
            ("key", b"geheim\n"),
            ("sales.csv", b"day,shop,amount\n2024-05-06,a,5\n"),
        ],
        clock,
    )
    .await;
    lake.load("sales").await.unwrap();
    look(&watching(&lake, None)).await;
    let taken = hook.take_whole();
    assert_eq!((taken.len(), short(std::slice::from_ref(&taken[0].body))), (1, vec!["alert.firing: - 5".to_owned()]));
    assert!(taken[0].head.contains("\r\nx-key: geheim"), "{}", taken[0].head);
}

#[tokio::test]
async fn alerts_are_checked_offline_with_the_place_of_each_fault() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("tables/sales.toml", TABLE);
    write("metrics/sales.toml", MODEL);
    let threshold = "rule = { kind = \"threshold\", above = 3 }";
    for (name, rest) in [
        ("a_sound", threshold.to_owned()),
        ("b_dimension", format!("by = [\"shpo\"]\n{threshold}")),
        ("c_grain", format!("grain = \"hour\"\n{threshold}")),
        ("d_condition", format!("where = \"shop = 3 and nothing\"\n{threshold}")),
        ("e_unbound", "rule = { kind = \"threshold\" }".into()),
        ("f_change", "rule = { kind = \"change\", rise = 0.1 }".into()),
        ("g_missing", "rule = { kind = \"missing\" }".into()),
        (
            "h_short",
            "grain = \"month\"\nrange = { last = \"3 months\" }\nrule = { kind = \"change\", rise = 1, back = 12 }"
                .into(),
        ),
        ("i_cron", format!("{threshold}\nschedule = {{ cron = \"0 9 * *\" }}")),
        ("j_webhook", format!("{threshold}\nwebhook = \"chat\"")),
        ("k_kind", "rule = { kind = \"treshold\", above = 3 }".into()),
        ("l_crossed", "rule = { kind = \"threshold\", above = 1, below = 2 }".into()),
    ] {
        write(&format!("alerts/{name}.toml"), &alert(name, &rest));
    }
    write("alerts/m_metric.toml", &alert("m_metric", threshold).replace("\"sales\"", "\"sale\""));
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(folder.path(), &mut diagnostics);
    Declarations::load(&project, &mut diagnostics);
    Engine::check(&project, &mut diagnostics).await;
    let mut found: Vec<_> = diagnostics
        .iter()
        .map(|fault| {
            let at = fault.span.clone().and_then(|span| fault.source.text.get(span)).unwrap_or_default();
            (fault.source.path.display().to_string(), at.to_owned(), fault.message.clone())
        })
        .collect();
    found.sort();
    let told: Vec<String> = found.iter().map(|(path, at, message)| format!("{path} at {at}: {message}")).collect();
    let expected = [
        ("b_dimension", "\"shpo\"", "metric `sales` has no dimension `shpo`"),
        ("c_grain", "\"hour\"", "metric `sales` cannot be asked by hour"),
        ("d_condition", "\"sales\"", ""),
        ("e_unbound", "", "the rule has no bound"),
        ("f_change", "", "a change is one of periods, and the alert has no `grain`"),
        ("g_missing", "", "nothing says which periods should have data"),
        ("h_short", "", "the range has 3 of the 13 periods that the rule looks at"),
        ("i_cron", "\"0 9 * *\"", "`0 9 * *` is no schedule: it does not have five fields"),
        ("j_webhook", "\"chat\"", "there is no connection `chat`"),
        ("k_kind", "\"treshold\"", "`treshold` is no value of `kind`, did you mean `threshold`?"),
        ("l_crossed", "1", "every figure lies above the one bound or below the other"),
        ("m_metric", "\"sale\"", "there is no metric `sale`"),
    ];
    assert_eq!(found.len(), expected.len(), "{told:#?}");
    for ((path, at, message), (name, place, words)) in found.iter().zip(expected) {
        assert_eq!(path, &format!("alerts/{name}.toml"), "{told:#?}");
        assert!(message.contains(words), "{told:#?}");
        assert!(place.is_empty() || at == place, "{name}: {at}");
    }
}
