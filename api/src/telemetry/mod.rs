//! Counters of what the server does, as OpenMetrics text.
//!
//! Names follow OpenTelemetry's conventions for HTTP and Prometheus' for processes; what is ours begins with `xiangyun_`.
//! Every label has a closed list of values: the route as it was declared and never the path, a status, a class.

mod engine;
mod process;
mod pushes;
mod queries;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::query::QuerySink;
use xiangyun_engine::{Engine, Error, ErrorKind};
use xiangyun_ingest::push::PushReport;

use engine::EngineFigures;
use process::Process;
use pushes::PushCounters;
use queries::{CountedQueries, QueryCounters};
use traces::Traces;
pub use traces::{SpanCounts, TraceExport, TraceParent};

/// Media type of the text.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds that OpenTelemetry advises for HTTP, and some for long queries.
const SECONDS: [f64; 17] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0];

/// A family of histograms of seconds.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

fn durations<L: Clone + std::hash::Hash + Eq>() -> Durations<L> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

/// Counts what happens: cheap to clone, one for a process.
#[derive(Debug, Clone)]
pub struct Telemetry(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    registry: Registry,
    requests: Durations<RequestLabels>,
    sent_bytes: Family<RouteLabels, Counter>,
    active_requests: Gauge,
    connections: Family<ConnectionLabels, Counter>,
    open_connections: Gauge,
    failed_handshakes: Counter,
    lost_lines: Counter,
    queries: QueryCounters,
    pushes: PushCounters,
    engine: EngineFigures,
    process: Process,
    traces: Option<Traces>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    http_request_method: &'static str,
    http_route: Arc<str>,
    http_response_status_code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    http_route: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    tls: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// Counters that begin at nothing. Requests are not traced.
    pub fn new() -> Self {
        Self::open(None)
    }

    /// As [`Self::new`]; each request is a span, which `export` takes elsewhere.
    pub fn tracing(export: Arc<dyn TraceExport>) -> Self {
        Self::open(Some(export))
    }

    fn open(export: Option<Arc<dyn TraceExport>>) -> Self {
        let mut registry = Registry::default();
        let requests = durations();
        registry.register_with_unit(
            "http_server_request_duration",
            "Time from a request's head to the end of its reply, by method, declared route and status",
            Unit::Seconds,
            requests.clone(),
        );
        let sent_bytes = Family::default();
        registry.register_with_unit(
            "http_server_response_body",
            "Bytes of replies' bodies, as compressed as they were sent",
            Unit::Bytes,
            sent_bytes.clone(),
        );
        let active_requests = Gauge::default();
        registry.register("http_server_active_requests", "Requests whose reply has not ended", active_requests.clone());
        let connections = Family::default();
        registry.register("http_server_connections", "Connections that were accepted", connections.clone());
        let open_connections = Gauge::default();
        registry.register("http_server_open_connections", "Connections that are open", open_connections.clone());
        let failed_handshakes = Counter::default();
        registry.register(
            "http_server_tls_handshake_failures",
            "Connections that did not agree on TLS",
            failed_handshakes.clone(),
        );
        let lost_lines = Counter::default();
        registry.register(
            "xiangyun_access_log_lost_lines",
            "Lines of the access log that could not be written",
            lost_lines.clone(),
        );
        let queries = QueryCounters::register(&mut registry);
        let pushes = PushCounters::register(&mut registry);
        let engine = EngineFigures::register(&mut registry);
        let process = Process::register(&mut registry);
        let traces = export.map(|export| Traces::register(&mut registry, export));
        let build = BuildLabels { version: env!("CARGO_PKG_VERSION") };
        registry.register("xiangyun_build", "What is running", Info::new(build));
        Self(Arc::new(Counters {
            registry,
            requests,
            sent_bytes,
            active_requests,
            connections,
            open_connections,
            failed_handshakes,
            lost_lines,
            queries,
            pushes,
            engine,
            process,
            traces,
        }))
    }

    /// Where spans go, where they go anywhere.
    pub(crate) fn traces(&self) -> Option<&dyn TraceExport> {
        Some(&*self.0.traces.as_ref()?.export)
    }

    /// A sink that counts each query and hands its record on to `kept`.
    pub fn counting(&self, kept: Arc<dyn QuerySink>) -> Arc<dyn QuerySink> {
        Arc::new(CountedQueries { counters: self.0.queries.clone(), kept })
    }

    /// A push was answered, `took` after its rows had come.
    pub(crate) fn pushed(&self, table: &TableName, answer: Result<&PushReport, &Error>, took: Duration) {
        self.0.pushes.count(table, answer, took);
    }

    /// A reply was given again whole, without a plan.
    pub(crate) fn reply_given_again(&self, queries: usize) {
        self.0.engine.reply_given_again(queries);
    }

    /// Everything as text; what is not counted but looked at, is looked at now.
    pub(crate) fn text(&self, engine: &Engine) -> Result<String, Error> {
        self.0.engine.look(engine);
        self.0.process.look();
        if let Some(traces) = &self.0.traces {
            traces.look();
        }
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write the counters").with_source(error))?;
        Ok(text)
    }

    /// A request began.
    pub(crate) fn request_began(&self) {
        self.0.active_requests.inc();
    }

    /// A request that began has ended.
    pub(crate) fn request_ended(
        &self,
        method: &'static str,
        route: &Arc<str>,
        status: u16,
        took: Duration,
        bytes: u64,
    ) {
        self.0.active_requests.dec();
        let labels = RequestLabels {
            http_request_method: method,
            http_route: Arc::clone(route),
            http_response_status_code: status,
        };
        self.0.requests.get_or_create(&labels).observe(took.as_secs_f64());
        self.0.sent_bytes.get_or_create(&RouteLabels { http_route: Arc::clone(route) }).inc_by(bytes);
    }

    /// A connection is open for as long as the result lives.
    pub(crate) fn connection(&self, tls: bool) -> OpenConnection {
        self.0.connections.get_or_create(&ConnectionLabels { tls }).inc();
        self.0.open_connections.inc();
        OpenConnection(self.0.open_connections.clone())
    }

    /// A connection did not agree on TLS.
    pub(crate) fn handshake_failed(&self) {
        self.0.failed_handshakes.inc();
    }

    /// Lines of the access log were lost.
    pub(crate) fn lines_lost(&self, lines: u64) {
        self.0.lost_lines.inc_by(lines);
    }

    #[cfg(test)]
    pub(crate) fn lost_lines(&self) -> u64 {
        self.0.lost_lines.get()
    }
}

/// An open connection.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The method by a closed list: whoever sends a request can make any other up.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::CONNECT,
        Method::TRACE,
    ];
    const NAMES: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.iter().position(|known| known == method).map_or("_OTHER", |at| NAMES[at])
}
