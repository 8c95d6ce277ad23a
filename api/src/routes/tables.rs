//! `/v1/tables`: the catalogue.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};
use xiangyun_engine::catalog::{TableDetail, TableName};

use super::plain::Plain;
use crate::error::ApiError;
use crate::openapi::{self, JsonParams, Missing, Store, TableList, Usual};

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
pub(super) async fn list(Plain(context): Plain) -> Result<Json<Value>, ApiError> {
    let tables = context.tables().await?;
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
    Plain(context): Plain,
    Path((schema, table)): Path<(String, String)>,
) -> Result<Json<TableDetail>, ApiError> {
    let name = TableName::try_new(&schema, &table).map_err(xiangyun_engine::Error::from)?;
    Ok(Json(context.table(&name).await?))
}
