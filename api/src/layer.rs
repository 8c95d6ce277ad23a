//! What surrounds every request: its id, its log line, and one shape for every error.

use std::time::Instant;

use axum::body::to_bytes;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::error::{ApiError, PROBLEM_JSON};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a rejection's text that are passed on.
const REJECTION_BYTES: usize = 4096;

/// The outermost layer.
pub(crate) async fn surround(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let started = Instant::now();
    let method = request.method().clone();
    // The route and not the address: addresses hold SQL and values.
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let asked = format!("{method} {}", request.uri().path());
    let mut response = explain(next.run(request).await, &asked, &id).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    tracing::info!(request.id = id, http.method = %method, http.route = route, http.status = status, duration_ms, "request");
    response
}

/// Turns every failure into a problem document, those of the router and of its extractors too.
async fn explain(response: Response, asked: &str, id: &str) -> Response {
    if let Some(error) = response.extensions().get::<ApiError>() {
        return error.problem(id);
    }
    let status = response.status();
    let is_problem = response.headers().get("content-type").is_some_and(|value| value == PROBLEM_JSON);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = to_bytes(response.into_body(), REJECTION_BYTES).await.unwrap_or_default();
    let detail = match status {
        StatusCode::NOT_FOUND => format!("there is nothing at {asked}"),
        StatusCode::METHOD_NOT_ALLOWED => format!("{asked} is not offered"),
        _ if text.is_empty() => status.canonical_reason().unwrap_or("the request failed").to_lowercase(),
        _ => String::from_utf8_lossy(&text).into_owned(),
    };
    let error = ApiError::http(status, detail);
    match status {
        // The router adds the header itself, outside of this layer.
        StatusCode::METHOD_NOT_ALLOWED => error.with_hint("the header `allow` lists the methods of this path"),
        _ => error,
    }
    .problem(id)
}
