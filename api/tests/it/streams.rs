//! Results that do not fit the first window: cut is never complete, and a reader that leaves ends the query.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use tower::ServiceExt;
use xiangyun_engine::query::QueryOutcome;

use crate::lake::{Lake, encoded};

/// Fails at the last of many rows, far behind the first window.
const FAILS_LATE: &str = "SELECT 1 / (200000 - value) AS x FROM generate_series(1, 200000)";
const MANY: &str = "SELECT value FROM generate_series(1, 200000)";

async fn body(lake: &Lake, sql: &str, format: &str) -> Body {
    let path = format!("/v1/query?format={format}&sql={}", encoded(sql));
    let response = lake.router().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body()
}

/// What arrives, and whether the body came to a proper end.
async fn drain(body: Body) -> (Vec<u8>, bool) {
    let (mut bytes, mut stream) = (Vec::new(), body.into_data_stream());
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(_) => return (bytes, false),
        }
    }
    (bytes, true)
}

#[tokio::test]
async fn a_failure_in_mid_stream_cuts_every_format() {
    let lake = Lake::open().await;
    for format in ["json", "ndjson", "csv", "arrow"] {
        let (bytes, complete) = drain(body(&lake, FAILS_LATE, format).await).await;
        assert!(!complete && bytes.len() >= 64 << 10, "{format}: {complete}, {} bytes", bytes.len());
        if format == "json" {
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_err());
        }
        if format == "ndjson" {
            let text = String::from_utf8(bytes).unwrap();
            let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!((&last["status"]["complete"], &last["status"]["code"]), (&false.into(), &"sql_error".into()));
        }
    }
}

#[tokio::test]
async fn a_long_result_is_complete_and_counted() {
    let lake = Lake::open().await;
    let (bytes, complete) = drain(body(&lake, MANY, "json").await).await;
    let parsed: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert!(complete);
    assert_eq!((parsed["rows"].as_array().unwrap().len(), &parsed["row_count"]), (200_000, &200_000.into()));
}

#[tokio::test]
async fn a_stream_sends_while_the_query_runs() {
    let lake = Lake::open().await;
    let mut stream = body(&lake, MANY, "csv").await.into_data_stream();
    stream.next().await.unwrap().unwrap();
    assert!(lake.records.0.lock().unwrap().is_empty(), "the query must not have ended before its rows were asked for");
}

#[tokio::test]
async fn a_reader_that_leaves_cancels_the_query() {
    let lake = Lake::open().await;
    let mut stream = body(&lake, MANY, "csv").await.into_data_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    // The record is made when the work is let go of; wait for it, and fail if it never comes.
    let outcome = async {
        loop {
            if let Some(record) = lake.records.0.lock().unwrap().last() {
                return record.outcome;
            }
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(30), outcome).await.unwrap();
    assert_eq!(outcome, QueryOutcome::Cancelled);
}
