//! Rows that callers send.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use xiangyun_engine::project::Diagnostics;
use xiangyun_ingest::connection::Secrets;
use xiangyun_ingest::push::{PushLimits, Pushes};
use xiangyun_ingest::{Declarations, Ingest};

use crate::lake::{Lake, Reply};

const PATH: &str = "/v1/tables/approvals/cases/rows";
pub(crate) const ROW: &str =
    "{\"case_id\": 8, \"accepted_on\": \"2019-04-03\", \"decided_at\": \"2019-04-03 09:00:00\", \"fee\": 1.5}";

pub(crate) async fn taking() -> Lake {
    let mut lake = Lake::open().await;
    let pipeline = "version = 1\nname = \"pushed\"\ntable = \"approvals.cases\"\nmode = \"append\"\n\
                    source = { kind = \"push\" }\n";
    std::fs::create_dir(lake.folder().join("pipelines")).unwrap();
    std::fs::write(lake.folder().join("pipelines/pushed.toml"), pipeline).unwrap();
    let mut diagnostics = Diagnostics::default();
    let declarations = Declarations::load(lake.state.engine.project(), &mut diagnostics);
    assert!(diagnostics.is_empty());
    let ingest = Ingest::open(lake.state.engine.clone(), declarations, Secrets::default()).await.unwrap();
    lake.state.pushes = Some(Pushes::new(ingest, PushLimits::default()));
    lake
}

pub(crate) async fn send(lake: &Lake, key: Option<&str>, media_type: &str, body: &str) -> Reply {
    let mut request = Request::post(PATH).header("content-type", media_type);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    lake.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_in_the_table_when_the_answer_comes() {
    let lake = taking().await;
    let body = format!("{ROW}\n{{\"case_id\": 9}}\n");
    let reply = send(&lake, Some("\"k1\""), "application/x-ndjson", &body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let told = reply.json();
    assert_eq!(told["status"], "loaded");
    assert_eq!((&told["rows_read"], &told["rows_loaded"], &told["rows_rejected"]), (&json!(2), &json!(1), &json!(1)));
    let reject = &told["rejects"][0];
    assert_eq!(
        (&reject["line"], &reject["column"], &reject["reason"]),
        (&json!(2), &json!("accepted_on"), &json!("NOT_NULL"))
    );
    let again = send(&lake, Some("k1"), "application/x-ndjson", &body).await.json();
    assert_eq!((&again["status"], &again["run_id"]), (&json!("unchanged"), &told["run_id"]));
    let count = lake.get("/v1/query?sql=SELECT+count(*)+AS+n+FROM+approvals.cases").await.json();
    assert_eq!(count["rows"][0]["n"], "8");
    let csv = "case_id,accepted_on,decided_at,fee\n10,2019-04-03,2019-04-03 09:00:00,2\n";
    assert_eq!(send(&lake, Some("k2"), "text/csv; charset=utf-8", csv).await.json()["rows_loaded"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_told() {
    let lake = taking().await;
    for (key, media_type, body, status, expected) in [
        (None, "application/json", ROW, StatusCode::BAD_REQUEST, "the idempotency key is missing"),
        (Some("k"), "", ROW, StatusCode::UNSUPPORTED_MEDIA_TYPE, "the header `Content-Type` is missing"),
        (Some("k"), "text/plain", ROW, StatusCode::UNSUPPORTED_MEDIA_TYPE, "rows are not taken as `text/plain`"),
        (Some("k"), "application/json", "{\"caseid\": 1}", StatusCode::BAD_REQUEST, "no column `caseid`"),
    ] {
        let reply = send(&lake, key, media_type, body).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(reply.json()["detail"].as_str().unwrap().contains(expected), "{}", reply.text());
    }
    let large = " ".repeat((8 << 20) + 1);
    assert_eq!(send(&lake, Some("k"), "application/json", &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(send(&lake, Some("k"), "application/json", ROW).await.status.is_success());
    let other = ROW.replace('8', "9");
    assert_eq!(send(&lake, Some("k"), "application/json", &other).await.status, StatusCode::CONFLICT);
    let reading = Lake::open().await;
    assert_eq!(send(&reading, Some("k"), "application/json", ROW).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
