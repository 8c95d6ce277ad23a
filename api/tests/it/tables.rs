//! `/v1/tables`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::lake::Lake;

fn ids(body: &Value) -> Vec<&str> {
    body["rows"].as_array().unwrap().iter().map(|row| row["case_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_and_the_detail_show_contract_and_log() {
    let lake = Lake::open().await;
    let body = lake.get("/v1/tables").await.json();
    let table = body["tables"].as_array().unwrap().iter().find(|table| table["name"] == "approvals.cases").unwrap();
    assert_eq!((&table["rows"], &table["version"], &table["synthetic"]), (&json!(7), &json!(0), &json!(true)));
    let body = lake.get("/v1/tables/approvals/cases").await.json();
    assert_eq!((&body["name"], &body["primary_key"]), (&json!("approvals.cases"), &json!(["case_id"])));
    assert_eq!(body["columns"][4]["type"], "decimal(38,6)");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let lake = Lake::open().await;
    let path = "/v1/tables/approvals/cases/rows?limit=3&columns=case_id";
    let (mut seen, mut page, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let body = lake.get(&format!("{path}{page}")).await.json();
        seen.extend(ids(&body).into_iter().map(str::to_owned));
        pages += 1;
        if body["truncated"] == json!(false) {
            break;
        }
        page = format!("&page={}", body["next_page"].as_str().unwrap());
    }
    assert_eq!((seen.join(" ").as_str(), pages), ("1 2 3 4 5 6 7", 3));
}

#[tokio::test]
async fn pages_are_of_one_state_whatever_is_committed_meanwhile() {
    let lake = Lake::open().await;
    let path = "/v1/tables/approvals/cases/rows?limit=5&columns=case_id";
    let token = lake.get(path).await.json()["next_page"].as_str().unwrap().to_owned();
    lake.append(8..=9).await;
    let rest = lake.get(&format!("{path}&page={token}")).await;
    assert_eq!((ids(&rest.json()), rest.header("x-xiangyun-tables")), (vec!["6", "7"], "approvals.cases@0"));
    assert_eq!(rest.json()["truncated"], json!(false));
    let other = lake.get(&format!("/v1/tables/approvals/cases/rows?limit=5&page={token}")).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "the token is of other columns");
    assert_eq!(lake.get(path).await.header("x-xiangyun-tables"), "approvals.cases@1");
}

#[tokio::test]
async fn columns_and_limits_are_checked() {
    let lake = Lake::open().await;
    let path = "/v1/tables/approvals/cases/rows";
    let body = lake.get(&format!("{path}?columns=case_id,fee&limit=1")).await.json();
    assert_eq!(body["rows"], json!([{"case_id": "1", "fee": "1.500000"}]));
    let reply = lake.get(&format!("{path}?columns=feee")).await;
    assert_eq!(reply.json()["detail"], "`approvals.cases` has no column `feee`, did you mean `fee`?");
    for limit in ["0", "10001", "-1"] {
        assert_eq!(lake.get(&format!("{path}?limit={limit}")).await.status, StatusCode::BAD_REQUEST, "{limit}");
    }
    assert_eq!(lake.get(&format!("{path}?page=zz")).await.status, StatusCode::BAD_REQUEST);
}
