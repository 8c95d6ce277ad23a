//! `/metrics`: counters of the server itself, as OpenMetrics text.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::OPEN_METRICS;

pub(super) async fn text(Caller(_): Caller, State(state): State<AppState>) -> Result<Response, ApiError> {
    let text = state.telemetry.text(&state.engine)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text).into_response())
}
