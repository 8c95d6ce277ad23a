//! `/v1/openapi.json`: the document of this interface.

use axum::{Extension, Json};
use utoipa::openapi::OpenApi;

use super::plain::Plain;
use crate::error::ApiError;
use crate::openapi::{Document, JsonParams, Usual, with_metrics};

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
    Plain(context): Plain,
    Extension(document): Extension<Document>,
) -> Result<Json<OpenApi>, ApiError> {
    Ok(Json(with_metrics(document.api(), &context.metrics())))
}
