//! The HTTP interface: metrics, queries and tables under `/v1`, and a page that shows them.

mod access_log;
pub mod auth;
pub mod encode;
mod error;
mod layer;
mod openapi;
mod params;
mod rate;
mod recall;
mod reply;
mod routes;
mod serve;
mod state;
mod telemetry;
mod web;

pub use access_log::{AccessLog, AccessLogError};
pub use error::ApiError;
pub use rate::RateLimits;
pub use routes::{metric_head, router};
pub use serve::{ServeError, Tls, TlsError, serve, serve_tls};
pub use state::{AppState, HttpLimits};
pub use telemetry::{SpanCounts, Telemetry, TraceExport, TraceParent};
