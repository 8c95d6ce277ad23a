//! Schedules: what runs when, once, and who is told of it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_ingest::Declarations;
use xiangyun_ingest::jobs::{JobOptions, JobOutcome, Jobs, Reason};
use xiangyun_ingest::observe::{FailureWebhook, OpenLineage, Outbox};

use crate::clock::SetClock;
use crate::receiver::Receiver;
use crate::workspace::Lake;

const TABLE: &str = r#"version = 1
name = "trade.NAME"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "贸易", en = "trade" }
description = { zh = "贸易", en = "trade" }
columns = [{ name = "id", type = "int64" }, { name = "name", type = "text", nullable = true }]
"#;

const DROP: &str = r#"version = 1
name = "drop"
table = "trade.landed"
source = { kind = "csv", path = "drop/*.csv" }
mode = "replace"
schedule = { on_arrival = { look_every_seconds = 1 } }
"#;

const FOLLOW: &str = r#"version = 1
name = "follow"
table = "trade.followed"
source = { kind = "csv", path = "data.csv" }
transform = { sql = "select id, (select max(name) from trade.landed) as name from source" }
mode = "replace"
schedule = { after = ["drop"] }
"#;

fn table(name: &str) -> String {
    TABLE.replace("NAME", name)
}

/// Outcome of every job that is due now, as `name: what`.
async fn run_due(jobs: &Jobs) -> Vec<String> {
    let mut told = Vec::new();
    let tell = |report: xiangyun_ingest::jobs::JobReport| {
        let what = match report.outcome {
            JobOutcome::Ran(load) => format!("{:?} {}", load.outcome, load.run.rows_loaded),
            JobOutcome::Elsewhere => "elsewhere".into(),
            JobOutcome::Failed(error) => error.chain(),
        };
        told.push(format!("{}: {what}", report.due.pipeline));
    };
    jobs.run_due(tell).await.unwrap();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_folder_is_loaded_once_it_is_still_and_others_follow() {
    let (landed, followed) = (table("landed"), table("followed"));
    let lake = Lake::open(&[
        ("tables/trade.landed.toml", landed.as_bytes()),
        ("tables/trade.followed.toml", followed.as_bytes()),
        ("pipelines/drop.toml", DROP.as_bytes()),
        ("pipelines/follow.toml", FOLLOW.as_bytes()),
        ("data.csv", b"id\n7\n"),
        ("drop/.keep", b""),
    ])
    .await;
    let jobs = Jobs::try_new(lake.ingest.clone(), JobOptions::default()).unwrap();
    let nothing: [String; 0] = [];
    assert_eq!(run_due(&jobs).await, nothing, "an empty folder is no fault");
    lake.write("drop/a.csv", "id,name\n1,甲\n".as_bytes());
    assert_eq!(run_due(&jobs).await, nothing, "it may still be written");
    assert_eq!(run_due(&jobs).await, ["drop: Loaded 1", "follow: Loaded 1"]);
    assert_eq!(run_due(&jobs).await, nothing);
    assert_eq!(lake.sql("select id, name from trade.followed").await, [["7", "甲"]]);
    // The same name with other content is something new; touching it is not loaded twice.
    lake.write("drop/a.csv", "id,name\n1,乙\n2,丙\n".as_bytes());
    assert_eq!(run_due(&jobs).await, nothing);
    assert_eq!(run_due(&jobs).await, ["drop: Loaded 2", "follow: Loaded 1"]);
    // Another process that begins now finds nothing to do.
    let other = Jobs::try_new(lake.ingest.clone(), JobOptions::default()).unwrap();
    assert_eq!(run_due(&other).await, nothing);
    assert_eq!(run_due(&other).await, ["drop: Unchanged 2"].map(|text| text.replace(" 2", " 0")));
    let edges = lake
        .sql(
            "select from_kind, from_name, to_name from system.lineage where to_kind = 'table' \
             and run_id = (select max(run_id) from system.runs where pipeline = 'follow' and status = 'succeeded') \
             order by 1",
        )
        .await;
    assert_eq!(edges, [["source", "data.csv", "trade.followed"], ["table", "trade.landed", "trade.followed"]]);
}

const DAILY: &str = r#"version = 1
name = "daily"
table = "trade.landed"
source = { kind = "csv", path = "data.csv" }
mode = "append"
[schedule]
cron = "0 6 * * *"
days = "working"
catch_up = "all"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_time_is_run_for_once_by_whichever_process_and_missed_ones_are_made_up_for() {
    let landed = table("landed");
    // Friday before the National Day holiday of 2024: 29 September is a Sunday that is worked (domain.md, section 6).
    let clock = SetClock::at("2024-09-27T06:00:00+08:00");
    let lake = Lake::open_at(
        &[
            ("tables/trade.landed.toml", landed.as_bytes()),
            ("pipelines/daily.toml", DAILY.as_bytes()),
            ("data.csv", b"id,name\n1,a\n"),
        ],
        clock.clone(),
    )
    .await;
    let open = || Jobs::try_new(lake.ingest.clone(), JobOptions::default()).unwrap();
    let (one, other) = (open(), open());
    assert_eq!(run_due(&one).await, ["daily: Loaded 1"]);
    assert_eq!(run_due(&other).await, [] as [String; 0]);
    clock.advance(TimeDelta::days(12));
    let (due, failed) = other.due().await.unwrap();
    assert!(failed.is_empty());
    let days: Vec<String> = due
        .iter()
        .map(|due| match &due.reason {
            Reason::Time(time) => (*time + TimeDelta::hours(8)).date_naive().to_string(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(days, ["2024-09-29", "2024-09-30", "2024-10-08", "2024-10-09"]);
    let (first, second) = tokio::join!(run_due(&one), run_due(&other));
    // Each time was run for by one of them.
    let ran = first.iter().chain(&second).filter(|told| !told.ends_with("elsewhere")).count();
    let recorded =
        lake.sql("select count(*), count(distinct due_at) from system.runs where trigger = 'schedule'").await;
    assert_eq!((ran, recorded), (4, vec![vec!["5".into(), "5".into()]]), "{first:?} {second:?}");
    assert_eq!(lake.sql("select count(*) from trade.landed").await, [["1"]]);
    assert_eq!(one.plan().await.unwrap()[0].next.unwrap().to_rfc3339(), "2024-10-09T22:00:00+00:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_told_to_the_webhook_and_every_run_to_the_lineage_server() {
    let landed = table("landed");
    let lake = Lake::open(&[
        ("tables/trade.landed.toml", landed.as_bytes()),
        ("pipelines/daily.toml", DAILY.as_bytes()),
        ("data.csv", b"id\n1\n"),
    ])
    .await;
    // The first notice is refused once, and sent again.
    let (hook, lineage) = (Receiver::start(&["503 Service Unavailable"]).await, Receiver::start(&[]).await);
    let token = xiangyun_ingest::connection::SecretText::new("geheim".into());
    let (to_hook, to_lineage) =
        (Outbox::open(&hook.url, Some(&token)).unwrap(), Outbox::open(&lineage.url, None).unwrap());
    let storage = lake.ingest.engine().storage();
    let ingest = lake.ingest.clone().observed_by(vec![
        Arc::new(FailureWebhook::new(to_hook.clone())),
        Arc::new(OpenLineage::new(to_lineage.clone(), storage)),
    ]);
    let options = xiangyun_ingest::LoadOptions::default();
    let load = || ingest.load("daily", &options, Arc::new(xiangyun_ingest::progress::Silent));
    load().await.unwrap_err();
    lake.write("data.csv", b"id,name\n1,a\n");
    load().await.unwrap();
    to_hook.close(Duration::from_secs(20)).await;
    to_lineage.close(Duration::from_secs(20)).await;
    let (hook, lineage) = (hook.take_whole(), lineage.take());
    let message = &hook[0].body;
    assert!(hook[0].head.contains("\r\nauthorization: bearer geheim"), "{}", hook[0].head);
    assert_eq!((hook.len(), message["event"].as_str()), (1, Some("run.failed")));
    assert!(message["run"]["error"].as_str().unwrap().contains("no column `name`"), "{message}");
    let kinds: Vec<_> = lineage.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["START", "FAIL", "START", "COMPLETE"]);
    let done = &lineage[3];
    assert_eq!(done["inputs"][0]["name"], "data.csv");
    assert_eq!(done["outputs"][0]["name"], "trade.landed");
    assert_eq!(done["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"], 1);
    assert_eq!(lineage[2]["run"]["runId"], done["run"]["runId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_out_of_reach_is_tried_again_and_a_bad_file_is_not() {
    let landed = table("landed");
    let schedule = DAILY.replace("catch_up = \"all\"", "retry = { attempts = 3, wait_seconds = 0 }");
    let clock = SetClock::at("2024-09-27T06:00:00+08:00");
    let files: [(&str, &[u8]); 3] = [
        ("tables/trade.landed.toml", landed.as_bytes()),
        ("pipelines/daily.toml", schedule.as_bytes()),
        ("data.csv", b"id\n1\n"),
    ];
    let lake = Lake::open_at(&files, clock.clone()).await;
    let jobs = Jobs::try_new(lake.ingest.clone(), JobOptions::default()).unwrap();
    let told = run_due(&jobs).await;
    assert!(told.len() == 1 && told[0].contains("no column `name`"), "{told:?}");
    let failed = "select count(*) from system.runs where status = 'failed'";
    assert_eq!(lake.sql(failed).await, [["1"]], "columns do not come by waiting");
    // A folder in the file's place cannot be read by anybody at any time, but a file that cannot be opened may be soon.
    fs::remove_file(lake.root().join("data.csv")).unwrap();
    clock.advance(TimeDelta::days(3));
    let told = run_due(&jobs).await;
    assert!(told.len() == 1 && told[0].contains("does not exist"), "{told:?}");
    let due = lake.sql("select count(distinct due_at) from system.runs where status = 'failed'").await;
    assert_eq!(due, [["2"]]);
}

#[test]
fn schedules_are_checked_offline() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("tables/a.toml", &table("landed"));
    let pipeline = |name: &str, after: &str| {
        FOLLOW.replace("follow", name).replace("trade.followeded", "trade.landed").replace("[\"drop\"]", after)
    };
    write(
        "pipelines/a.toml",
        &pipeline("a", "[\"b\", \"c\"]")
            .replace("trade.aed", "trade.landed")
            .replace("mode = \"replace\"", "mode = \"append\""),
    );
    write(
        "pipelines/b.toml",
        &pipeline("b", "[\"a\"]")
            .replace("trade.bed", "trade.landed")
            .replace("mode = \"replace\"", "mode = \"append\""),
    );
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(folder.path(), &mut diagnostics);
    Declarations::load(&project, &mut diagnostics);
    let faults: Vec<_> = diagnostics.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        faults,
        [
            "`a` waits for `b`, which waits for `a`",
            "there is no pipeline `c`",
            "`b` waits for `a`, which waits for `b`"
        ]
    );
}

const LATE: &str = r#"version = 1
name = "late"
table = "trade.days"
source = { kind = "csv", path = "days.csv" }
mode = "replace"
"#;

fn promising(name: &str, period: &str) -> String {
    let promise =
        format!("freshness = {{ period = \"{period}\", grace_working_days = 1, column = \"at\" }}\ncolumns = [");
    table(name)
        .replace("columns = [", &promise)
        .replace("{ name = \"name\", type = \"text\"", "{ name = \"at\", type = \"timestamp\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_overdue_is_recorded_and_told_of_once_although_nothing_is_loaded() {
    let clock = SetClock::at("2024-09-27T12:00:00+08:00");
    let (days, years) = (promising("days", "daily"), promising("years", "yearly"));
    let lake = Lake::open_at(
        &[
            ("tables/trade.days.toml", days.as_bytes()),
            ("tables/trade.years.toml", years.as_bytes()),
            ("pipelines/late.toml", LATE.as_bytes()),
            // In China that is the 27th.
            ("days.csv", b"id,at\n1,2024-09-26T20:00:00Z\n2,\n"),
        ],
        clock.clone(),
    )
    .await;
    lake.load("late").await.unwrap();
    let hook = Receiver::start(&["503 Service Unavailable"]).await;
    let to_hook = Outbox::open(&hook.url, None).unwrap();
    let ingest = lake.ingest.clone().observed_by(vec![Arc::new(FailureWebhook::new(to_hook.clone()))]);
    let jobs = Jobs::try_new(ingest.clone(), JobOptions::default()).unwrap();
    assert!(!jobs.is_empty(), "no pipeline is scheduled, and yet there is something to look at");
    let nothing: [String; 0] = [];
    // The 28th is a Saturday, the 29th a Sunday that is worked: the grace ends with it.
    assert_eq!(run_due(&jobs).await, nothing);
    clock.advance(TimeDelta::days(2));
    assert_eq!(run_due(&jobs).await, nothing);
    clock.advance(TimeDelta::days(1));
    let message = "`trade.days` has data up to 2024-09-27, newer ones were due by 2024-09-29";
    assert_eq!(run_due(&jobs).await, [format!("_freshness: {message}")]);
    assert_eq!(run_due(&jobs).await, nothing);
    clock.advance(TimeDelta::days(1));
    assert_eq!(run_due(&jobs).await, nothing, "it was told of yesterday");
    let other = Jobs::try_new(lake.ingest.clone(), JobOptions::default()).unwrap();
    assert_eq!(run_due(&other).await, nothing, "another process finds the record");
    let found = xiangyun_ingest::freshness::freshness(lake.ingest.engine()).await.unwrap();
    let found: Vec<_> = found.iter().map(|table| (table.table.to_string(), table.state.code())).collect();
    assert_eq!(found, [("trade.days".to_owned(), "STALE"), ("trade.years".to_owned(), "NO_DATA")]);

    // Newer data, and a later day for which no working days are published: no guess.
    lake.write("days.csv", b"id,at\n1,2098-01-05T00:00:00Z\n");
    lake.load("late").await.unwrap();
    clock.advance(TimeDelta::days(1));
    let told = run_due(&jobs).await;
    assert!(told.len() == 1 && told[0].starts_with("_freshness: calendar_missing: "), "{told:?}");
    to_hook.close(Duration::from_secs(20)).await;
    let told = hook.take();
    let events: Vec<_> = told.iter().map(|message| message["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["table.overdue", "table.overdue"]);
    assert_eq!(told[0]["run"]["error"], message);
    let runs = "select table_name, status, trigger from system.runs where pipeline = '_freshness' order by started_at";
    assert_eq!(lake.sql(runs).await, [["trade.days", "failed", "freshness"], ["trade.days", "failed", "freshness"]]);
}
