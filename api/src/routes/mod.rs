//! One file for each resource.

mod alerts;
mod dashboards;
mod document;
mod health;
mod metrics;
mod page;
mod plain;
mod push;
mod queries;
mod query;
mod rows;
mod runs;
mod tables;
mod telemetry;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Auth;
use crate::layer::surrounded;
use crate::openapi::{self, Document};
use crate::state::{AppState, Shared};
use crate::web;

pub use metrics::head as metric_head;

/// Every path of the server.
pub fn router(state: AppState) -> Router {
    let (resources, api) = resources(&state).split_for_parts();
    let asks_for_tokens = !matches!(state.auth, Auth::Loopback);
    surrounded(resources.merge(web::routes()), Document::new(api, asks_for_tokens), state)
}

/// Every path but those of pages, each with its part of the document.
fn resources(state: &AppState) -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::detail))
        .routes(routes!(dashboards::list))
        .routes(routes!(dashboards::definition))
        .routes(routes!(dashboards::data))
        .merge(metrics::routes())
        .routes(routes!(runs::run))
        .routes(routes!(runs::files))
        .routes(routes!(runs::rejected))
        .routes(routes!(query::by_address, query::by_body))
        .routes(routes!(queries::list))
        .routes(routes!(queries::detail, queries::cancel))
        .routes(routes!(queries::result))
        .routes(routes!(queries::profile))
        .routes(routes!(tables::list))
        .routes(routes!(tables::detail))
        .routes(routes!(rows::page))
        .routes(push::route(state))
        .routes(routes!(document::show))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(telemetry::text))
}
