//! A number is followed to the lines of the files that it is made of.

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use deltalake::DeltaTable;
use xiangyun_engine::query::{Depth, OriginPage};
use xiangyun_engine::semantic::MetricQuery;
use xiangyun_engine::{ErrorKind, Principal};

use crate::loads::TABLE;
use crate::workspace::Lake;

const METRICS: &str = r#"version = 1
table = "market.trades"

[dimensions]
channel = { title = { zh = "渠道", en = "Channel" } }

[measures]
amount = { expr = "sum(amount)" }

[metrics.traded]
title = { zh = "交易额", en = "Traded" }
description = { zh = "交易额合计", en = "Sum of the amounts" }
unit = "CNY"
owner = "tests"
type = "simple"
measure = "amount"
"#;

const MARCH: &str = "id,channel,amount\n1,online,10.50\n2,window,3.00\n3,online,1.25\n";
const APRIL: &str = "id,channel,amount\nx,online,7\n4,online,100.00\n5,window,2\n";

fn table() -> String {
    let columns = r#"columns = [
    { name = "channel", type = "text" },"#;
    TABLE.replace("columns = [", columns)
}

fn pipeline(transform: &str) -> String {
    format!(
        "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = \"append\"\n{transform}\n\
         source = {{ kind = \"csv\", path = \"data/*.csv\" }}\n"
    )
}

async fn open(transform: &str) -> Lake {
    let (table, pipeline) = (table(), pipeline(transform));
    Lake::open(&[
        ("tables/t.toml", table.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("metrics/m.toml", METRICS.as_bytes()),
        ("data/april.csv", APRIL.as_bytes()),
        ("data/march.csv", MARCH.as_bytes()),
    ])
    .await
}

async fn metric(lake: &Lake, filter: &str) -> Vec<String> {
    let query = MetricQuery { metric: "traded".into(), filter: Some(filter.into()), ..MetricQuery::default() };
    let answer = lake.ingest.engine().query_as(Principal::system()).metric(query).await.unwrap();
    let batches: Vec<RecordBatch> = answer.result.collect().await.unwrap();
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert!(!names.iter().any(|name| name.starts_with('_')), "{names:?}");
    batch.columns().iter().map(|column| array_value_to_string(column, 0).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_is_followed_to_file_and_line() {
    let lake = open("").await;
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_rejected), (5, 1));
    assert!(metric(&lake, "channel = 'online'").await.contains(&"111.75".to_owned()));
    let places = lake
        .sql("select _file, _line, _run, amount from market.trades where channel = 'online' order by _file, _line")
        .await;
    let mut total = 0.0;
    for row in &places {
        let [file, line, run_id, amount] = row.as_slice() else { panic!("{row:?}") };
        assert_eq!(*run_id, run.run_id);
        let text = std::fs::read_to_string(lake.root().join(file)).unwrap();
        let line = text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!((fields[1], fields[2]), ("online", amount.as_str()));
        total += amount.parse::<f64>().unwrap();
    }
    assert_eq!((places.len(), total), (3, 111.75));
    assert_eq!(places[0][..2], ["data/april.csv", "3"]);
    assert_eq!(lake.sql("select * from market.trades where id = 1").await, [["online", "1", "10.50"]]);
    let files = lake.sql("select count(distinct _file) from market.trades join system.runs on run_id = _run").await;
    assert_eq!(files, [["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_transform_keep_their_place_where_they_have_one() {
    let row_by_row = "transform = { sql = \"select id, upper(channel) as channel, amount from source\" }";
    let lake = open(row_by_row).await;
    lake.load("trades").await.unwrap();
    let place = "select channel, _file, _line from market.trades where id = 4";
    assert_eq!(lake.sql(place).await, [["ONLINE", "data/april.csv", "3"]]);
    let grouped = "transform = { sql = \"select min(id) as id, channel, max(amount) as amount from source \
                   where id <> 'x' group by channel\" }";
    let lake = open(grouped).await;
    lake.load("trades").await.unwrap();
    let places = "select distinct _file, _line is null from market.trades";
    assert_eq!(lake.sql(places).await, [["data/april.csv, data/march.csv", "true"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_readers_see_ordinary_columns() {
    let lake = open("").await;
    let run = lake.load("trades").await.unwrap().run;
    let url = url::Url::from_directory_path(lake.root().join("lake/market/trades")).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    let session = datafusion::execution::context::SessionContext::new();
    table.update_datafusion_session(&session.state()).unwrap();
    session.register_table("t", table.table_provider().await.unwrap()).unwrap();
    let sql = "select cast(_run as varchar) as r, cast(_file as varchar) as f, _line from t where id = 4";
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let shown: Vec<_> = batch.columns().iter().map(|column| array_value_to_string(column, 0).unwrap()).collect();
    assert_eq!(shown, [run.run_id.as_str(), "data/april.csv", "3"]);
    let table: DeltaTable = table;
    let schema = table.snapshot().unwrap().schema();
    let names: Vec<_> = schema.fields().map(|field| (field.name().clone(), field.is_nullable())).collect();
    assert_eq!(names[3..], [("_run".into(), true), ("_file".into(), true), ("_line".into(), true)]);
    // The log's statistics say which files hold a run's rows.
    let sql = format!("explain select id from market.trades where _run = '{}'", "00000000-0000-7000-8000-000000000000");
    let plan = lake.sql(&sql).await.concat().join("\n");
    assert!(!plan.contains(".parquet"), "{plan}");
}

/// The metric of this module over `view`, a view of the trades.
async fn over_view(view: &str) -> Lake {
    let (table, pipeline) = (table(), pipeline(""));
    let view = format!(
        "version = 1\nname = \"market.seen\"\ntitle = {{ zh = \"交易\", en = \"Trades\" }}\n\
         description = {{ zh = \"交易\", en = \"Trades\" }}\nowner = \"tests\"\nsql = \"\"\"\n{view}\n\"\"\"\n"
    );
    let lake = Lake::open(&[
        ("tables/t.toml", table.as_bytes()),
        ("views/v.toml", view.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("metrics/m.toml", METRICS.replace("market.trades", "market.seen").as_bytes()),
        ("data/april.csv", APRIL.as_bytes()),
        ("data/march.csv", MARCH.as_bytes()),
    ])
    .await;
    lake.load("trades").await.unwrap();
    lake
}

/// The lines behind the online trades, and the files with their rows.
async fn lines(lake: &Lake, page: OriginPage) -> xiangyun_engine::Result<(Vec<String>, Vec<String>, bool)> {
    let filter = Some("channel = 'online'".to_owned());
    let query = MetricQuery { metric: "traded".into(), filter, ..MetricQuery::default() };
    let context = lake.ingest.engine().query_as(Principal::system());
    let pins = context.pin_metrics(["traded"]).await;
    let found = context.figure_origins(&pins, &query, page).await?;
    let name = |file: &Option<String>| file.as_deref().unwrap_or("-").rsplit('/').next().unwrap().to_owned();
    let lines = found.lines.iter().map(|line| format!("{}:{}", name(&line.file), line.line.unwrap_or(0)));
    let files = found.files.iter().map(|file| format!("{} {}", name(&file.file), file.rows));
    assert_eq!(found.rows, found.files.iter().map(|file| file.rows).sum::<u64>());
    assert_eq!((found.tables.len(), found.tables[0].version), (1, 0));
    Ok((lines.collect(), files.collect(), found.more))
}

const ALL: OriginPage = OriginPage { offset: 0, lines: 100, files: 100 };

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_behind_a_figure_are_paged_and_counted_by_file() {
    let lake = open("").await;
    lake.load("trades").await.unwrap();
    let expected = ["april.csv:3", "march.csv:2", "march.csv:4"].map(str::to_owned).to_vec();
    let (found, files, more) = lines(&lake, ALL).await.unwrap();
    assert_eq!((found, more), (expected.clone(), false));
    assert_eq!(files, ["march.csv 2", "april.csv 1"]);
    for (offset, line) in expected.iter().enumerate() {
        let (found, _, more) = lines(&lake, OriginPage { offset, lines: 1, files: 100 }).await.unwrap();
        assert_eq!((found, more), (vec![line.clone()], offset < 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_followed_through_views_that_keep_rows_apart() {
    let all = ["april.csv:3", "march.csv:2", "march.csv:4"];
    for (view, expected) in [
        ("select id, channel, amount from market.trades", all.as_slice()),
        ("select channel, amount * 2 as amount from market.trades where amount > 2", &all[..2]),
        ("with t as (select * from market.trades) select x.amount, x.channel from t as x order by x.amount", &all),
        (
            "select t.channel, t.amount, n.count from market.trades t left join \
             (select channel, count(*) as count from market.trades group by channel) n on n.channel = t.channel",
            &all,
        ),
        (
            "select channel, amount from (select *, row_number() over (partition by channel order by id) as place \
             from market.trades) ranked where place = 1",
            &all[1..2],
        ),
        (
            "select channel, amount from market.trades where id < 3 union all \
             select channel, amount from market.trades where id > 3",
            &all[..2],
        ),
        ("select _run, _file, _line, channel, amount from market.trades", &all),
    ] {
        let lake = over_view(view).await;
        let (found, ..) = lines(&lake, ALL).await.unwrap_or_else(|error| panic!("{view}: {}", error.chain()));
        assert_eq!(found, expected, "{view}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_make_rows_of_several_say_so() {
    for (view, reason) in [
        ("select channel, sum(amount) as amount from market.trades group by channel", "groups rows"),
        ("select distinct channel, amount from market.trades", "one of several equal rows"),
    ] {
        let error = lines(&over_view(view).await, ALL).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{view}");
        assert!(error.to_string().contains("`market.seen`") && error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_a_view_rests_on_the_runs_of_the_table_under_it() {
    let lake = over_view("select channel, amount from market.trades").await;
    let context = lake.ingest.engine().query_as(Principal::system());
    let pins = context.pin_metrics(["traded"]).await;
    let told = context.provenance(&pins, &pins.versions(), Depth::Full).await;
    let [table] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(table.table.to_string(), "market.trades");
    assert_eq!((table.counts.runs, table.counts.rows_loaded, table.counts.rows_rejected), (1, 5, 1));
    assert!(table.counts_complete && table.data_committed_at.is_some());
    let run = &table.runs[0];
    assert_eq!((run.rows_rejected, run.files_total, run.files.len()), (1, 2, 2));
    assert!(run.files.iter().all(|file| file.sha256.is_some()), "{run:?}");
    let whole = context.run(&run.run_id).await.unwrap();
    assert_eq!((whole.rows_read, whole.version, whole.columns.is_empty()), (6, Some(0), false));
    assert_eq!(context.run("nothing").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_table_rests_on_its_last_load_alone() {
    let (table, pipeline) = (table(), pipeline("").replace("append", "replace"));
    let lake = Lake::open(&[
        ("tables/t.toml", table.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("metrics/m.toml", METRICS.as_bytes()),
        ("data/march.csv", MARCH.as_bytes()),
    ])
    .await;
    lake.load("trades").await.unwrap();
    lake.write("data/april.csv", APRIL.as_bytes());
    let last = lake.load("trades").await.unwrap().run;
    let context = lake.ingest.engine().query_as(Principal::system());
    let pins = context.pin_metrics(["traded"]).await;
    let told = context.provenance(&pins, &pins.versions(), Depth::Summary).await;
    assert_eq!((told[0].counts.runs, told[0].counts_complete), (1, true));
    assert_eq!(told[0].runs[0].run_id, last.run_id);
    assert!(told[0].runs[0].files.is_empty(), "a summary lists no files");
}
