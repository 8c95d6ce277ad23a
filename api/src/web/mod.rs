//! The page at `/`: metrics, tables and their freshness, drawn from the same `/v1` API that everyone has. The one at
//! `/docs` shows the interface itself to people, from the document that tools read.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::state::Shared;

/// Nothing from elsewhere: government networks are often offline, and the page must not leak what it shows.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(async || asset("text/html; charset=utf-8", include_str!("index.html"))))
        .route("/app.js", get(async || asset("text/javascript; charset=utf-8", include_str!("app.js"))))
        .route("/docs", get(async || asset("text/html; charset=utf-8", include_str!("docs.html"))))
        .route("/docs.js", get(async || asset("text/javascript; charset=utf-8", include_str!("docs.js"))))
        .route("/app.css", get(async || asset("text/css; charset=utf-8", include_str!("app.css"))))
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, text).into_response()
}
