//! `/v1/query`.

use axum::http::StatusCode;
use serde_json::json;

use crate::lake::{Lake, encoded};

#[tokio::test]
async fn rows_come_as_objects_with_schema_counts_and_versions() {
    let lake = Lake::open().await;
    let sql = "SELECT case_id, channel, accepted_on, decided_at, fee, case_id > 1 AS later \
        FROM approvals.cases ORDER BY case_id LIMIT 2";
    let reply = lake.post("/v1/query", &json!({"sql": sql})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let body = reply.json();
    assert_eq!(
        body["rows"],
        json!([
            {"case_id": "1", "channel": "e窗通, \"网上\"", "accepted_on": "2019-03-27", "decided_at": "2019-03-26T00:00:01Z",
             "fee": "1.500000", "later": false},
            {"case_id": "2", "channel": null, "accepted_on": "2019-03-28", "decided_at": "2019-03-26T00:00:02Z",
             "fee": "2.500000", "later": true},
        ])
    );
    assert_eq!((&body["row_count"], &body["truncated"]), (&json!(2), &json!(false)));
    let types: Vec<_> = body["schema"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["int64", "text", "date", "timestamp", "decimal(38,6)", "boolean"]);
    assert_eq!(body["tables"][0]["name"], "approvals.cases");
    assert_eq!(body["tables"][0]["version"], 0);
    assert_eq!(reply.header("x-xiangyun-tables"), "approvals.cases@0");
    assert_eq!(body["query_id"], reply.header("x-xiangyun-query-id"));
    assert_ne!(reply.header("x-request-id"), "");
}

#[tokio::test]
async fn numbers_are_native_only_on_request() {
    let lake = Lake::open().await;
    let sql = json!({"sql": "SELECT 9007199254740993 AS n, CAST(1.5 AS DECIMAL(10,2)) AS d"});
    assert_eq!(lake.post("/v1/query", &sql).await.json()["rows"], json!([{"n": "9007199254740993", "d": "1.50"}]));
    let native = lake.post("/v1/query?numbers=native", &sql).await;
    assert!(native.text().contains("\"n\":9007199254740993"), "{}", native.text());
}

#[tokio::test]
async fn parameters_are_bound_by_type() {
    let lake = Lake::open().await;
    let sql = "SELECT count(*) AS n FROM approvals.cases WHERE channel = {channel:Text} AND case_id > {least:Int64}";
    let params = json!({"channel": "e窗通, \"网上\"", "least": 1});
    let reply = lake.post("/v1/query", &json!({"sql": sql, "params": params})).await;
    assert_eq!(reply.json()["rows"], json!([{"n": "3"}]), "{}", reply.text());
    let injected = json!({"channel": "x' OR 1=1 --", "least": 0});
    let reply = lake.post("/v1/query", &json!({"sql": sql, "params": injected})).await;
    assert_eq!(reply.json()["rows"], json!([{"n": "0"}]));
}

#[tokio::test]
async fn a_limit_truncates_and_says_so() {
    let lake = Lake::open().await;
    let sql = "SELECT case_id FROM approvals.cases ORDER BY case_id";
    let body = lake.post("/v1/query", &json!({"sql": sql, "limit": 3})).await.json();
    assert_eq!((&body["row_count"], &body["truncated"]), (&json!(3), &json!(true)));
    let body = lake.get(&format!("/v1/query?limit=7&sql={}", encoded(sql))).await.json();
    assert_eq!((&body["row_count"], &body["truncated"]), (&json!(7), &json!(false)));
}
