//! `/healthz`: the process lives. `/readyz`: it can answer.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use xiangyun_engine::Principal;

use crate::error::ApiError;
use crate::state::AppState;

pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Lists the tables, which reads the store; says no more than that it could.
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    state.engine.query_as(Principal::system()).tables().await?;
    Ok(Json(json!({"status": "ready"})))
}
