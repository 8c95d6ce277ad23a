//! A request as a span. Names are those of OpenTelemetry's conventions for HTTP; what is ours begins with `xiangyun.`.

use axum::extract::Request;
use axum::http::Version;
use tracing::Span;
use tracing::field::Empty;

use super::ids;
use crate::state::AppState;
use crate::telemetry::method_name;

/// The request's span, below that of its caller; disabled where nothing is exported. The query string is not in it:
/// it holds SQL and values.
pub(super) fn of(state: &AppState, request: &Request, route: &str) -> Span {
    let Some(traces) = state.telemetry.traces() else { return Span::none() };
    let method = method_name(request.method());
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = match route {
            "-" => method.to_owned(),
            route => format!("{method} {route}"),
        },
        http.request.method = method,
        http.route = (route != "-").then_some(route),
        url.path = request.uri().path(),
        network.protocol.version = if request.version() < Version::HTTP_2 { "1.1" } else { "2" },
        http.response.status_code = Empty,
        http.response.body.size = Empty,
        xiangyun.request.id = Empty,
        xiangyun.query.id = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    );
    if let Some(parent) = ids::trace_parent(request.headers()) {
        traces.join(&span, parent);
    }
    span
}

/// How a request ended.
pub(super) struct Ending<'a> {
    pub(super) status: u16,
    pub(super) bytes: u64,
    /// Its reply was cut by a failure.
    pub(super) cut: bool,
    pub(super) request_id: &'a str,
    pub(super) query_id: Option<&'a str>,
}

/// Ends the span with its request: when the reply has ended, and not when it began.
pub(super) fn end(span: &Span, ending: &Ending<'_>) {
    if span.is_disabled() {
        return;
    }
    // Its end is when it was left last.
    let _entered = span.enter();
    span.record("http.response.status_code", ending.status);
    span.record("http.response.body.size", ending.bytes);
    span.record("xiangyun.request.id", ending.request_id);
    if let Some(id) = ending.query_id {
        span.record("xiangyun.query.id", id);
    }
    let failure = match ending.status {
        500.. => Some(ending.status.to_string()),
        _ => ending.cut.then(|| "cut".to_owned()),
    };
    if let Some(failure) = failure {
        span.record("error.type", failure);
        span.record("otel.status_code", "error");
    }
}
