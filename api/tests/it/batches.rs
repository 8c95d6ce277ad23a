//! `POST /v1/metrics`: several questions at once.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::lake::Lake;

fn values(answer: &Value) -> Vec<Value> {
    answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(|row| row["value"].clone()).collect()
}

#[tokio::test]
async fn each_question_has_an_answer_or_a_problem_of_its_own_in_order() {
    let lake = Lake::open().await;
    let body = json!({"queries": [
        {"name": "all", "metric": "cases"},
        {"name": "typo", "metric": "casse"},
        {"metric": "cases", "by": ["chanel"]},
        {"name": "online", "metric": "cases", "where": "channel is not null", "from": "2019-03-27", "to": "2019-03-31"},
        {"name": "by", "metric": "cases", "by": "channel", "order": "-channel", "limit": 1},
    ]});
    let reply = lake.post("/v1/metrics", &body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let reply = reply.json();
    let answers = reply["answers"].as_array().unwrap();
    let told: Vec<_> = answers.iter().map(|answer| (&answer["name"], &answer["status"])).collect();
    let (null, ok) = (Value::Null, json!(200));
    let (all, typo, online, by) = (json!("all"), json!("typo"), json!("online"), json!("by"));
    let (missing, bad) = (json!(404), json!(400));
    assert_eq!(told, [(&all, &ok), (&typo, &missing), (&null, &bad), (&online, &ok), (&by, &ok)]);
    assert_eq!(answers[1]["problem"]["hint"], "did you mean `cases`?");
    assert!(answers[2]["problem"]["detail"].as_str().unwrap().contains("`chanel`"), "{}", answers[2]);
    assert_eq!(values(&answers[0]), [json!("7")]);
    // Cases 1, 3 and 5 came online on 27, 29 and 31 March.
    assert_eq!(values(&answers[3]), [json!("3")]);
    assert_eq!((&answers[4]["row_count"], &answers[4]["truncated"]), (&json!(1), &json!(true)));
    assert_eq!(reply["provenance"]["tables"][0]["table"], "approvals.cases");
}

#[tokio::test]
async fn an_entry_is_what_the_metric_answers_alone() {
    let lake = Lake::open().await;
    let alone = lake.get("/v1/metrics/share?by=channel&grain=month&order=-period").await.json();
    let query = json!({"metric": "share", "by": ["channel"], "grain": "month", "order": ["-period"]});
    let other = json!({"metric": "cases", "by": ["channel"], "grain": "month", "order": ["-period"]});
    let together = lake.post("/v1/metrics", &json!({"queries": [other, query]})).await.json();
    for member in
        ["metric", "grain", "regions", "synthetic", "columns", "tables", "schema", "rows", "row_count", "truncated"]
    {
        assert_eq!(alone[member], together["answers"][1][member], "{member}");
    }
}

#[tokio::test]
async fn questions_that_share_a_scan_are_one_query_and_others_are_not() {
    let lake = Lake::open().await;
    let body = json!({"queries": [
        {"metric": "cases", "by": ["channel"], "limit": 1},
        {"metric": "fees", "by": ["channel"]},
        {"metric": "share", "by": ["channel"]},
        {"metric": "cases", "by": ["channel"]},
        {"metric": "fees", "by": ["channel"], "order": ["-value"]},
    ]});
    let reply = lake.post("/v1/metrics", &body).await.json();
    let answers = reply["answers"].as_array().unwrap();
    let ids: Vec<_> = answers.iter().map(|answer| answer["query_id"].as_str().unwrap()).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0], "{ids:?}");
    let asked: Vec<_> = lake.records.0.lock().unwrap().iter().map(|record| record.statement.clone()).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    // Cases 1, 3, 5 and 7 came online, for 17.5 to 1.5 yuan; 2, 4 and 6 by no channel that is known.
    assert_eq!(values(&answers[1]), [json!("18.000000"), json!("13.500000")]);
    assert_eq!(values(&answers[3]), [json!("4"), json!("3")]);
    assert_eq!((values(&answers[0]), &answers[0]["truncated"]), (vec![json!("4")], &json!(true)));
    assert_eq!(values(&answers[4]), [json!("18.000000"), json!("13.500000")]);
}

#[tokio::test]
async fn a_commit_between_two_questions_does_not_show() {
    let lake = Lake::open().await;
    let context = lake.state.engine.query_as(xiangyun_engine::Principal::local());
    let pins = context.pin_metrics(["cases"]).await;
    lake.append(8..=9).await;
    let query = |metric: &str| xiangyun_engine::semantic::MetricQuery { metric: metric.into(), ..Default::default() };
    let count = async |answer: xiangyun_engine::semantic::MetricAnswer| {
        let version = answer.result.tables[0].version;
        let batches = answer.result.collect().await.unwrap();
        let counted = arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap();
        (version, counted)
    };
    let first = context.metrics_over(&pins, &[query("cases")]).await.pop().unwrap().unwrap();
    assert_eq!(count(first).await, (0, "7".to_owned()));
    let second = context.metric_in(&pins, query("cases")).await.unwrap();
    assert_eq!(count(second).await, (0, "7".to_owned()));
    assert_eq!(count(context.metric(query("cases")).await.unwrap()).await, (1, "9".to_owned()));
}

#[tokio::test]
async fn a_request_without_sense_is_refused_as_a_whole() {
    let lake = Lake::open().await;
    let many: Vec<_> = (0..101).map(|_| json!({"metric": "cases"})).collect();
    for (body, expected) in [
        (json!({"queries": []}), "`queries` holds 0"),
        (json!({"queries": many}), "`queries` holds 101"),
        (json!({"queries": [{"metric": "cases", "limit": 0}]}), "`limit` of query 1 is 0"),
        (json!({"queries": vec![json!({"metric": "cases", "limit": 10_000}); 11]}), "110000 rows together"),
        (json!({"queries": [{"metric": "cases", "wher": "x"}]}), "wher"),
        (json!({"queries": [{"metric": "cases", "grain": "fortnight"}]}), "fortnight"),
    ] {
        let reply = lake.post("/v1/metrics", &body).await;
        assert!(reply.status.is_client_error(), "{}", reply.text());
        assert!(reply.json()["detail"].as_str().unwrap().contains(expected), "{expected}: {}", reply.text());
    }
}
