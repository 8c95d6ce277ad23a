//! What surrounds every request: its ids, its accounts, one shape for every error, compression, and who may ask how often.

mod admit;
mod compress;
mod exchange;
mod explain;
mod ids;
mod span;
mod timed_body;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{ACCEPT_ENCODING, HOST};
use axum::http::{HeaderValue, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use tracing::{Instrument, Span};
use xiangyun_engine::Principal;

use crate::openapi::Document;
use crate::serve::Watch;
use crate::state::{AppState, Shared};

use exchange::Exchange;
use ids::REQUEST_ID;

pub(crate) use admit::Known;

/// The connection that a request came over.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) remote: SocketAddr,
    pub(crate) watch: Arc<Watch>,
}

/// What the layers know of one request.
#[derive(Debug, Clone)]
struct Asked(Arc<Question>);

#[derive(Debug)]
struct Question {
    request_id: String,
    trace_id: Option<String>,
    remote: Option<SocketAddr>,
    /// The route and not the address: addresses hold SQL and values.
    route: Arc<str>,
    /// Method and path, for messages.
    shown: String,
    http1: bool,
    /// The body did not arrive in time.
    late: AtomicBool,
    principal: OnceLock<Principal>,
}

impl Asked {
    /// The request, and its span.
    fn of(state: &AppState, request: &Request) -> (Self, Span) {
        let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
        let span = span::of(state, request, route);
        // Where the caller names no trace, the span's own is told.
        let trace_id = || match ids::trace_parent(request.headers()) {
            Some(parent) => Some(parent.trace_id.to_owned()),
            None => state.telemetry.traces()?.trace_id(&span),
        };
        let asked = Self(Arc::new(Question {
            request_id: ids::request_id(request.headers()),
            trace_id: trace_id(),
            remote: request.extensions().get::<Connection>().map(|connection| connection.remote),
            route: route.into(),
            shown: format!("{} {}", request.method(), request.uri().path()),
            http1: request.version() < Version::HTTP_2,
            late: AtomicBool::new(false),
            principal: OnceLock::new(),
        }));
        (asked, span)
    }

    fn is_late(&self) -> bool {
        self.0.late.load(Ordering::Relaxed)
    }
}

/// The host that is asked for, where all that comes after looks for it: HTTP/2 and proxies name it in the address, and that
/// one counts.
fn name_host(request: &mut Request) {
    let named = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = named {
        request.headers_mut().insert(HOST, host);
    }
}

/// The routes with all that surrounds them. The layers are one: each layer of a router's own is a box for each route, which
/// is copied for each request.
pub(crate) fn surrounded(routes: Router<Shared>, document: Document, state: AppState) -> Router {
    let state = Arc::new(state);
    let layers = (
        from_fn_with_state(Arc::clone(&state), surround),
        compress::compression(),
        from_fn_with_state(Arc::clone(&state), within),
        DefaultBodyLimit::max(state.limits.body_bytes),
        Extension(document),
    );
    routes.layer(layers).with_state(state)
}

/// The outermost layer.
async fn surround(State(state): State<Shared>, mut request: Request, next: Next) -> Response {
    name_host(&mut request);
    let (asked, span) = Asked::of(&state, &request);
    let exchange = Exchange::begin(&state, &request, asked.clone(), span.clone());
    request.extensions_mut().insert(asked.clone());
    let request = timed_body::timed(request, &state.limits, &asked);
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    compress::join_vary(headers);
    if let Ok(value) = HeaderValue::from_str(&asked.0.request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    exchange.answer(response)
}

/// What lies between the compression and the handler: who asks, and the shape of errors.
async fn within(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let asked = request.extensions().get::<Asked>().cloned();
    let is_compressed = request.headers().contains_key(ACCEPT_ENCODING);
    let mut response = admit::admitted(&state, request, next).await;
    if let Some(asked) = asked {
        response = explain::explained(response, &asked).await;
    }
    if is_compressed { compress::fused(response) } else { response }
}
