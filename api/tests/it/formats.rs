//! One result in every format.

use std::io::Cursor;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use axum::http::StatusCode;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::lake::{Lake, Reply, encoded};

const SQL: &str = "SELECT case_id, channel, fee FROM approvals.cases WHERE case_id < 3 ORDER BY case_id";

async fn ask(lake: &Lake, extra: &str, accept: &str) -> Reply {
    let reply = lake.get_accepting(&format!("/v1/query?sql={}{extra}", encoded(SQL)), accept).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.header("x-xiangyun-tables"), "approvals.cases@0");
    reply
}

#[tokio::test]
async fn csv() {
    let lake = Lake::open().await;
    let expected = "case_id,channel,fee\n1,\"e窗通, \"\"网上\"\"\",1.500000\n2,,2.500000\n";
    let reply = ask(&lake, "", "text/csv").await;
    assert_eq!(reply.text(), expected);
    assert!(reply.header("content-type").starts_with("text/csv; charset=utf-8"));
    assert_eq!(ask(&lake, "&format=csv&bom=true", "*/*").await.text(), format!("\u{feff}{expected}"));
}

#[tokio::test]
async fn formulas_are_escaped_on_request() {
    let lake = Lake::open().await;
    let sql = encoded("SELECT '=1+1' AS a");
    assert_eq!(lake.get(&format!("/v1/query?format=csv&sql={sql}")).await.text(), "a\n=1+1\n");
    assert_eq!(lake.get(&format!("/v1/query?format=csv&formulas=escape&sql={sql}")).await.text(), "a\n'=1+1\n");
}

#[tokio::test]
async fn ndjson_ends_with_its_status() {
    let lake = Lake::open().await;
    let reply = ask(&lake, "&format=ndjson", "").await;
    let lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1], json!({"case_id": "2", "channel": null, "fee": "2.500000"}));
    assert_eq!(lines[2], json!({"status": {"complete": true, "row_count": 2, "truncated": false}}));
}

#[tokio::test]
async fn arrow() {
    let lake = Lake::open().await;
    let reply = ask(&lake, "", "application/vnd.apache.arrow.stream").await;
    let batches: Vec<_> = StreamReader::try_new(Cursor::new(reply.body), None).unwrap().map(Result::unwrap).collect();
    let ids: Vec<_> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(ids, [1, 2]);
}

#[tokio::test]
async fn parquet() {
    let lake = Lake::open().await;
    let reply = ask(&lake, "&format=parquet", "").await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(reply.body).unwrap().build().unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
}
