//! The one table `ErrorKind` → status, and the problem that a client is told (RFC 9457).

use axum::Json;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use xiangyun_engine::{Error, ErrorKind};

/// Media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a caller that was sent away may come again.
const RETRY_SECONDS: &str = "1";

/// A failed request. It travels in the response's extensions until the outermost layer, which knows the request's id,
/// writes it.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<String>,
    retryable: bool,
    position: Option<Position>,
}

/// A place in an SQL text, both counted from 1.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Position {
    line: u64,
    column: u64,
}

/// The body of every error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// `about:blank`: `code` says more.
    r#type: &'static str,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// The stable code, as in `sql_error`.
    code: &'a str,
    /// What happened.
    detail: &'a str,
    /// The request's name in the server's log.
    request_id: &'a str,
    /// The same request may succeed later.
    retryable: bool,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// The place in the SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<&'a Position>,
}

impl ApiError {
    /// A failure of HTTP itself, which the engine's kinds do not know: method, media type, path, size.
    pub(crate) fn http(status: StatusCode, detail: impl Into<String>) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound.code(),
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::NOT_ACCEPTABLE => "not_acceptable",
            StatusCode::GONE => "gone",
            StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
            StatusCode::REQUEST_TIMEOUT => "request_timeout",
            StatusCode::TOO_MANY_REQUESTS => "rate_limited",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
            status if status.is_server_error() => ErrorKind::Internal.code(),
            _ => ErrorKind::InvalidInput.code(),
        };
        let retryable = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Self { status, code, detail: detail.into(), hint: None, retryable, position: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The problem of one entry among several: without what belongs to the request as a whole.
    pub(crate) fn entry(&self) -> serde_json::Value {
        let mut value = serde_json::json!({
            "title": self.status.canonical_reason().unwrap_or("Client Closed Request"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "retryable": self.retryable,
        });
        if let Some(hint) = &self.hint {
            value["hint"] = serde_json::json!(hint);
        }
        if let Some(position) = &self.position {
            value["position"] = serde_json::json!(position);
        }
        value
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What the client is told.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The whole response, with the id under which the log knows the request.
    pub(crate) fn problem(&self, request_id: &str) -> Response {
        let problem = Problem {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Client Closed Request"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            request_id,
            retryable: self.retryable,
            hint: self.hint.as_deref(),
            position: self.position.as_ref(),
        };
        let mut response = (self.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The status of each kind of failure.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidInput | ErrorKind::Sql => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::DataQuality | ErrorKind::LimitExceeded | ErrorKind::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        // Nobody is left to read it: the status that web servers log for a client that went away.
        ErrorKind::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        ErrorKind::Corrupted | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a client is told: everything about its own request, little about the store, nothing about a defect.
fn detail(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Internal => "the server failed; the log has the cause under this request id".into(),
        ErrorKind::Unavailable | ErrorKind::Corrupted => error.to_string(),
        _ => error.chain(),
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for ApiError {
    fn from(error: &Error) -> Self {
        let status = status(error.kind());
        if status.is_server_error() {
            tracing::error!(error.kind = error.kind().code(), error = error.chain(), "request failed");
        }
        Self {
            status,
            code: error.kind().code(),
            detail: detail(error),
            hint: if error.kind() == ErrorKind::Internal { None } else { error.hint().map(str::to_owned) },
            retryable: error.kind().is_retryable(),
            position: error.position().map(|at| Position { line: at.line, column: at.column }),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}
