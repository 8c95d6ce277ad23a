//! `/v1/dashboards`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::lake::{Lake, encoded};

#[tokio::test]
async fn a_dashboard_is_listed_defined_and_answered() {
    let lake = Lake::open().await;
    let list = lake.get("/v1/dashboards").await.json();
    assert_eq!((&list["dashboards"][0]["name"], &list["dashboards"][0]["tiles"]), (&json!("counter"), &json!(3)));
    let definition = lake.get(list["dashboards"][0]["links"]["definition"].as_str().unwrap()).await.json();
    assert_eq!(definition["tiles"][1]["size"], json!({"width": 12, "height": 3}));
    let data = lake.get(definition["links"]["data"].as_str().unwrap()).await.json();
    let tiles = data["answers"].as_array().unwrap();
    let names: Vec<_> = tiles.iter().map(|tile| tile["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["all", "by_month", "fixed"]);
    assert!(tiles.iter().all(|tile| tile["status"] == 200 && tile["tables"] == data["tables"]), "{data}");
    assert_eq!(tiles[0]["rows"][0]["value"], "7");
    // The newest case was accepted in April 2019, so that two months up to it are March (5 cases) and April (2).
    let months: Vec<_> = tiles[1]["rows"].as_array().unwrap().iter().map(|row| row["value"].clone()).collect();
    assert_eq!(months, [json!("5"), json!("2")], "{data}");
    assert_eq!(tiles[2]["rows"][0]["value"], "5");
    assert_eq!(data["provenance"]["tables"][0]["table"], "approvals.cases");
}

#[tokio::test]
async fn a_filter_reaches_the_tiles_that_have_its_dimension() {
    let lake = Lake::open().await;
    let first = |data: &Value| data["answers"][0]["rows"][0]["value"].clone();
    let data =
        async |value: &str| lake.get(&format!("/v1/dashboards/counter/data?way={}", encoded(value))).await.json();
    let online = "e窗通";
    // Values are separated by commas, and the channel's name has one: each part is a value of its own.
    assert_eq!(first(&data(online).await), Value::Null, "no channel has that name alone");
    let quoted = data("x') OR 1=1 --").await;
    assert_eq!((first(&quoted), &quoted["answers"][0]["filtered_by"]), (Value::Null, &json!(["way"])), "{quoted}");
    assert_eq!(first(&data("").await), json!("7"));
    let reply = lake.get("/v1/dashboards/counter/data?wya=x").await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.json()["detail"], "unknown parameter `wya`, did you mean `way`?");
    let reply = lake.get("/v1/dashboards/countr/data").await;
    assert_eq!((reply.status, &reply.json()["hint"]), (StatusCode::NOT_FOUND, &json!("did you mean `counter`?")));
}
