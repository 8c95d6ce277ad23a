//! `/v1/tables`: the catalogue.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use xiangyun_engine::catalog::{TableDetail, TableName};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::params::Params;
use crate::reply::ReplyFormat;
use crate::state::AppState;

pub(super) async fn list(
    Caller(principal): Caller,
    State(state): State<AppState>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    let tables = state.engine.query_as(principal).tables().await?;
    Ok(Json(json!({"tables": tables})))
}

pub(super) async fn detail(
    Caller(principal): Caller,
    State(state): State<AppState>,
    Path((schema, table)): Path<(String, String)>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<TableDetail>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    let name = TableName::try_new(&schema, &table).map_err(xiangyun_engine::Error::from)?;
    Ok(Json(state.engine.query_as(principal).table(&name).await?))
}
