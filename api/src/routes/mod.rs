//! One file for each resource.

mod health;
mod metrics;
mod push;
mod query;
mod rows;
mod tables;
mod telemetry;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use crate::layer::surrounded;
use crate::state::AppState;
use crate::web;

pub use metrics::head as metric_head;

/// Every path of the server.
pub fn router(state: AppState) -> Router {
    let body_limit = DefaultBodyLimit::max(state.limits.body_bytes);
    let routes = Router::new()
        .route("/v1/metrics", get(metrics::list))
        .route("/v1/metrics/{name}", get(metrics::answer))
        .route("/v1/query", get(query::by_address).post(query::by_body))
        .route("/v1/tables", get(tables::list))
        .route("/v1/tables/{schema}/{table}", get(tables::detail))
        .route("/v1/tables/{schema}/{table}/rows", get(rows::page).merge(push::route(&state)))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(telemetry::text))
        .merge(web::routes())
        .layer(body_limit);
    surrounded(routes, &state).with_state(state)
}
