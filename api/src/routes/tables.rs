//! `/v1/tables`: the catalogue.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use xiangyun_engine::catalog::{TableDetail, TableName};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{self, JsonParams, Missing, Store, TableList, Usual};
use crate::params::Params;
use crate::reply::ReplyFormat;
use crate::state::Shared;

#[utoipa::path(
    get,
    path = "/v1/tables",
    tag = "tables",
    operation_id = "list_tables",
    summary = "Lists tables and views, with version, rows and drift",
    params(JsonParams),
    responses((status = 200, description = "The tables that the caller may see", body = TableList), Usual, Store),
    extensions(("x-zh" = json!("列出数据表")))
)]
pub(super) async fn list(
    Caller(principal): Caller,
    State(state): State<Shared>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    let tables = state.engine.query_as(principal).tables().await?;
    Ok(Json(json!({"tables": tables})))
}

#[utoipa::path(
    get,
    path = "/v1/tables/{schema}/{table}",
    tag = "tables",
    operation_id = "show_table",
    summary = "Shows one table with its columns",
    params(
        ("schema" = String, Path, description = "The agency's schema", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        ("table" = String, Path, description = "The table", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        JsonParams,
    ),
    responses((status = 200, description = "The table", body = openapi::TableDetail), Usual, Store, Missing),
    extensions(("x-zh" = json!("查看一张数据表")))
)]
pub(super) async fn detail(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path((schema, table)): Path<(String, String)>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<TableDetail>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    let name = TableName::try_new(&schema, &table).map_err(xiangyun_engine::Error::from)?;
    Ok(Json(state.engine.query_as(principal).table(&name).await?))
}
