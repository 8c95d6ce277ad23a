//! One file for each resource.

mod health;
mod metrics;
mod push;
mod queries;
mod query;
mod rows;
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
        .route("/v1/metrics", get(metrics::list))
        .route("/v1/metrics/{name}", get(metrics::answer))
        .route("/v1/query", get(query::by_address).post(query::by_body))
        .route("/v1/queries", get(queries::list))
        .route("/v1/queries/{id}", get(queries::detail).delete(queries::cancel))
        .route("/v1/queries/{id}/result", get(queries::result))
        .route("/v1/queries/{id}/profile", get(queries::profile))
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
