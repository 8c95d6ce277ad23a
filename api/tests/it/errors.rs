//! Every failure is a problem document.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::lake::{Lake, Reply, encoded};

/// The body of a problem, with what must hold for every one of them.
fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let body = reply.json();
    assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)), "{body}");
    assert_eq!(body["request_id"], reply.header("x-request-id"));
    assert!(body["title"].is_string() && body["retryable"].is_boolean(), "{body}");
    assert!(!body["detail"].as_str().unwrap().is_empty(), "{body}");
    body
}

async fn query(lake: &Lake, sql: &str) -> Reply {
    lake.post("/v1/query", &json!({"sql": sql})).await
}

#[tokio::test]
async fn faults_of_the_statement() {
    let lake = Lake::open().await;
    let body = problem(&query(&lake, "SELECT chanel FROM approvals.cases").await, 400, "sql_error");
    assert!(body["detail"].as_str().unwrap().contains("chanel"), "{body}");
    assert_eq!(body["position"], json!({"line": 1, "column": 8}));
    problem(&query(&lake, "SELEC 1").await, 400, "sql_error");
    problem(&query(&lake, "SELECT * FROM approvals.nothing").await, 404, "not_found");
    problem(&query(&lake, "DELETE FROM approvals.cases").await, 422, "unsupported");
    let body = problem(&query(&lake, "SELECT 1 AS a, 2 AS a").await, 400, "sql_error");
    assert!(body["detail"].as_str().unwrap().contains("`a`"), "{body}");
    problem(&query(&lake, "SELECT 1 / 0 AS x").await, 400, "sql_error");
}

#[tokio::test]
async fn faults_of_the_request() {
    let lake = Lake::open().await;
    problem(&lake.get("/v1/query").await, 400, "invalid_input");
    problem(&lake.get("/v1/query?sql=a&sql=b").await, 400, "invalid_input");
    let body = problem(&lake.get("/v1/tables?formt=json").await, 400, "invalid_input");
    assert_eq!(body["detail"], "unknown parameter `formt`, did you mean `format`?");
    problem(&lake.post("/v1/query", &json!({"sql": "SELECT 1", "param": {}})).await, 422, "invalid_input");
    let request = Request::post("/v1/query").header("content-type", "application/json");
    problem(&lake.send(request.body(Body::from("{")).unwrap()).await, 400, "invalid_input");
    let request = Request::post("/v1/query").header("content-type", "text/plain");
    problem(&lake.send(request.body(Body::from("SELECT 1")).unwrap()).await, 415, "unsupported_media_type");
    let long = "x".repeat(2 << 20);
    problem(&query(&lake, &long).await, 413, "payload_too_large");
}

#[tokio::test]
async fn faults_of_the_path() {
    let lake = Lake::open().await;
    let body = problem(&lake.get("/v1/nothing").await, 404, "not_found");
    assert_eq!(body["detail"], "there is nothing at GET /v1/nothing");
    let reply = lake.post("/v1/tables", &json!({})).await;
    problem(&reply, 405, "method_not_allowed");
    assert_eq!(reply.header("allow"), "GET,HEAD");
    problem(&lake.get("/v1/tables/approvals/nothing").await, 404, "not_found");
    problem(&lake.get("/v1/tables/Approvals/cases").await, 400, "invalid_input");
    problem(&lake.get("/v1/metrics/case").await, 404, "not_found");
}

#[tokio::test]
async fn an_unknown_format_is_never_answered_in_another() {
    let lake = Lake::open().await;
    let path = format!("/v1/query?sql={}", encoded("SELECT 1 AS a"));
    problem(&lake.get_accepting(&path, "application/xml").await, 406, "not_acceptable");
    problem(&lake.get(&format!("{path}&format=xls")).await, 406, "not_acceptable");
    problem(&lake.get_accepting("/v1/tables", "text/csv").await, 406, "not_acceptable");
    problem(&lake.get(&format!("{path}&bom=yes")).await, 400, "invalid_input");
}

#[tokio::test]
async fn a_damaged_log_is_named_and_no_path_of_the_server_is_shown() {
    let lake = Lake::open().await;
    assert_eq!(lake.get("/readyz").await.status, StatusCode::OK);
    let commit = lake.folder().join("lake/approvals/cases/_delta_log/00000000000000000000.json");
    std::fs::write(commit, "{ this is no commit").unwrap();
    // A new engine: the old one may rightly keep the snapshot that it has verified.
    let lake = lake.reopened().await;
    let reply = query(&lake, "SELECT * FROM approvals.cases").await;
    let body = problem(&reply, 500, "corrupted");
    assert!(body["detail"].as_str().unwrap().contains("approvals.cases"), "{body}");
    assert!(!reply.text().contains(&*lake.folder().to_string_lossy()), "{body}");
}
