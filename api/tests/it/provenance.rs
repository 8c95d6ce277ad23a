//! What figures rest on, and `/v1/runs`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::lake::Lake;

#[tokio::test]
async fn an_answer_names_versions_runs_and_age() {
    let lake = Lake::open().await;
    lake.append(8..=9).await;
    let body = lake.get("/v1/metrics/cases").await.json();
    let told = &body["provenance"]["tables"][0];
    assert_eq!(
        (&told["table"], &told["version"], &told["synthetic"]),
        (&json!("approvals.cases"), &json!(1), &json!(true))
    );
    assert_eq!(told["counts"], json!({"runs": 2, "rows_loaded": 9, "rows_rejected": 0, "rows_duplicate": 0}));
    assert_eq!(told["counts_complete"], true);
    let runs: Vec<_> = told["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap()).collect();
    assert_eq!(runs, ["test-8", "test-1"]);
    assert_eq!(told["links"]["table"], "/v1/tables/approvals/cases");
    // The clock of the test stands in 2019, and commits are of the day on which it runs: an age is told or refused.
    assert!(told["age_working_days"].is_i64() || told["calendar_missing"] == true, "{told}");
    let run = lake.get(told["runs"][0]["links"]["run"].as_str().unwrap()).await.json();
    assert_eq!(
        (&run["run_id"], &run["version"], &run["table"]),
        (&json!("test-8"), &json!(1), &json!("approvals.cases"))
    );
    let files = lake.get(told["runs"][0]["links"]["files"].as_str().unwrap()).await.json();
    assert_eq!((&files["files_total"], &files["next_page"]), (&json!(0), &Value::Null), "{files}");
}

#[tokio::test]
async fn the_caller_chooses_how_much_is_told() {
    let lake = Lake::open().await;
    for ids in [8..=8, 9..=9, 10..=10, 11..=11] {
        lake.append(ids).await;
    }
    let runs = async |depth: &str| {
        let body = lake.get(&format!("/v1/metrics/cases?provenance={depth}")).await.json();
        let told = &body["provenance"]["tables"][0];
        (told["runs"].as_array().map(Vec::len), told["counts"]["runs"].clone())
    };
    assert_eq!(runs("summary").await, (Some(3), json!(5)));
    assert_eq!(runs("full").await, (Some(5), json!(5)));
    assert_eq!(runs("none").await, (None, Value::Null));
    let reply = lake.get("/v1/metrics/cases?provenance=some").await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
    // Only JSON has room for it, and nobody else pays.
    assert!(!lake.get("/v1/metrics/cases?format=csv").await.text().contains("provenance"));
}

#[tokio::test]
async fn a_long_log_is_counted_bit_by_bit() {
    let lake = Lake::open().await;
    for id in 8..=45 {
        lake.append(id..=id).await;
    }
    // An engine that has read nothing of it yet.
    let lake = lake.reopened().await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let body = lake.get("/v1/metrics/cases").await.json();
        let told = &body["provenance"]["tables"][0];
        assert_eq!(told["runs"].as_array().unwrap().len(), 3);
        seen.push((told["counts"]["runs"].as_u64().unwrap(), told["counts_complete"].as_bool().unwrap()));
    }
    assert!(seen[0].0 <= 17 && !seen[0].1, "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{seen:?}");
    assert_eq!(seen[3], (39, true), "{seen:?}");
    lake.append(46..=46).await;
    let body = lake.get("/v1/metrics/cases").await.json();
    assert_eq!(body["provenance"]["tables"][0]["counts"]["runs"], 40);
}

#[tokio::test]
async fn rows_without_hidden_columns_are_not_followed() {
    let lake = Lake::open().await;
    let reply = lake.get("/v1/metrics/cases/provenance").await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text());
    let body = reply.json();
    assert!(body["detail"].as_str().unwrap().contains("do not say where they come from"), "{body}");
    for (query, expected) in [("by=channel", "unknown parameter `by`"), ("limit=0", "`limit`"), ("page=x", "`page`")] {
        let reply = lake.get(&format!("/v1/metrics/cases/provenance?{query}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(expected), "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_run_that_is_not_there_is_not_found() {
    let lake = Lake::open().await;
    for path in ["/v1/runs/nothing", "/v1/runs/nothing/files", "/v1/runs/nothing/rejected"] {
        let reply = lake.get(path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}: {}", reply.text());
    }
    let rejected = lake.get("/v1/runs/test-1/rejected").await.json();
    assert_eq!((&rejected["run_id"], &rejected["row_count"]), (&json!("test-1"), &json!(0)), "{rejected}");
}

#[tokio::test]
async fn an_explanation_runs_nothing_and_its_sql_gives_the_figures() {
    let lake = Lake::open().await;
    let path = "/v1/metrics/share?by=channel&grain=month&order=-value";
    let explained = lake.get(&format!("{path}&explain=true")).await.json();
    assert!(lake.records.0.lock().unwrap().is_empty(), "something ran");
    assert!(explained["physical_plan"].as_str().unwrap().contains("DataSourceExec"), "{explained}");
    let sql = explained["sql"].as_str().unwrap_or_else(|| panic!("{explained}"));
    let rows = lake.post("/v1/query", &json!({"sql": sql})).await.json();
    let answer = lake.get(path).await.json();
    assert_eq!((&rows["rows"], &rows["schema"]), (&answer["rows"], &answer["schema"]), "{sql}");
    let both = json!({"queries": [{"name": "a", "metric": "cases"}, {"metric": "none"}]});
    let both = lake.post("/v1/metrics?explain=true", &both).await.json();
    assert!(both["answers"][0]["explanation"]["sql"].is_string(), "{both}");
    assert_eq!(both["answers"][1]["status"], 404);
    assert_eq!(lake.get(&format!("{path}&explain=true&format=csv")).await.status, StatusCode::BAD_REQUEST);
}
