//! A number is followed to the lines of the files that it is made of.

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use deltalake::DeltaTable;
use xiangyun_engine::Principal;
use xiangyun_engine::semantic::MetricQuery;

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
