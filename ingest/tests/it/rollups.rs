//! Rollups follow their tables, and answer what the tables answer.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_engine::query::{RollupFacts, SqlRequest};
use xiangyun_engine::semantic::{MetricQuery, RegionMode, RollupState, TimeGrain};
use xiangyun_engine::{Engine, Principal};
use xiangyun_ingest::LoadOptions;
use xiangyun_ingest::commit::Committer;
use xiangyun_ingest::maintain::{Pick, RefreshOutcome, Refreshed};
use xiangyun_ingest::pipeline::WriteMode;
use xiangyun_ingest::progress::Silent;

use crate::lake::commit;
use crate::workspace::Lake;

const HEAD: &str = r#"agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "表", en = "table" }
description = { zh = "表", en = "table" }
"#;

const TRADES: &str = r#"
primary_key = ["id"]
columns = [
    { name = "id", type = "int64" },
    { name = "day", type = "date", nullable = true },
    { name = "at", type = "timestamp", nullable = true },
    { name = "region", type = "text", nullable = true },
    { name = "channel", type = "text", nullable = true },
    { name = "uscc", type = "text", nullable = true },
    { name = "amount", type = "decimal(12,2)", nullable = true },
    { name = "items", type = "int64", nullable = true },
]
"#;

const ENTERPRISES: &str = r#"
primary_key = ["uscc"]
columns = [{ name = "uscc", type = "text" }, { name = "industry", type = "text", nullable = true }]
"#;

const MEASURES: [&str; 14] = [
    "trades = { expr = \"count(*)\" }",
    "none = { expr = \"count(*)\", empty_periods = \"zero\" }",
    "online = { expr = \"count(*) FILTER (WHERE channel = 'online')\" }",
    "amount = { expr = \"sum(amount)\" }",
    "least = { expr = \"min(amount)\" }",
    "most = { expr = \"max(items) + 1\" }",
    "mean = { expr = \"avg(amount)\" }",
    "mean_items = { expr = \"avg(items) FILTER (WHERE items > 2)\" }",
    "spread = { expr = \"max(amount) - min(amount) + count(amount)\" }",
    "sellers = { expr = \"approx_distinct(amount)\" }",
    "sold = { expr = \"approx_distinct(uscc) FILTER (WHERE items > 2)\", empty_periods = \"zero\" }",
    "p90 = { expr = \"approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY amount)\" }",
    "top = { expr = \"approx_percentile_cont(0.1) WITHIN GROUP (ORDER BY amount DESC)\" }",
    "typical = { expr = \"approx_median(items / 3.0) FILTER (WHERE items > 2)\" }",
];

const ROLLUPS: &str = r#"
[rollups.by_day]
dimensions = ["channel", "region"]
grain = "day"
metrics = ["share", "a_trades", "a_none", "a_amount", "a_least", "a_most", "a_mean", "a_mean_items", "a_spread", "held",
           "a_sellers", "a_sold", "a_p90", "a_top", "a_typical"]
[rollups.by_month]
dimensions = ["region.prefecture", "channel"]
grain = "month"
measures = ["trades", "online", "amount", "mean", "sellers", "p90"]
[rollups.by_industry]
dimensions = ["industry", "channel"]
grain = "day"
measures = ["trades", "amount", "none", "most", "top", "sold"]
"#;

const HOURLY: &str = r#"
[rollups.by_hour]
dimensions = ["channel"]
grain = "hour"
metrics = ["h_trades", "h_none", "h_amount", "h_mean_items", "h_p90", "h_sellers"]
"#;

fn metric(name: &str, rest: &str) -> String {
    format!(
        "[metrics.{name}]\ntitle = {{ zh = \"a\", en = \"a\" }}\ndescription = {{ zh = \"a\", en = \"a\" }}\n\
         owner = \"x\"\n{rest}\n"
    )
}

fn simple(prefix: &str, measures: &[&str]) -> String {
    let names = measures.iter().map(|measure| measure.split(' ').next().unwrap());
    names.map(|name| metric(&format!("{prefix}_{name}"), &format!("type = \"simple\"\nmeasure = \"{name}\""))).collect()
}

/// The model by days, with `rollups`.
fn daily(rollups: &str) -> String {
    let title = "title = { zh = \"a\", en = \"a\" }";
    let mut text = format!(
        "version = 1\ntable = \"market.dealt\"\ntime_dimension = \"day\"\n\
         [joins.enterprise]\ntable = \"market.enterprises\"\non = {{ uscc = \"uscc\" }}\n\
         [dimensions]\nchannel = {{ {title} }}\nregion = {{ {title}, kind = \"region\" }}\n\
         industry = {{ {title}, expr = \"enterprise.industry\" }}\nweekday = {{ {title}, expr = \"date_part('dow', day)\" }}\n\
         [measures]\n{}\nstock = {{ expr = \"sum(items)\", stock = true }}\n\
         exactly = {{ expr = \"count(DISTINCT uscc)\" }}\n",
        MEASURES.join("\n")
    );
    text += &simple("a", &MEASURES);
    text += &metric("held", "type = \"simple\"\nmeasure = \"stock\"");
    text += &metric("buyers", "type = \"simple\"\nmeasure = \"exactly\"");
    text += &metric("share", "type = \"ratio\"\nnumerator = \"online\"\ndenominator = \"trades\"");
    text += &metric("to_date", "type = \"cumulative\"\nmeasure = \"amount\"\nwindow = \"year-to-date\"");
    text += &metric("quarterly", "type = \"cumulative\"\nmeasure = \"none\"\nwindow = { rolling = \"3 months\" }");
    text += &metric("typical_so_far", "type = \"cumulative\"\nmeasure = \"typical\"\nwindow = \"year-to-date\"");
    text += &metric("p90_rolling", "type = \"cumulative\"\nmeasure = \"p90\"\nwindow = { rolling = \"3 months\" }");
    text += &metric("sold_rolling", "type = \"cumulative\"\nmeasure = \"sold\"\nwindow = { rolling = \"3 months\" }");
    text += &metric("growth", "type = \"change\"\nmetric = \"a_trades\"\noffset = \"1 year\"");
    text += &metric(
        "each",
        "type = \"derived\"\nexpr = \"amount / trades\"\n\
         inputs.amount = { metric = \"a_amount\" }\ninputs.trades = { metric = \"a_trades\", offset = \"1 month\" }",
    );
    text + rollups
}

/// Rows of the table, each by itself, without a few; and what it says of each channel.
const VIEWS: [(&str, &str); 2] = [
    ("dealt", "SELECT id, day, region, channel, uscc, amount, items FROM market.trades WHERE id % 50 <> 7"),
    ("totals", "SELECT channel, max(amount) AS amount, max(day) AS day FROM market.dealt GROUP BY channel"),
];

fn view(name: &str, sql: &str) -> String {
    format!(
        "version = 1\nname = \"market.{name}\"\nowner = \"x\"\ntitle = {{ zh = \"a\", en = \"a\" }}\n\
         description = {{ zh = \"a\", en = \"a\" }}\nsql = \"{sql}\"\n"
    )
}

/// The model by hours.
fn hourly(rollups: &str) -> String {
    let title = "title = { zh = \"a\", en = \"a\" }";
    let text = format!(
        "version = 1\ntable = \"market.trades\"\ntime_dimension = \"at\"\nfinest_grain = \"hour\"\n\
         fiscal_year_start = 4\n[dimensions]\nchannel = {{ {title} }}\n[measures]\n{}\n",
        MEASURES.join("\n")
    );
    text + &simple("h", &MEASURES) + rollups
}

fn pipeline(name: &str, table: &str, mode: &str) -> String {
    format!(
        "version = 1\nname = \"{name}\"\ntable = \"market.{table}\"\nmode = {mode}\n\
         source = {{ kind = \"csv\", path = \"data/{name}/*.csv\" }}\n"
    )
}

/// Rows with ids from `first` on, made of the ids alone.
fn trades(first: u64, count: u64) -> String {
    let mut text = "id,day,at,region,channel,uscc,amount,items\n".to_owned();
    for id in first..first + count {
        let mix = id.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33;
        let of = |values: &[&str], shift: u32| values[(mix >> shift) as usize % values.len()].to_owned();
        let day = chrono::NaiveDate::from_ymd_opt(2018, 11, 20).unwrap() + chrono::Days::new(mix % 450);
        let shown = if mix % 41 == 0 { String::new() } else { day.to_string() };
        let at = if mix % 37 == 0 { String::new() } else { format!("{day} {:02}:{:02}:05", mix % 24, mix % 60) };
        let region = of(&["220102", "220203", "220381", "222401", "220000", "", "220122"], 3);
        let channel = of(&["online", "window", "", "mobile"], 5);
        let uscc = of(&["A", "B", "C", ""], 7);
        let sign = if mix % 5 == 0 { "-" } else { "" };
        let amount = if mix % 13 == 0 { String::new() } else { format!("{sign}{}.{:02}", mix % 7919, mix % 100) };
        let items = if mix % 11 == 0 { String::new() } else { (mix % 17).to_string() };
        writeln!(text, "{id},{shown},{at},{region},{channel},{uscc},{amount},{items}").unwrap();
    }
    text
}

const COMPANIES: &str = "uscc,industry\nA,C13\nB,I65\n";

async fn open() -> Lake {
    let table = |name: &str, rest: &str| format!("version = 1\nname = \"market.{name}\"\n{HEAD}{rest}");
    let files = [
        ("tables/trades.toml", table("trades", TRADES)),
        ("tables/enterprises.toml", table("enterprises", ENTERPRISES)),
        ("pipelines/add.toml", pipeline("add", "trades", "\"append\"")),
        ("pipelines/change.toml", pipeline("change", "trades", "{ upsert = {} }")),
        ("pipelines/companies.toml", pipeline("companies", "enterprises", "\"replace\"")),
        ("views/dealt.toml", view(VIEWS[0].0, VIEWS[0].1)),
        ("views/totals.toml", view(VIEWS[1].0, VIEWS[1].1)),
        ("metrics/daily.toml", daily(ROLLUPS)),
        ("metrics/hourly.toml", hourly(HOURLY)),
        ("data/add/1.csv", trades(0, 400)),
        ("data/change/1.csv", trades(0, 0)),
        ("data/companies/1.csv", COMPANIES.to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let lake = Lake::open(&files).await;
    lake.load("add").await.unwrap();
    lake.load("companies").await.unwrap();
    lake
}

/// The same lake for a project without rollups.
async fn plain(lake: &Lake) -> (tempfile::TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    for part in ["tables", "views", "metrics"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
    }
    let copy = |path: &str| fs::copy(lake.root().join(path), folder.path().join(path)).unwrap();
    copy("tables/trades.toml");
    copy("tables/enterprises.toml");
    copy("views/dealt.toml");
    copy("views/totals.toml");
    fs::write(folder.path().join("metrics/daily.toml"), daily("")).unwrap();
    fs::write(folder.path().join("metrics/hourly.toml"), hourly("")).unwrap();
    let storage = lake.ingest.engine().storage().clone();
    let plain = Lake::over(folder.path(), storage).await;
    (folder, plain.ingest.engine().clone())
}

/// Rows and columns as text, or the error; and the rollups that were read.
async fn answer(engine: &Engine, query: &MetricQuery) -> (String, Vec<String>) {
    let answer = match engine.query_as(Principal::local()).metric(query.clone()).await {
        Ok(answer) => answer,
        Err(error) => return (error.chain(), Vec::new()),
    };
    let used = answer.rollups.iter().filter(|rollup| rollup.state == RollupState::Used);
    let used = used.map(|rollup| rollup.name.clone()).collect();
    let mut text: Vec<_> =
        answer.result.schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    match answer.result.collect().await {
        Ok(batches) => {
            for batch in batches {
                for row in 0..batch.num_rows() {
                    let cell = |column: &arrow::array::ArrayRef| match column.is_null(row) {
                        true => "-".to_owned(),
                        false => array_value_to_string(column, row).unwrap(),
                    };
                    text.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join(" "));
                }
            }
        }
        Err(error) => text.push(error.chain()),
    }
    (text.join("\n"), used)
}

/// Grains, groups, conditions and ranges of many metrics.
fn questions() -> Vec<MetricQuery> {
    let metrics = [
        "a_trades",
        "a_none",
        "a_online",
        "a_amount",
        "a_least",
        "a_most",
        "a_mean",
        "a_mean_items",
        "a_spread",
        "a_sellers",
        "a_sold",
        "a_p90",
        "a_top",
        "a_typical",
        "typical_so_far",
        "p90_rolling",
        "sold_rolling",
        "held",
        "share",
        "to_date",
        "quarterly",
        "growth",
        "each",
        "buyers",
        "h_trades",
        "h_none",
        "h_amount",
        "h_mean_items",
        "h_p90",
        "h_sellers",
    ];
    let grains = [
        None,
        Some("month"),
        Some("day"),
        Some("quarter"),
        Some("week"),
        Some("year"),
        Some("working-day"),
        Some("hour"),
    ];
    let groups: [&[&str]; 7] = [
        &[],
        &["channel"],
        &["region.prefecture"],
        &["region", "channel"],
        &["industry"],
        &["region.province", "channel"],
        &["weekday"],
    ];
    let filters =
        [None, Some("channel = 'online'"), Some("region.prefecture in ('220100', '220200') or channel is null")];
    let ranges = [
        (None, None),
        (Some("2019-01-01"), Some("2019-12-31")),
        (Some("2019-03-05"), Some("2019-08-20")),
        (None, Some("2019-06-30")),
        (Some("2031-01-01"), None),
    ];
    let mut questions = Vec::new();
    for (a, metric) in metrics.into_iter().enumerate() {
        for (b, grain) in grains.into_iter().enumerate() {
            for (c, by) in groups.into_iter().enumerate() {
                // One in so many of all, so that each pair of parts occurs.
                let at = a * 31 + b * 7 + c * 3;
                let (from, to) = ranges[at % ranges.len()];
                questions.push(MetricQuery {
                    metric: metric.into(),
                    by: by.iter().map(ToString::to_string).collect(),
                    filter: filters[(at / 5) % filters.len()].map(Into::into),
                    grain: grain.map(|grain| grain.parse::<TimeGrain>().unwrap()),
                    from: from.map(|day| day.parse().unwrap()),
                    to: to.map(|day| day.parse().unwrap()),
                    regions: (at % 4 == 0).then_some(RegionMode::AsIs),
                    ..MetricQuery::default()
                });
            }
        }
    }
    questions
}

/// Asks one in `step` questions with and without rollups; gives how many were answered by each rollup.
async fn compare(lake: &Lake, step: usize, offset: usize) -> Vec<(String, usize)> {
    let (_folder, plain) = plain(lake).await;
    let mut counts = std::collections::BTreeMap::new();
    for query in questions().iter().skip(offset).step_by(step) {
        let (rolled, used) = answer(lake.ingest.engine(), query).await;
        let (expected, none) = answer(&plain, query).await;
        assert_eq!(rolled, expected, "{query} by {used:?}");
        assert!(none.is_empty());
        used.into_iter().for_each(|name| *counts.entry(name).or_insert(0) += 1);
    }
    counts.into_iter().collect()
}

async fn refresh(lake: &Lake) -> Vec<(String, RefreshOutcome)> {
    let refreshed = lake.ingest.maintenance().refresh_rollups().await;
    refreshed.into_iter().map(|(name, done)| (name, done.unwrap().outcome)).collect()
}

/// What the refresh did to each of the four, in the order of their names.
fn all(
    day: RefreshOutcome,
    hour: RefreshOutcome,
    industry: RefreshOutcome,
    month: RefreshOutcome,
) -> Vec<(String, RefreshOutcome)> {
    let names = ["by_day", "by_hour", "by_industry", "by_month"].map(str::to_owned);
    names.into_iter().zip([day, hour, industry, month]).collect()
}

fn every(outcome: RefreshOutcome) -> Vec<(String, RefreshOutcome)> {
    all(outcome, outcome, outcome, outcome)
}

async fn facts(lake: &Lake, name: &str) -> RollupFacts {
    let facts = lake.ingest.maintenance().rollups().await.unwrap();
    facts.into_iter().find(|facts| facts.summary.name == name).unwrap()
}

fn cases() -> MetricQuery {
    MetricQuery { metric: "a_trades".into(), by: vec!["channel".into()], ..MetricQuery::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_answers_what_its_table_answers() {
    let lake = open().await;
    assert_eq!(compare(&lake, 97, 0).await, [], "none was made yet");
    assert_eq!(refresh(&lake).await, every(RefreshOutcome::Rebuilt));
    assert_eq!(refresh(&lake).await, every(RefreshOutcome::Current));
    let served = compare(&lake, 5, 0).await;
    for name in ["by_day", "by_hour", "by_industry", "by_month"] {
        let count = served.iter().find(|(served, _)| served == name).map_or(0, |(_, count)| *count);
        assert!(count >= 5, "{name} answered {count} of {served:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_follows_every_kind_of_commit() {
    use RefreshOutcome::{Added, Current, Merged, Rebuilt};
    let lake = open().await;
    refresh(&lake).await;
    // Rows come, in two commits.
    for (file, first) in [("2", 400), ("3", 520)] {
        lake.write(&format!("data/add/{file}.csv"), trades(first, 120).as_bytes());
        lake.load("add").await.unwrap();
    }
    // One that is behind is not read.
    let (_, used) = answer(lake.ingest.engine(), &cases()).await;
    assert_eq!(used, [] as [&str; 0]);
    assert_eq!(refresh(&lake).await, every(Added));
    let (_, used) = answer(lake.ingest.engine(), &cases()).await;
    assert_eq!(used.len(), 1);
    assert!(!compare(&lake, 29, 1).await.is_empty());
    // Files are put together: the rows are the same. What came just before is told by files that are gone.
    lake.write("data/add/4.csv", trades(640, 50).as_bytes());
    lake.load("add").await.unwrap();
    let maintenance = lake.ingest.maintenance();
    let subject = maintenance.table(&"market.trades".parse().unwrap()).unwrap();
    assert!(maintenance.optimize(&subject, Pick::All).await.unwrap().done.version.is_some());
    assert_eq!(refresh(&lake).await, every(Added));
    assert!(!compare(&lake, 29, 2).await.is_empty());
    // Rows change.
    lake.write("data/change/1.csv", trades(100, 30).replace("online", "mobile").as_bytes());
    lake.load("change").await.unwrap();
    assert_eq!(refresh(&lake).await, every(Rebuilt));
    assert!(!compare(&lake, 29, 3).await.is_empty());
    // A table that is looked up changes: only the rollup that rests on it is made anew.
    lake.write("data/companies/1.csv", b"uscc,industry\nA,J66\nC,I65\n");
    lake.load("companies").await.unwrap();
    assert_eq!(refresh(&lake).await, all(Current, Current, Rebuilt, Current));
    assert!(!compare(&lake, 29, 4).await.is_empty());
    // A file's rows take the place of those that it had.
    let run = lake.sql("select distinct _run from market.trades where id = 410").await[0][0].clone();
    lake.write("data/add/2.csv", trades(2_000, 80).as_bytes());
    lake.ingest.redo(&run, &LoadOptions::default(), Arc::new(Silent)).await.unwrap();
    assert_eq!(refresh(&lake).await, every(Rebuilt));
    assert!(!compare(&lake, 29, 8).await.is_empty());
    // All rows are others.
    let context = lake.ingest.engine().query_as(Principal::local());
    let kept = context.sql(SqlRequest::new("select * from market.trades where id % 3 = 0")).await.unwrap();
    let kept = kept.collect().await.unwrap();
    let table = &lake.ingest.engine().project().table(&"market.trades".parse().unwrap()).unwrap().def;
    let committer = Committer::new(lake.ingest.engine().storage().clone());
    commit(&committer, table, WriteMode::Replace, "other rows", &kept[0]).await.unwrap();
    assert_eq!(refresh(&lake).await, every(Rebuilt));
    assert!(!compare(&lake, 29, 5).await.is_empty());
    // And the old ones come back.
    maintenance.restore(&"market.trades".parse().unwrap(), 2, None).await.unwrap();
    assert_eq!(refresh(&lake).await, every(Rebuilt));
    assert!(!compare(&lake, 29, 6).await.is_empty());
    // Parts do not pile up.
    let before = facts(&lake, "by_day").await.rows.unwrap();
    let mut merged = 0;
    for commit in 0..20 {
        lake.write("data/add/5.csv", trades(3_000 + commit, 1).as_bytes());
        lake.load("add").await.unwrap();
        merged += refresh(&lake).await.iter().filter(|(_, outcome)| *outcome == Merged).count();
    }
    assert_eq!(merged, 4, "each of the four once");
    assert!(facts(&lake, "by_day").await.rows.unwrap() <= before + 20);
    assert!(!compare(&lake, 29, 7).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_definition_makes_a_rollup_anew() {
    let lake = open().await;
    refresh(&lake).await;
    let changed = ROLLUPS.replace("dimensions = [\"channel\", \"region\"]", "dimensions = [\"channel\"]");
    fs::write(lake.root().join("metrics/daily.toml"), daily(&changed)).unwrap();
    let other = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: None };
    let (_, used) = answer(other.ingest.engine(), &MetricQuery { grain: Some(TimeGrain::Day), ..cases() }).await;
    assert_eq!(used, [] as [&str; 0], "it has the columns of the old definition still");
    assert_eq!(refresh(&other).await[0], ("by_day".to_owned(), RefreshOutcome::Rebuilt));
    let (_, used) = answer(other.ingest.engine(), &MetricQuery { grain: Some(TimeGrain::Day), ..cases() }).await;
    assert_eq!(used, ["by_day"]);
    // Back again: the versions of the table are those of before, and what is kept is not.
    let (_, used) = answer(lake.ingest.engine(), &MetricQuery { grain: Some(TimeGrain::Day), ..cases() }).await;
    assert_eq!(used, [] as [&str; 0]);
    assert_eq!(refresh(&lake).await[0], ("by_day".to_owned(), RefreshOutcome::Rebuilt));
    assert!(!compare(&lake, 61, 0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_the_same_name_is_not_taken_for_the_old_one() {
    let lake = open().await;
    refresh(&lake).await;
    fs::remove_dir_all(lake.root().join("lake/market/trades")).unwrap();
    lake.write("data/add/1.csv", trades(5_000, 40).as_bytes());
    let other = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: None };
    other.load("add").await.unwrap();
    let (rows, used) = answer(other.ingest.engine(), &cases()).await;
    assert_eq!(used, [] as [&str; 0], "the same version of another table");
    let counted = other.sql("select count(*) from market.trades where channel = 'online' and id % 50 <> 7").await;
    assert!(rows.contains(&format!("online {}", counted[0][0])), "{rows}");
    assert_eq!(refresh(&other).await[0].1, RefreshOutcome::Rebuilt);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_refresh_at_once_count_nothing_twice() {
    let lake = open().await;
    refresh(&lake).await;
    let others = [Lake::at(lake.root()).await, Lake::at(lake.root()).await, Lake::at(lake.root()).await];
    for round in 0..4 {
        lake.write("data/add/2.csv", trades(1_000 + round * 10, 10).as_bytes());
        lake.load("add").await.unwrap();
        let refreshing = others.iter().map(|other| {
            let maintenance = other.ingest.maintenance();
            tokio::spawn(async move { maintenance.refresh_rollup("by_day", false).await.unwrap() })
        });
        let done: Vec<Refreshed> =
            futures::future::join_all(refreshing).await.into_iter().map(|done| done.unwrap()).collect();
        // One of them has written it, and the others have found it.
        assert!(done.iter().all(|done| done.version == Some(round + 1)), "{done:?}");
    }
    assert_eq!(facts(&lake, "by_day").await.version, Some(4));
    let query = MetricQuery { grain: Some(TimeGrain::Day), ..cases() };
    let (rolled, used) = answer(lake.ingest.engine(), &query).await;
    assert_eq!(used, ["by_day"]);
    let (_folder, plain) = plain(&lake).await;
    assert_eq!(rolled, answer(&plain, &query).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rollup_takes_no_answer_with_it() {
    let lake = open().await;
    refresh(&lake).await;
    let log = lake.root().join("lake/_xiangyun/rollups/by_month/_delta_log");
    let newest = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    fs::write(newest, "no json").unwrap();
    let other = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: None };
    let (rows, used) = answer(other.ingest.engine(), &cases()).await;
    assert_eq!(used, ["by_day"]);
    let (_folder, plain) = plain(&lake).await;
    assert_eq!(rows, answer(&plain, &cases()).await.0);
    let refreshed = other.ingest.maintenance().refresh_rollups().await;
    let failed: Vec<_> = refreshed.iter().filter(|(_, done)| done.is_err()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(failed, ["by_month"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_is_no_table_that_statements_name() {
    let lake = open().await;
    refresh(&lake).await;
    let context = lake.ingest.engine().query_as(Principal::local());
    for name in ["_xiangyun.by_day", "rollups.by_day", "\"_xiangyun/rollups\".by_day"] {
        assert!(context.sql(SqlRequest::new(format!("select * from {name}"))).await.is_err(), "{name}");
    }
    let names: Vec<String> = context.tables().await.unwrap().iter().map(|table| table.name.to_string()).collect();
    assert_eq!(names, ["market.dealt", "market.enterprises", "market.totals", "market.trades"]);
    assert!(Path::new(&lake.root().join("lake/_xiangyun/rollups/by_day/_delta_log")).is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_can_be_made_anew_and_waits_for_its_table() {
    let lake = open().await;
    let maintenance = lake.ingest.maintenance();
    assert_eq!(facts(&lake, "by_day").await.version, None);
    assert_eq!(maintenance.refresh_rollup("by_day", false).await.unwrap().outcome, RefreshOutcome::Rebuilt);
    let first = facts(&lake, "by_day").await;
    assert!(first.is_current);
    assert_eq!(maintenance.refresh_rollup("by_day", true).await.unwrap().outcome, RefreshOutcome::Rebuilt);
    let second = facts(&lake, "by_day").await;
    assert_eq!((second.rows, second.version), (first.rows, first.version.map(|version| version + 1)));
    let error = maintenance.refresh_rollup("by_days", false).await.unwrap_err();
    assert_eq!(error.hint(), Some("did you mean `by_day`?"));
    fs::remove_dir_all(lake.root().join("lake/market/trades")).unwrap();
    let other = Lake::at(lake.root()).await;
    let done = other.ingest.maintenance().refresh_rollup("by_day", false).await.unwrap();
    assert_eq!(done.outcome, RefreshOutcome::NotLoaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_of_a_view_that_adds_up_rows_is_made_anew() {
    let model = "version = 1\ntable = \"market.totals\"\ntime_dimension = \"day\"\n\
                 [measures]\ngreatest = { expr = \"sum(amount)\" }\n";
    let rollup = "[rollups.totals]\ngrain = \"month\"\nmeasures = [\"greatest\"]\n";
    let greatest = metric("greatest", "type = \"simple\"\nmeasure = \"greatest\"");
    let lake = open().await;
    fs::write(lake.root().join("metrics/totals.toml"), format!("{model}{greatest}{rollup}")).unwrap();
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    let query = MetricQuery { metric: "greatest".into(), ..MetricQuery::default() };
    for first in [0, 700] {
        lake.write("data/add/6.csv", trades(5_000 + first, 40).as_bytes());
        lake.load("add").await.unwrap();
        let (expected, _) = answer(lake.ingest.engine(), &query).await;
        let done = lake.ingest.maintenance().refresh_rollup("totals", false).await.unwrap();
        assert_eq!(done.outcome, RefreshOutcome::Rebuilt);
        assert_eq!(answer(lake.ingest.engine(), &query).await, (expected, vec!["totals".to_owned()]));
    }
    // Another statement of the view is another definition.
    let changed = view("dealt", &VIEWS[0].1.replace("<> 7", "<> 8"));
    fs::write(lake.root().join("views/dealt.toml"), changed).unwrap();
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    assert_eq!(answer(lake.ingest.engine(), &query).await.1, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_depends_on_the_day_has_no_rollup() {
    let lake = open().await;
    let recent = view("dealt", &VIEWS[0].1.replace("id % 50 <> 7", "day < current_date()"));
    fs::write(lake.root().join("views/dealt.toml"), recent).unwrap();
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(lake.root(), &mut diagnostics);
    Engine::check(&project, &mut diagnostics).await;
    let found: Vec<_> = diagnostics.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(found, ["the view `market.dealt` depends on the time at which it is asked"; 3]);
}
