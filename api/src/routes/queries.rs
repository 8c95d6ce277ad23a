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

use crate::auth::Caller;
use crate::error::ApiError;
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

/// Seconds that one request may wait for a query to end.
const LONGEST_WAIT: u64 = 60;

pub(super) async fn list(
    Caller(principal): Caller,
    State(state): State<AppState>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    Ok(Json(json!({"queries": state.engine.query_as(principal).queries()})))
}

pub(super) async fn detail(
    Caller(principal): Caller,
    State(state): State<AppState>,
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

pub(super) async fn cancel(
    Caller(principal): Caller,
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    params.finish()?;
    let context = state.engine.query_as(principal);
    let info = context.cancel(id_of(&id)?)?;
    Ok(Json(shown(&context, info)))
}

pub(super) async fn result(
    Caller(principal): Caller,
    State(state): State<AppState>,
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

pub(super) async fn profile(
    Caller(principal): Caller,
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    let (context, id) = (state.engine.query_as(principal), id_of(&id)?);
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
