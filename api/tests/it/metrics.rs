//! `/v1/metrics`.

use axum::http::StatusCode;
use serde_json::json;

use crate::lake::{Lake, encoded};

#[tokio::test]
async fn the_list_names_each_metric_with_its_definition() {
    let lake = Lake::open().await;
    let reply = lake.get("/v1/metrics").await;
    let body = reply.json();
    let metric = body["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == "cases").unwrap();
    assert_eq!((&metric["name"], &metric["title"]["zh"]), (&json!("cases"), &json!("办件量")));
    assert_eq!(metric["definition_version"], 1);
}

#[tokio::test]
async fn an_answer_is_labelled_and_rests_on_versions() {
    let lake = Lake::open().await;
    let reply = lake.get("/v1/metrics/cases?by=channel&grain=month&from=2019-03-01&to=2019-03-31").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let body = reply.json();
    assert_eq!((&body["metric"]["name"], &body["grain"]), (&json!("cases"), &json!("month")));
    assert_eq!((&body["synthetic"], &body["tables"][0]["version"]), (&json!(true), &json!(0)));
    let value = body["columns"].as_array().unwrap().iter().find(|column| column["role"] == "value").unwrap();
    let name = value["name"].as_str().unwrap();
    // Accepted on 27 to 31 March: cases 1 to 5, of which 1, 3 and 5 came online.
    let mut values: Vec<_> = body["rows"].as_array().unwrap().iter().map(|row| row[name].to_string()).collect();
    values.sort();
    assert_eq!(values, ["\"2\"", "\"3\""], "{body}");
}

#[tokio::test]
async fn a_filter_and_a_limit_reach_the_metric() {
    let lake = Lake::open().await;
    let filter = encoded("channel = 'nowhere'");
    let body = lake.get(&format!("/v1/metrics/cases?by=channel&where={filter}")).await.json();
    assert_eq!(body["row_count"], 0, "{body}");
    let all = lake.get("/v1/metrics/cases?by=channel&order=-channel").await.json();
    let count = all["row_count"].as_u64().unwrap();
    assert!(count > 1 && all["truncated"] == false, "{all}");
    for (limit, rows, truncated) in [(1, 1, true), (count, count, false)] {
        let body = lake.get(&format!("/v1/metrics/cases?by=channel&limit={limit}&order=-channel")).await.json();
        assert_eq!((&body["row_count"], &body["truncated"]), (&json!(rows), &json!(truncated)), "{body}");
        assert_eq!(body["rows"][0], all["rows"][0]);
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let lake = Lake::open().await;
    for (query, expected) in [
        ("grain=fortnight", "fortnight"),
        ("from=2019-02-29", "parameter `from` is `2019-02-29`, and should be a date, as in 2019-03-26"),
        ("limit=many", "parameter `limit` is `many`"),
        ("regions=today", "today"),
        ("by=chanel", "chanel"),
        ("form=2019-01-01", "unknown parameter `form`, did you mean `from`?"),
    ] {
        let reply = lake.get(&format!("/v1/metrics/cases?{query}")).await;
        assert!(reply.status.is_client_error(), "{query}: {}", reply.status);
        assert!(reply.json()["detail"].as_str().unwrap().contains(expected), "{query}: {}", reply.text());
    }
}
