//! `/v1/openapi.json`: the document of this interface.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use utoipa::openapi::OpenApi;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Document, JsonParams, Usual, with_metrics};
use crate::params::Params;
use crate::reply::ReplyFormat;
use crate::state::Shared;

/// With an operation for each metric that the caller may ask.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "service",
    operation_id = "openapi",
    summary = "This document",
    params(JsonParams),
    responses((status = 200, description = "An OpenAPI 3.1 document", body = Object), Usual),
    extensions(("x-zh" = json!("本文档")))
)]
pub(super) async fn show(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Extension(document): Extension<Document>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<OpenApi>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    Ok(Json(with_metrics(document.api(), &state.engine.query_as(principal).metrics())))
}
