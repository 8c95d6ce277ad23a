//! `/healthz`: the process lives. `/readyz`: it can answer.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use xiangyun_engine::Principal;

use crate::error::ApiError;
use crate::openapi::{Health, Ready};
use crate::state::Shared;

/// Asks nothing and nobody.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    operation_id = "alive",
    summary = "Tells that the process lives",
    responses((status = 200, description = "It lives", body = Health)),
    security(()),
    extensions(("x-zh" = json!("进程存活")))
)]
pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Lists the tables, which reads the store; says no more than that it could.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    operation_id = "ready",
    summary = "Tells that the store can be read",
    responses((status = 200, description = "It can", body = Health), Ready),
    security(()),
    extensions(("x-zh" = json!("存储可读")))
)]
pub(super) async fn ready(State(state): State<Shared>) -> Result<Json<Value>, ApiError> {
    state.engine.query_as(Principal::system()).tables().await?;
    Ok(Json(json!({"status": "ready"})))
}
