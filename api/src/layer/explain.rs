//! One shape for every error: problem documents, also for the failures of the router and of its extractors.

use axum::body::to_bytes;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::Asked;
use crate::error::{ApiError, PROBLEM_JSON};

/// Bytes of a rejection's text that are passed on.
const REJECTION_BYTES: usize = 4096;

/// The reply, as a problem document where it is an error.
pub(super) async fn explained(mut response: Response, asked: &Asked) -> Response {
    let id = &asked.0.request_id;
    let status = response.status();
    if asked.is_late() && status.is_client_error() {
        let error = ApiError::http(StatusCode::REQUEST_TIMEOUT, "the request's body did not arrive in time");
        let mut problem = error.problem(id);
        if asked.0.http1 {
            // What is left of the body may still arrive, and must not be taken for a request.
            problem.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        return problem;
    }
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        return with_headers(error.problem(id), response.headers());
    }
    let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, REJECTION_BYTES).await.unwrap_or_default();
    let detail = match status {
        StatusCode::NOT_FOUND => format!("there is nothing at {}", asked.0.shown),
        StatusCode::METHOD_NOT_ALLOWED => format!("{} is not offered", asked.0.shown),
        _ if text.is_empty() => status.canonical_reason().unwrap_or("the request failed").to_lowercase(),
        _ => String::from_utf8_lossy(&text).into_owned(),
    };
    let error = ApiError::http(status, detail);
    let error = match status {
        // The router adds the header itself, outside of this layer.
        StatusCode::METHOD_NOT_ALLOWED => error.with_hint("the header `allow` lists the methods of this path"),
        _ => error,
    };
    with_headers(error.problem(id), &parts.headers)
}

/// Keeps what inner layers said in headers, but for those that describe the body that was replaced.
fn with_headers(mut problem: Response, said: &HeaderMap) -> Response {
    for (name, value) in said {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH && !problem.headers().contains_key(name) {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}
