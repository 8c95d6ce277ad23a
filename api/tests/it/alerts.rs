//! `/v1/alerts`.

use axum::http::StatusCode;
use serde_json::{Value, json};
use xiangyun_ingest::alert::{AlertOptions, Alerts};
use xiangyun_ingest::connection::Secrets;
use xiangyun_ingest::{Declarations, Ingest};

use crate::lake::Lake;

/// Evaluates the alerts that are due, as whoever works the schedule does.
pub(crate) async fn watch(lake: &Lake) {
    let engine = lake.state.engine.clone();
    let ingest = Ingest::open(engine, Declarations::default(), Secrets::default()).await.unwrap();
    let alerts = Alerts::open(ingest, AlertOptions::default()).unwrap();
    alerts.look(|report| assert!(report.error.is_none(), "{report:?}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_with_how_they_stand() {
    let lake = Lake::open().await;
    let list = lake.get("/v1/alerts").await.json();
    let alert = &list["alerts"][0];
    assert_eq!((&alert["name"], &alert["status"]), (&json!("cases"), &json!("never")));
    assert_eq!(alert["bounds"], json!({"zh": "高于 3", "en": "above 3"}));
    watch(&lake).await;
    let alert = &lake.get("/v1/alerts").await.json()["alerts"][0];
    assert_eq!((&alert["status"], &alert["firing"], &alert["groups"]), (&json!("firing"), &json!(1), &json!(2)));
    assert_eq!((&alert["severity"], &alert["error"]), (&json!("critical"), &Value::Null));
    let detail = lake.get(alert["links"]["definition"].as_str().unwrap()).await.json();
    assert_eq!(detail["definition"]["rule"], json!({"kind": "threshold", "above": 3.0, "below": null}));
    assert_eq!(detail["tables"][0]["table"], "approvals.cases");
    // Of the seven cases the odd ones came online, and the others have no channel.
    let shown =
        |group: &Value| (group["group"]["channel"].clone(), group["last"]["value"].clone(), group["status"].clone());
    let found: Vec<_> = detail["groups"].as_array().unwrap().iter().map(shown).collect();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&(json!("e窗通, \"网上\""), json!("4"), json!("firing"))), "{found:?}");
    assert!(found.contains(&(Value::Null, json!("3"), json!("ok"))), "{found:?}");
    assert_eq!(detail["history"].as_array().unwrap().len(), 1);
    assert_eq!(detail["history"][0]["event"], "firing");
    let reply = lake.get("/v1/alerts/case").await;
    assert_eq!((reply.status, &reply.json()["hint"]), (StatusCode::NOT_FOUND, &json!("did you mean `cases`?")));
}
