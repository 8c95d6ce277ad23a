//! The access log, and under which ids a request is known.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::stream;
use serde_json::{Value, json};
use tower::ServiceExt;
use xiangyun_api::{AccessLog, Telemetry};

use crate::auth::with_tokens;
use crate::lake::{Lake, Reply, encoded};
use crate::socket::Server;

async fn logging(mut lake: Lake) -> Lake {
    lake.state.access_log = AccessLog::file(&lake.folder().join("access.log"), &lake.state.telemetry).unwrap();
    lake
}

/// The lines so far.
async fn lines(lake: &Lake) -> Vec<Value> {
    lake.state.access_log.close().await;
    let text = std::fs::read_to_string(lake.folder().join("access.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn ask(lake: &Lake, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    lake.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn each_request_has_a_line_with_who_and_what_and_nothing_secret() {
    let lake = logging(with_tokens().await).await;
    let path = format!("/v1/query?sql={}", encoded("SELECT '110101199003070000' AS id"));
    let headers = [
        ("authorization", "Bearer test"),
        ("x-request-id", "mine-1"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let reply = ask(&lake, &path, &headers).await;
    assert_eq!((reply.status, reply.header("x-request-id")), (StatusCode::OK, "mine-1"));
    assert_eq!(ask(&lake, &path, &[("authorization", "Bearer wrong")]).await.status, StatusCode::UNAUTHORIZED);
    let told = lines(&lake).await;
    let first = json!({
        "time": told[0]["time"], "request_id": "mine-1", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "remote": null,
        "principal": "screen", "method": "GET", "route": "/v1/query", "status": 200, "bytes": reply.body.len(),
        "duration_ms": told[0]["duration_ms"], "complete": true, "query_id": reply.header("x-xiangyun-query-id"),
    });
    assert_eq!(told[0], first);
    assert!(told[0]["duration_ms"].is_u64() && told[0]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&told[1]["status"], &told[1]["principal"]), (&json!(401), &Value::Null));
    let text = std::fs::read_to_string(lake.folder().join("access.log")).unwrap();
    for secret in ["110101199003070000", "Bearer", "wrong", "sql="] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_problem_has_the_callers_id_too() {
    let lake = Lake::open().await;
    let reply = ask(&lake, "/v1/nothing", &[("x-request-id", "mine-2")]).await;
    assert_eq!((&reply.json()["request_id"], reply.header("x-request-id")), (&json!("mine-2"), "mine-2"));
    let reply = ask(&lake, "/healthz", &[("x-request-id", "not an id")]).await;
    assert_ne!(reply.header("x-request-id"), "not an id");
}

#[tokio::test]
async fn a_line_tells_where_a_request_came_from_and_whether_its_reply_was_whole() {
    let lake = logging(Lake::open().await).await;
    let server = Server::start(lake.state.clone()).await;
    server.exchange("/healthz").await;
    let failing = encoded("SELECT 1 / (200000 - value) AS x FROM generate_series(1, 200000)");
    let cut = server.exchange(&format!("/v1/query?format=csv&sql={failing}")).await;
    server.raw(b"HEAD /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    server.stop().await;
    let told = lines(&lake).await;
    let whole: Vec<_> = told.iter().map(|line| (line["status"].as_u64().unwrap(), &line["complete"])).collect();
    assert_eq!(whole, [(200, &json!(true)), (200, &json!(false)), (200, &json!(true))], "{told:?}");
    assert!(told.iter().all(|line| line["remote"].as_str().unwrap().starts_with("127.0.0.1:")), "{told:?}");
    assert!(told[1]["bytes"].as_u64().unwrap() > 64 << 10 && cut.len() > 64 << 10);
    assert_eq!((&told[1]["principal"], &told[2]["bytes"]), (&json!("local"), &json!(0)));
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_reply_has_a_line_too() {
    let lake = logging(Lake::open().await).await;
    let never = stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = Request::post("/v1/query").header("content-type", "application/json");
    let mut reply = Box::pin(lake.router().oneshot(request.body(Body::from_stream(never)).unwrap()));
    assert!(futures::poll!(&mut reply).is_pending());
    drop(reply);
    let told = lines(&lake).await;
    assert_eq!((&told[0]["status"], &told[0]["complete"]), (&json!(499), &json!(false)), "{told:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let error = AccessLog::file(std::path::Path::new("/nowhere/access.log"), &Telemetry::new()).unwrap_err();
    assert_eq!(error.to_string(), "cannot write the access log /nowhere/access.log");
    assert!(error.hint().unwrap().contains("server.access_log"));
}
