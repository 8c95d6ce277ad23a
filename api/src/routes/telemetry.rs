//! `/metrics`: counters of the server itself, as OpenMetrics text.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::Counting;
use crate::params::Params;
use crate::state::Shared;
use crate::telemetry::OPEN_METRICS;

#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    operation_id = "show_counters",
    summary = "Counters of the server, as OpenMetrics text",
    responses((status = 200, description = "The counters", body = String, content_type = OPEN_METRICS), Counting),
    extensions(("x-zh" = json!("服务器运行指标")))
)]
pub(super) async fn text(
    Caller(_principal): Caller,
    State(state): State<Shared>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let text = state.telemetry.text(&state.engine)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text).into_response())
}
