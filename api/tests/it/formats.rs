//! One result in every format.

use std::io::Cursor;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use axum::http::StatusCode;
use calamine::{Data, Reader, Xlsx};
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

#[tokio::test]
async fn xlsx() {
    let lake = Lake::open().await;
    let media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    for (extra, accept) in [("&format=xlsx", ""), ("", media_type)] {
        let reply = ask(&lake, extra, accept).await;
        assert_eq!(reply.header("content-type"), media_type);
        assert_eq!(reply.header("content-disposition"), "inline; filename=\"result.xlsx\"");
        let mut workbook = Xlsx::new(Cursor::new(reply.body)).unwrap();
        let sheet = workbook.worksheet_range("Sheet1").unwrap();
        let rows: Vec<&[Data]> = sheet.rows().collect();
        let text = |text: &str| Data::String(text.into());
        assert_eq!(rows[0], ["case_id", "channel", "fee"].map(text));
        assert_eq!(rows[1], [Data::Float(1.0), text("e窗通, \"网上\""), Data::Float(1.5)]);
        assert_eq!(rows[2], [Data::Float(2.0), Data::Empty, Data::Float(2.5)]);
    }
}

#[tokio::test]
async fn a_workbook_that_cannot_be_made_whole_is_an_error_with_its_status() {
    let lake = Lake::open().await;
    // Far behind the first window of the other formats.
    let late = encoded("SELECT 1 / (20000 - value) AS x FROM generate_series(1, 20000)");
    let reply = lake.get(&format!("/v1/query?format=xlsx&sql={late}")).await;
    assert_eq!((reply.status, &reply.json()["code"]), (StatusCode::BAD_REQUEST, &json!("sql_error")));
    let long = encoded("SELECT repeat('x', 32768) AS note");
    let reply = lake.get(&format!("/v1/query?format=xlsx&sql={long}")).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("row 1 of column `note` has 32768 characters"), "{detail}");
}

#[tokio::test]
async fn a_workbook_larger_than_a_piece_comes_whole() {
    let lake = Lake::open().await;
    let sql = encoded("SELECT value, md5(CAST(value AS VARCHAR)) AS hash FROM generate_series(1, 20000)");
    let reply = lake.get(&format!("/v1/query?format=xlsx&sql={sql}")).await;
    assert!(reply.body.len() > 512 << 10, "{} bytes are not several pieces", reply.body.len());
    let mut workbook = Xlsx::new(Cursor::new(reply.body)).unwrap();
    let sheet = workbook.worksheet_range("Sheet1").unwrap();
    assert_eq!(sheet.get_size(), (20_001, 2));
    assert_eq!(sheet.get_value((20_000, 0)), Some(&Data::Float(20_000.0)));
}
