//! `/v1/alerts`: figures that are watched, declared in the project, and how they stand.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};
use xiangyun_engine::alert::AlertState;

use super::plain::Plain;
use crate::error::ApiError;
use crate::openapi::{AlertDetail, AlertList, JsonParams, Missing, Store, Usual};

#[utoipa::path(
    get,
    path = "/v1/alerts",
    tag = "metrics",
    operation_id = "list_alerts",
    summary = "Lists the alerts of the project and how they stand",
    params(
        JsonParams,
    ),
    responses((status = 200, description = "The alerts on metrics that the caller may ask", body = AlertList), Usual, Store),
    extensions(("x-zh" = json!("列出告警及其状态")))
)]
pub(super) async fn list(Plain(context): Plain) -> Result<Json<Value>, ApiError> {
    let mut listed = Vec::new();
    for alert in context.alerts() {
        let state = context.alert_state(alert).await?;
        listed.push(json!({
            "name": alert.name,
            "title": alert.title,
            "metric": alert.metric,
            "bounds": alert.rule.words(),
            "severity": alert.severity,
            "owner": alert.owner,
            "status": AlertState::word(state.as_ref()),
            "firing": state.as_ref().map_or(0, |state| state.firing().count()),
            "groups": state.as_ref().map_or(0, |state| state.groups.len()),
            "evaluated_at": state.as_ref().and_then(|state| state.evaluated_at),
            "error": state.and_then(|state| state.error),
            "links": links(&alert.name),
        }));
    }
    Ok(Json(json!({"alerts": listed})))
}

#[utoipa::path(
    get,
    path = "/v1/alerts/{name}",
    tag = "metrics",
    operation_id = "show_alert",
    summary = "Shows an alert as it is declared, and how each group stands",
    params(
        ("name" = String, Path, description = "The alert", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        JsonParams,
    ),
    responses((status = 200, description = "The alert", body = AlertDetail), Usual, Missing, Store),
    extensions(("x-zh" = json!("查看告警定义与各组状态")))
)]
pub(super) async fn detail(Plain(context): Plain, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let alert = context.alert(&name)?;
    let state = context.alert_state(alert).await?;
    let status = AlertState::word(state.as_ref());
    let state = state.unwrap_or_default();
    Ok(Json(json!({
        "name": alert.name,
        "status": status,
        "definition": alert,
        "bounds": alert.rule.words(),
        "evaluated_at": state.evaluated_at,
        "error": state.error,
        "tables": state.tables,
        "groups": state.groups,
        "waiting": state.waiting.len(),
        "history": state.history,
        "links": links(&alert.name),
    })))
}

fn links(name: &str) -> Value {
    json!({"definition": format!("/v1/alerts/{name}")})
}
