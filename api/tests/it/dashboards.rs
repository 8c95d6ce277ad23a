//! `/v1/dashboards`.

use axum::body::Body;
use axum::http::{Request, StatusCode};
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

#[tokio::test]
async fn figures_of_several_questions_are_given_again_until_a_commit() {
    let lake = Lake::open().await;
    let two = json!({"queries": [
        {"name": "all", "metric": "cases"},
        {"name": "same scan", "metric": "cases", "by": ["channel"], "limit": 5},
        {"name": "again", "metric": "cases"},
    ]});
    let data = "/v1/dashboards/counter/data";
    let ask = async |which: &str, etag: &str| {
        let request = match which {
            "data" => Request::get(data).body(Body::empty()),
            _ => Request::post("/v1/metrics").header("content-type", "application/json").body(two.to_string().into()),
        };
        let mut request = request.unwrap();
        if !etag.is_empty() {
            request.headers_mut().insert("if-none-match", etag.parse().unwrap());
        }
        lake.send(request).await
    };
    let ids = |reply: &Value| -> Vec<String> {
        reply["answers"].as_array().unwrap().iter().map(|answer| answer["query_id"].as_str().unwrap().into()).collect()
    };
    for which in ["data", "queries"] {
        let first = ask(which, "").await;
        assert_eq!((first.status, first.header("cache-status")), (StatusCode::OK, "xiangyun; fwd=miss"), "{which}");
        let again = ask(which, "").await;
        assert_eq!(again.header("cache-status"), "xiangyun; hit", "{which}");
        for name in ["content-type", "etag", "cache-control", "vary", "x-xiangyun-tables"] {
            assert_eq!(again.header(name), first.header(name), "{which}: {name}");
            assert_ne!(again.header(name), "", "{which}: {name}");
        }
        let mut renamed = first.text().to_owned();
        for (before, now) in ids(&first.json()).iter().zip(ids(&again.json())) {
            assert_ne!(*before, now, "{which}");
            renamed = renamed.replace(before, &now);
            let (info, earlier) = (info(&lake, &now).await, info(&lake, before).await);
            assert_eq!(info["state"], "succeeded", "{info}");
            for member in ["rows", "truncated", "tables", "statement"] {
                assert_eq!(info[member], earlier[member], "{which}: {member}");
            }
        }
        assert_eq!(again.text(), renamed, "{which}");
        let known = ask(which, first.header("etag")).await;
        assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0), "{which}");
    }
    let etag = ask("data", "").await.header("etag").to_owned();
    lake.append(8..=9).await;
    for which in ["data", "queries"] {
        let after = ask(which, &etag).await;
        assert_eq!((after.status, after.header("cache-status")), (StatusCode::OK, "xiangyun; fwd=miss"), "{which}");
        assert_eq!(after.json()["tables"][0]["version"], json!(1), "{which}");
    }
}

#[tokio::test]
async fn figures_with_a_problem_among_them_are_worked_out_each_time() {
    let lake = Lake::open().await;
    let body = json!({"queries": [{"metric": "cases"}, {"metric": "casse"}]});
    for _ in 0..2 {
        let reply = lake.post("/v1/metrics", &body).await;
        assert_eq!((reply.status, reply.header("etag")), (StatusCode::OK, ""));
        assert_eq!(reply.json()["answers"][1]["status"], 404);
        let ids = &reply.json()["answers"][0]["query_id"];
        assert_eq!(info(&lake, ids.as_str().unwrap()).await["state"], "succeeded");
    }
}

async fn info(lake: &Lake, id: &str) -> Value {
    lake.get(&format!("/v1/queries/{id}")).await.json()
}
