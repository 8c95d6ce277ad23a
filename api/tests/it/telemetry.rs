//! `/metrics`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use xiangyun_engine::query::{ClassLimits, SqlRequest};
use xiangyun_engine::{Principal, PrincipalClass};

use crate::auth::with_tokens;
use crate::lake::{Lake, encoded};
use crate::socket::Server;

/// OpenMetrics text, read by its grammar: the type of each family, and the samples.
struct Exposition {
    types: BTreeMap<String, String>,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Exposition {
    fn parse(text: &str) -> Self {
        let (mut types, mut samples) = (BTreeMap::new(), Vec::new());
        let body = text.strip_suffix("# EOF\n").expect("the text ends with its end marker");
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                assert!(matches!(kind, "HELP" | "TYPE" | "UNIT"), "{line}");
                if kind == "TYPE" {
                    assert_eq!(types.insert(name.to_owned(), rest.to_owned()), None, "{name} is declared twice");
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, read_labels(labels.strip_suffix('}').unwrap())),
                None => (series, BTreeMap::new()),
            };
            let family = types.keys().find(|family| name.starts_with(family.as_str()));
            assert!(family.is_some(), "{name} is of no family");
            samples.push((name.to_owned(), labels, value.parse().unwrap()));
        }
        Self { types, samples }
    }

    /// The sum of the samples of a name that have these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |of: &BTreeMap<String, String>| {
            labels.iter().all(|(name, value)| of.get(*name).is_some_and(|given| given == value))
        };
        self.samples.iter().filter(|(of, given, _)| of == name && has(given)).map(|(.., value)| value).sum()
    }
}

fn read_labels(mut text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").unwrap();
        let (value, rest) = rest.split_once('"').unwrap();
        labels.insert(name.to_owned(), value.to_owned());
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}

async fn read(lake: &Lake) -> Exposition {
    let reply = lake.get("/metrics").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Exposition::parse(reply.text())
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status_and_never_by_path() {
    let lake = Lake::open().await;
    let mut sent = 0;
    for _ in 0..3 {
        sent += lake.get("/v1/tables/approvals/cases").await.body.len();
    }
    sent += lake.get("/v1/tables/approvals/secret").await.body.len();
    lake.get("/nothing/here").await;
    lake.send(Request::builder().method("BREW").uri("/healthz").body(Body::empty()).unwrap()).await;
    let told = read(&lake).await;
    let route = ("http_route", "/v1/tables/{schema}/{table}");
    let count = |labels: &[(&str, &str)]| told.sum("http_server_request_duration_seconds_count", labels);
    let get = ("http_request_method", "GET");
    assert_eq!(count(&[route, get, ("http_response_status_code", "200")]), 3.0);
    assert_eq!(count(&[route, get, ("http_response_status_code", "404")]), 1.0);
    assert_eq!(count(&[("http_route", "-"), ("http_response_status_code", "404")]), 1.0);
    assert_eq!(count(&[("http_request_method", "_OTHER"), ("http_response_status_code", "405")]), 1.0);
    let all = told.sum("http_server_request_duration_seconds_bucket", &[route, ("le", "+Inf")]);
    assert_eq!(all, 4.0);
    assert_eq!(told.sum("http_server_response_body_bytes_total", &[route]), sent as f64);
    assert_eq!(told.sum("http_server_active_requests", &[]), 1.0, "the one that asks");
    let values = || told.samples.iter().flat_map(|(_, labels, _)| labels.values());
    assert!(!values().any(|value| ["secret", "nothing", "BREW"].iter().any(|made_up| value.contains(made_up))));
    assert_eq!(told.types["http_server_request_duration_seconds"], "histogram");
}

#[tokio::test]
async fn queries_are_counted_by_class_and_outcome() {
    let lake = Lake::open().await;
    for sql in ["SELECT case_id FROM approvals.cases", "SELECT 1 AS a", "SELECT 1 / 0 AS x"] {
        lake.get(&format!("/v1/query?sql={}", encoded(sql))).await;
    }
    lake.post("/v1/query", &json!({"sql": "SELECT case_id FROM approvals.cases", "limit": 2})).await;
    let told = read(&lake).await;
    let count = |outcome, error| {
        let labels = [("class", "operator"), ("outcome", outcome), ("error_type", error)];
        told.sum("xiangyun_query_duration_seconds_count", &labels)
    };
    assert_eq!((count("succeeded", ""), count("truncated", ""), count("failed", "sql_error")), (2.0, 1.0, 1.0));
    assert_eq!(told.sum("xiangyun_query_rows_total", &[("class", "operator")]), 7.0 + 1.0 + 2.0);
    assert_eq!(lake.records.0.lock().unwrap().len(), 4, "records still reach who keeps them");
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_counted_by_table_and_outcome() {
    let lake = crate::pushes::taking().await;
    let body = format!("{}\n{{\"case_id\": 9}}\n", crate::pushes::ROW);
    for key in ["k1", "k1"] {
        crate::pushes::send(&lake, Some(key), "application/x-ndjson", &body).await;
    }
    crate::pushes::send(&lake, None, "application/x-ndjson", &body).await;
    let told = read(&lake).await;
    let pushes = |outcome: &str, table: &str| {
        told.sum("xiangyun_push_duration_seconds_count", &[("outcome", outcome), ("table", table)])
    };
    let table = "approvals.cases";
    assert_eq!((pushes("loaded", table), pushes("unchanged", table), pushes("failed", "")), (1.0, 1.0, 1.0));
    let rows = |outcome: &str| told.sum("xiangyun_push_rows_total", &[("outcome", outcome), ("table", table)]);
    assert_eq!((rows("loaded"), rows("rejected"), rows("duplicate")), (1.0, 1.0, 0.0));
}

#[tokio::test]
async fn it_is_told_how_often_the_memory_of_results_had_the_answer() {
    let lake = Lake::open().await;
    let uses = async || {
        let told = read(&lake).await;
        ["reply", "hit", "miss", "bypass"]
            .map(|outcome| told.sum("xiangyun_result_cache_queries_total", &[("outcome", outcome)]))
    };
    assert_eq!(uses().await, [0.0; 4]);
    let cases = format!("/v1/query?sql={}", encoded("SELECT case_id FROM approvals.cases"));
    lake.get(&cases).await;
    assert_eq!(uses().await, [0.0, 0.0, 1.0, 0.0]);
    let again = lake.get(&cases).await;
    assert_eq!((again.header("cache-status"), uses().await), ("xiangyun; hit", [1.0, 0.0, 1.0, 0.0]));
    // In another form it is another reply of the same rows.
    let rows = lake.get(&format!("{cases}&format=csv")).await;
    assert_eq!((rows.header("cache-status"), uses().await), ("xiangyun; hit", [1.0, 1.0, 1.0, 0.0]));
    lake.get(&format!("/v1/query?sql={}", encoded("SELECT now() AS at"))).await;
    assert_eq!(uses().await, [1.0, 1.0, 1.0, 1.0]);
    for _ in 0..2 {
        lake.get("/v1/metrics/cases").await;
    }
    assert_eq!(uses().await, [2.0, 1.0, 2.0, 1.0]);
}

#[tokio::test]
async fn it_is_told_what_the_memory_of_results_holds_and_lets_go() {
    let limit = 200_000;
    let lake = Lake::open().await.limited(|limits| limits.cache_bytes = limit).await;
    let held = async || {
        let told = read(&lake).await;
        ["size_bytes", "limit_bytes", "entries", "evictions_total"]
            .map(|figure| told.sum(&format!("xiangyun_result_cache_{figure}"), &[]))
    };
    let ask = async |number: u32| {
        lake.get(&format!("/v1/query?sql={}", encoded(&format!("SELECT case_id, {number} AS n FROM approvals.cases"))))
            .await
    };
    assert_eq!(held().await, [0.0, limit as f64, 0.0, 0.0]);
    ask(0).await;
    let [bytes, _, entries, evictions] = held().await;
    // The rows, and the reply that was made of them.
    assert!(bytes > 500.0 && entries == 2.0 && evictions == 0.0, "{bytes} bytes, {entries} entries");
    for number in 1..400 {
        ask(number).await;
    }
    let [bytes, _, entries, evictions] = held().await;
    assert!(bytes <= limit as f64 && entries > 2.0, "{bytes} bytes, {entries} entries");
    assert_eq!(entries + evictions, 800.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_run_and_wait_are_told_by_class() {
    let one = ClassLimits { concurrent: 1, queued: 5, ..ClassLimits::NONE };
    let lake = Lake::open().await.limited(|limits| limits.dashboard = one).await;
    let load = async || {
        let told = read(&lake).await;
        ["dashboard", "operator"].map(|class| {
            ["xiangyun_queries_running", "xiangyun_queries_queued"].map(|name| told.sum(name, &[("class", class)]))
        })
    };
    assert_eq!(load().await, [[0.0, 0.0], [0.0, 0.0]]);
    let ask = async |class| {
        let principal = Principal::new("somebody", "*", class);
        let asking = lake.state.engine.query_as(principal);
        asking.sql(SqlRequest::new("SELECT case_id FROM approvals.cases")).await.unwrap()
    };
    let unread = ask(PrincipalClass::Dashboard).await;
    let of_operator = ask(PrincipalClass::Operator).await;
    assert_eq!(load().await, [[1.0, 0.0], [1.0, 0.0]]);
    drop(of_operator);
    let waiting = async {
        drop(ask(PrincipalClass::Dashboard).await);
    };
    let watching = async {
        while load().await != [[1.0, 1.0], [0.0, 0.0]] {
            tokio::task::yield_now().await;
        }
        drop(unread);
    };
    tokio::join!(waiting, watching);
    assert_eq!(load().await, [[0.0, 0.0], [0.0, 0.0]]);
}

#[tokio::test]
async fn the_process_and_its_memory_are_told() {
    let lake = Lake::open().await;
    let told = read(&lake).await;
    assert_eq!(told.sum("xiangyun_memory_pool_limit_bytes", &[]), lake.state.engine.limits().memory_bytes as f64);
    assert_eq!(told.sum("xiangyun_memory_pool_reserved_bytes", &[]), 0.0);
    assert_eq!(told.sum("xiangyun_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(told.sum("process_start_time_seconds", &[]) > 1.5e9);
    if cfg!(target_os = "linux") {
        assert!(told.sum("process_resident_memory_bytes", &[]) > 1e6);
        assert!(told.sum("process_open_fds", &[]) > 2.0);
    }
}

#[tokio::test]
async fn connections_are_counted() {
    let lake = Lake::open().await;
    let server = Server::start(lake.state.clone()).await;
    server.exchange("/healthz").await;
    let answer = server.exchange("/metrics").await;
    let told = Exposition::parse(answer.split_once("\r\n\r\n").unwrap().1);
    assert_eq!(told.sum("http_server_connections_total", &[("tls", "false")]), 2.0);
    assert!(told.sum("http_server_open_connections", &[]) >= 1.0);
    server.stop().await;
    assert_eq!(read(&lake).await.sum("http_server_open_connections", &[]), 0.0);
}

#[tokio::test]
async fn counters_want_a_token_where_there_are_tokens() {
    let lake = with_tokens().await;
    assert_eq!(lake.get("/metrics").await.status, StatusCode::UNAUTHORIZED);
    let request = Request::get("/metrics").header("authorization", "Bearer test").body(Body::empty()).unwrap();
    let reply = lake.send(request).await;
    assert_eq!(reply.status, StatusCode::OK);
    Exposition::parse(reply.text());
}
