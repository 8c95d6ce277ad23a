//! `/v1/queries`: the queries of this server that a caller may know of: where they are, what they did, their results, and
//! taking them back.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyun_engine::query::{QueryInfo, QueryState};
use xiangyun_engine::{Error, ErrorKind, QueryContext, Result};

use super::plain::Plain;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{
    self, Changed, ChunkParams, Gone, JsonParams, Missing, QueryReply, Reading, Rows, RowsParams, Store, Usual,
    WaitParams,
};
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::Shared;

/// Seconds that one request may wait for a query to end.
const LONGEST_WAIT: u64 = 60;

#[utoipa::path(
    get,
    path = "/v1/queries",
    tag = "queries",
    operation_id = "list_queries",
    summary = "Lists the queries of this server that the caller may know of, newest first",
    params(
        JsonParams,
    ),
    responses((status = 200, description = "The queries", body = openapi::QueryList), Usual),
    extensions(("x-zh" = json!("列出查询")))
)]
pub(super) async fn list(Plain(context): Plain) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"queries": context.queries()})))
}

#[utoipa::path(
    get,
    path = "/v1/queries/{id}",
    tag = "queries",
    operation_id = "show_query",
    summary = "Shows where a query is",
    params(
        ("id" = Uuid, Path, description = "The query's id"),
        WaitParams,
        JsonParams,
    ),
    responses((status = 200, description = "The query", body = openapi::QueryInfo), Usual, Missing),
    extensions(("x-zh" = json!("查看查询状态")))
)]
pub(super) async fn detail(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    let wait = params.parsed("wait", "whole seconds")?.unwrap_or(0);
    params.finish()?;
    if wait > LONGEST_WAIT {
        let message = format!("parameter `wait` is {wait}, and should be seconds from 0 to {LONGEST_WAIT}");
        return Err(Error::new(ErrorKind::InvalidInput, message).into());
    }
    let context = state.engine.query_as(principal);
    let info = context.wait(id_of(&id)?, Duration::from_secs(wait)).await?;
    Ok(Json(shown(&context, info)))
}

#[utoipa::path(
    delete,
    path = "/v1/queries/{id}",
    tag = "queries",
    operation_id = "cancel_query",
    summary = "Takes a query back, or lets go of its result",
    params(
        ("id" = Uuid, Path, description = "The query's id"),
    ),
    responses((status = 200, description = "The query", body = openapi::QueryInfo), Usual, Missing),
    extensions(("x-zh" = json!("取消查询")))
)]
pub(super) async fn cancel(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    params.finish()?;
    let context = state.engine.query_as(principal);
    let info = context.cancel(id_of(&id)?)?;
    Ok(Json(shown(&context, info)))
}

#[utoipa::path(
    get,
    path = "/v1/queries/{id}/result",
    tag = "queries",
    operation_id = "show_result",
    summary = "Gives the result of an asynchronous query, or one chunk of it",
    params(
        ("id" = Uuid, Path, description = "The query's id"),
        ChunkParams,
        RowsParams,
    ),
    responses(Rows<QueryReply>, Usual, Store, Reading, Changed, Gone),
    extensions(("x-zh" = json!("读取查询结果")))
)]
pub(super) async fn result(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let chunk = params.parsed("chunk", "the number of a chunk")?;
    params.finish()?;
    let context = state.engine.query_as(principal);
    let id = id_of(&id)?;
    // Whose it is comes before whether it is still there.
    if context.poll(id)?.state == QueryState::Expired {
        let message = format!("the result of query {id} is no longer kept");
        return Err(ApiError::http(StatusCode::GONE, message).with_hint("send the statement again"));
    }
    reply::rows(context.kept_result(id)?.read(chunk)?, Map::new(), format).await
}

#[utoipa::path(
    get,
    path = "/v1/queries/{id}/profile",
    tag = "queries",
    operation_id = "show_profile",
    summary = "Tells what each operator of a query did",
    params(
        ("id" = Uuid, Path, description = "The query's id"),
        JsonParams,
    ),
    responses((status = 200, description = "What was done", body = openapi::QueryProfile), Usual, Missing),
    extensions(("x-zh" = json!("查看查询剖析")))
)]
pub(super) async fn profile(Plain(context): Plain, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = id_of(&id)?;
    let (info, profile) = (context.query_info(id)?, context.query_profile(id)?);
    Ok(Json(json!({
        "query_id": id, "state": info.state, "elapsed_ms": info.elapsed_ms, "scanned": info.scanned,
        "peak_memory_bytes": info.peak_memory_bytes, "plan": profile,
    })))
}

/// What is no id names no query.
fn id_of(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| {
        Error::new(ErrorKind::NotFound, format!("there is no query `{text}`")).with_hint("a query's id is a UUID")
    })
}

/// What is known of a query, with where its result is.
pub(super) fn shown(context: &QueryContext, info: QueryInfo) -> Value {
    let id = info.query_id;
    let mut shown = json!(info);
    if let Some(members) = shown.as_object_mut() {
        members.insert("profile".into(), json!(format!("/v1/queries/{id}/profile")));
        if info.state == QueryState::Succeeded
            && let Ok(result) = context.kept_result(id)
        {
            let chunks =
                json!({"href": format!("/v1/queries/{id}/result"), "bytes": result.bytes(), "chunks": result.chunks()});
            members.insert("result".into(), chunks);
        }
    }
    shown
}
