//! One file for each resource.

mod dashboards;
mod health;
mod metrics;
mod page_token;
mod push;
mod query;
mod rows;
mod runs;
mod tables;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::get;

use crate::layer::surround;
use crate::state::AppState;
use crate::web;

pub use metrics::head as metric_head;

/// Every path of the server.
pub fn router(state: AppState) -> Router {
    let body_limit = DefaultBodyLimit::max(state.limits.body_bytes);
    Router::new()
        .route("/v1/dashboards", get(dashboards::list))
        .route("/v1/dashboards/{name}", get(dashboards::definition))
        .route("/v1/dashboards/{name}/data", get(dashboards::data))
        .route("/v1/metrics", get(metrics::list).post(metrics::ask_many))
        .route("/v1/metrics/{name}", get(metrics::answer))
        .route("/v1/metrics/{name}/provenance", get(metrics::origins))
        .route("/v1/query", get(query::by_address).post(query::by_body))
        .route("/v1/runs/{id}", get(runs::run))
        .route("/v1/runs/{id}/files", get(runs::files))
        .route("/v1/runs/{id}/rejected", get(runs::rejected))
        .route("/v1/tables", get(tables::list))
        .route("/v1/tables/{schema}/{table}", get(tables::detail))
        .route("/v1/tables/{schema}/{table}/rows", get(rows::page).merge(push::route(&state)))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(web::routes())
        .layer(body_limit)
        .layer(from_fn(surround))
        .with_state(state)
}
