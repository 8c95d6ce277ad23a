//! The HTTP interface: metrics, queries and tables under `/v1`, and a page that shows them.

pub mod auth;
pub mod encode;
mod error;
mod layer;
mod openapi;
mod params;
mod reply;
mod routes;
mod serve;
mod state;
mod web;

pub use error::ApiError;
pub use routes::{metric_head, router};
pub use serve::{ServeError, serve};
pub use state::{AppState, HttpLimits};
