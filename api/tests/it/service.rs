//! Queries that run while nobody waits, answers that are known already, and versions that a caller names.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use xiangyun_api::auth::Auth;

use crate::lake::{Lake, Reply, encoded};

/// Works for longer than any test.
const ENDLESS: &str = "SELECT count(*) AS n FROM generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) \
                       WHERE (x * y) % 7 = 3";
const CASES: &str = "SELECT case_id FROM approvals.cases ORDER BY case_id";

// sha256("test") and sha256("other"), as `printf test | sha256sum` prints them
const TOKENS: &str = "version = 1\n[[tokens]]\nname = \"li\"\nagency = \"approvals\"\nclass = \"analyst\"\n\
    sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n\
    [[tokens]]\nname = \"wang\"\nagency = \"approvals\"\nclass = \"analyst\"\n\
    sha256 = \"d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa\"\n";

async fn delete(lake: &Lake, path: &str) -> Reply {
    lake.send(Request::delete(path).body(Body::empty()).unwrap()).await
}

async fn get_with(lake: &Lake, path: &str, header: (&str, &str)) -> Reply {
    lake.send(Request::get(path).header(header.0, header.1).body(Body::empty()).unwrap()).await
}

async fn post_with(lake: &Lake, body: &Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/v1/query").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    lake.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_longer_than_its_caller_waits_goes_on() {
    let lake = Lake::open().await;
    let reply = lake.post("/v1/query", &json!({"sql": ENDLESS, "wait": 0})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text());
    let location = reply.header("location").to_owned();
    let id = reply.json()["query_id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/v1/queries/{id}"));
    let info = lake.get(&location).await.json();
    assert!(["pending", "running"].contains(&info["state"].as_str().unwrap()), "{info}");
    let early = lake.get(&format!("{location}/result")).await;
    assert_eq!((early.status, &early.json()["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    // Reading takes nothing back.
    assert_eq!(delete(&lake, &location).await.status, StatusCode::OK);
    let info = lake.get(&format!("{location}?wait=60")).await.json();
    assert_eq!(info["state"], "cancelled");
    assert_eq!(lake.get(&format!("{location}/result")).await.json()["code"], "cancelled");
    let listed = lake.get("/v1/queries").await.json();
    assert_eq!(listed["queries"][0]["query_id"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_done_in_time_is_answered_at_once_and_kept() {
    let lake = Lake::open().await;
    let reply = lake.post("/v1/query", &json!({"sql": CASES, "wait": 60})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.json()["row_count"], 7);
    let path = format!("/v1/queries/{}", reply.header("x-xiangyun-query-id"));
    let info = lake.get(&path).await.json();
    assert_eq!((&info["state"], &info["rows"]), (&json!("succeeded"), &json!(7)));
    assert_eq!(info["result"]["chunks"], json!([{"chunk": 0, "first_row": 0, "rows": 7}]));
    let href = info["result"]["href"].as_str().unwrap();
    let csv = lake.get(&format!("{href}?chunk=0&format=csv")).await;
    assert_eq!(csv.text().lines().collect::<Vec<_>>(), ["case_id", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(lake.get(&format!("{href}?chunk=1")).await.status, StatusCode::NOT_FOUND);
    let profile = lake.get(info["profile"].as_str().unwrap()).await.json();
    assert!(profile["plan"]["inputs"].is_array(), "{profile}");
    assert!(profile["scanned"]["bytes"].as_u64().unwrap() > 0, "{profile}");
    delete(&lake, &path).await;
    let gone = lake.get(href).await;
    assert_eq!((gone.status, &gone.json()["code"]), (StatusCode::GONE, &json!("gone")));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_timeout_cancel_ends_the_query_and_says_so() {
    let lake = Lake::open().await;
    let id = "018f0000-0000-7000-8000-000000000001";
    let body = json!({"sql": ENDLESS, "wait": 0.01, "on_timeout": "cancel", "query_id": id});
    let reply = lake.post("/v1/query", &body).await;
    assert_eq!((reply.status, &reply.json()["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("limit_exceeded")));
    assert_eq!(lake.get(&format!("/v1/queries/{id}?wait=60")).await.json()["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_is_the_same_query() {
    let lake = Lake::open().await;
    let key = [("idempotency-key", "k-1")];
    let body = json!({"sql": CASES, "wait": 60});
    let first = post_with(&lake, &body, &key).await;
    let second = post_with(&lake, &body, &key).await;
    assert_eq!(first.header("x-xiangyun-query-id"), second.header("x-xiangyun-query-id"));
    let other = post_with(&lake, &json!({"sql": "SELECT 1 AS a", "wait": 60}), &key).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    for body in [json!({"sql": CASES}), json!({"sql": CASES, "wait": 61}), json!({"sql": CASES, "wait": -1})] {
        assert_eq!(post_with(&lake, &body, &key).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_query_is_not_there() {
    let mut lake = Lake::open().await;
    let file = lake.folder().join("tokens.toml");
    std::fs::write(&file, TOKENS).unwrap();
    lake.state.auth = Auth::load(&file).unwrap();
    let mine = [("authorization", "Bearer test")];
    let reply = post_with(&lake, &json!({"sql": CASES, "wait": 60}), &mine).await;
    let path = format!("/v1/queries/{}", reply.header("x-xiangyun-query-id"));
    for path in [path.clone(), format!("{path}/result"), format!("{path}/profile")] {
        assert_eq!(get_with(&lake, &path, mine[0]).await.status, StatusCode::OK, "{path}");
        let theirs = get_with(&lake, &path, ("authorization", "Bearer other")).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{path}");
    }
    let listed = get_with(&lake, "/v1/queries", ("authorization", "Bearer other")).await.json();
    assert_eq!(listed["queries"], json!([]));
}

#[tokio::test]
async fn an_answer_that_the_caller_has_is_not_sent_again() {
    let lake = Lake::open().await;
    let path = format!("/v1/query?sql={}", crate::lake::encoded(CASES));
    let reply = lake.get(&path).await;
    let etag = reply.header("etag").to_owned();
    assert!(etag.starts_with("W/\""), "{etag}");
    assert_eq!(reply.header("cache-control"), "private, no-cache");
    assert!(reply.header("vary").starts_with("accept, authorization"), "{}", reply.header("vary"));
    let known = get_with(&lake, &path, ("if-none-match", &etag)).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!((known.header("etag"), known.header("x-xiangyun-tables")), (etag.as_str(), "approvals.cases@0"));
    // Another form, another limit, another version is another answer.
    for other in [format!("{path}&format=csv"), format!("{path}&limit=3"), format!("{path}&numbers=native")] {
        let reply = get_with(&lake, &other, ("if-none-match", &etag)).await;
        assert_eq!(reply.status, StatusCode::OK, "{other}");
        assert_ne!(reply.header("etag"), etag, "{other}");
    }
    lake.append(8..=9).await;
    let reply = get_with(&lake, &path, ("if-none-match", &etag)).await;
    assert_eq!((reply.status, &reply.json()["row_count"]), (StatusCode::OK, &json!(9)));
    // What depends on the time has no name.
    assert_eq!(lake.get("/v1/query?sql=SELECT+now()+AS+t").await.header("etag"), "");
}

#[tokio::test]
async fn a_reply_says_whether_it_came_from_memory_and_a_commit_ends_that() {
    let lake = Lake::open().await;
    let path = format!("/v1/query?sql={}", crate::lake::encoded(CASES));
    let first = lake.get(&path).await;
    assert_eq!(first.header("cache-status"), "xiangyun; fwd=miss");
    let second = lake.get(&path).await;
    assert_eq!(second.header("cache-status"), "xiangyun; hit");
    assert_eq!(first.json()["rows"], second.json()["rows"]);
    assert_ne!(first.header("x-xiangyun-query-id"), second.header("x-xiangyun-query-id"));
    lake.append(8..=9).await;
    let third = lake.get(&path).await;
    assert_eq!((third.header("cache-status"), &third.json()["row_count"]), ("xiangyun; fwd=miss", &json!(9)));
}

#[tokio::test]
async fn a_reply_from_memory_is_the_one_that_was_given_before() {
    let lake = Lake::open().await;
    let sql = format!("/v1/query?sql={}", crate::lake::encoded(CASES));
    let paths = [
        "/v1/metrics/cases?by=channel".to_owned(),
        "/v1/metrics/cases?grain=day&provenance=full&numbers=native".to_owned(),
        "/v1/metrics/cases?by=channel&format=csv".to_owned(),
        "/v1/metrics/cases?by=channel&format=parquet".to_owned(),
        "/v1/metrics/cases?format=xlsx".to_owned(),
        format!("{sql}&format=ndjson"),
        format!("{sql}&format=arrow"),
        format!("{sql}&limit=3"),
    ];
    for path in &paths {
        let first = lake.get(path).await;
        assert_eq!(first.status, StatusCode::OK, "{path}: {}", first.text());
        let again = lake.get(path).await;
        assert_eq!(again.header("cache-status"), "xiangyun; hit", "{path}");
        let (first_id, id) = (first.header("x-xiangyun-query-id"), again.header("x-xiangyun-query-id"));
        assert_ne!(first_id, id, "{path}");
        // Readable where ids stand in it; the other forms hold none.
        let renamed = String::from_utf8_lossy(&first.body).replace(first_id, id);
        assert_eq!(String::from_utf8_lossy(&again.body), renamed, "{path}");
        for name in ["content-type", "content-disposition", "etag", "cache-control", "vary", "x-xiangyun-tables"] {
            assert_eq!(again.header(name), first.header(name), "{path}: {name}");
        }
        let info = lake.get(&format!("/v1/queries/{id}")).await.json();
        assert_eq!(info["state"], "succeeded", "{info}");
        let earlier = lake.get(&format!("/v1/queries/{first_id}")).await.json();
        for member in ["rows", "truncated", "tables", "statement"] {
            assert_eq!(info[member], earlier[member], "{path}: {member}");
        }
        let known = get_with(&lake, path, ("if-none-match", first.header("etag"))).await;
        assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(known.header("x-xiangyun-tables"), first.header("x-xiangyun-tables"), "{path}");
    }
    // One address in another form is another reply.
    for (accept, kind) in [("text/csv", "text/csv"), ("application/json", "application/json"), ("text/csv", "text/csv")]
    {
        let reply = lake.get_accepting(&paths[0], accept).await;
        assert!(reply.header("content-type").starts_with(kind), "{accept}: {}", reply.header("content-type"));
    }
    // A commit ends all of them, and what is told of the table is told anew.
    let before = lake.get(&paths[0]).await.json();
    lake.append(8..=9).await;
    let after = lake.get(&paths[0]).await;
    assert_eq!(after.header("cache-status"), "xiangyun; fwd=miss");
    assert_eq!(after.json()["provenance"]["tables"][0]["version"], json!(1));
    assert_ne!(before["rows"], after.json()["rows"]);
    // What does not rest on tables alone is worked out each time.
    for volatile in ["/v1/query?sql=SELECT+now()+AS+t", "/v1/query?sql=SELECT+count(*)+AS+n+FROM+system.queries"] {
        for _ in 0..2 {
            assert_eq!(lake.get(volatile).await.header("cache-status"), "xiangyun; fwd=bypass", "{volatile}");
        }
    }
}

#[tokio::test]
async fn a_table_is_read_as_it_was() {
    let lake = Lake::open().await;
    lake.append(8..=9).await;
    let count = "SELECT count(*) AS n FROM approvals.cases";
    let ask = async |as_of: Value| lake.post("/v1/query", &json!({"sql": count, "as_of": as_of})).await;
    let first = ask(json!({"approvals.cases": 0})).await;
    assert_eq!(first.json()["rows"], json!([{"n": "7"}]), "{}", first.text());
    assert_eq!(first.header("x-xiangyun-tables"), "approvals.cases@0");
    assert_eq!(ask(json!({"approvals.cases": 1})).await.json()["rows"], json!([{"n": "9"}]));
    let committed = lake.post("/v1/query", &json!({"sql": count})).await.json()["tables"][0]["committed_at"].clone();
    assert_eq!(ask(committed).await.json()["rows"], json!([{"n": "9"}]));
    assert_eq!(ask(json!("2999-01-01T00:00:00+08:00")).await.json()["rows"], json!([{"n": "9"}]));
    let before = ask(json!("1999-01-01T00:00:00+08:00")).await;
    assert_eq!(before.status, StatusCode::NOT_FOUND);
    assert!(before.json()["detail"].as_str().unwrap().contains("had no version at 1998-12-31 16:00:00 UTC"));
    assert_eq!(ask(json!({"approvals.cases": 7})).await.json()["hint"], "versions that there are: 0 to 1");
    let unread = ask(json!({"approvals.other": 7})).await;
    assert_eq!(unread.json()["detail"], "`as_of` names `approvals.other`, which the statement does not read");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_large_texts_come_in_their_order() {
    let lake = Lake::open().await;
    let sql = encoded("SELECT value AS n, CAST(value AS VARCHAR) AS t FROM generate_series(1, 100000) ORDER BY value");
    let reply = |format: &str| {
        let path = format!("/v1/query?sql={sql}&format={format}");
        let lake = &lake;
        async move { lake.get(&path).await }
    };
    let csv = reply("csv").await;
    let mut lines = csv.text().lines();
    assert_eq!(lines.next(), Some("n,t"));
    assert!(lines.eq((1..=100_000).map(|n| format!("{n},{n}"))));
    let row = |n: usize| json!({"n": n.to_string(), "t": n.to_string()});
    let json = reply("json").await.json();
    assert_eq!((&json["row_count"], &json["truncated"]), (&json!(100_000), &json!(false)));
    assert!(json["rows"].as_array().unwrap().iter().cloned().eq((1..=100_000).map(row)));
    let ndjson = reply("ndjson").await;
    let mut records = ndjson.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(records.by_ref().take(100_000).eq((1..=100_000).map(row)));
    assert_eq!(records.next().unwrap()["status"]["complete"], json!(true));
}
