//! `/v1/dashboards`: figures that are looked at together, declared in the project.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Map, Value, json};
use xiangyun_engine::QueryContext;
use xiangyun_engine::query::{Choices, Question};

use super::metrics::{Asked, Request, answer_all, depth};
use super::plain::Plain;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{
    DashboardData, DashboardDetail, DashboardList, DepthParams, JsonParams, JsonRowsParams, Known, Missing, Reading,
    Store, Usual,
};
use crate::params::Params;
use crate::recall;
use crate::reply::ReplyFormat;
use crate::state::Shared;

#[utoipa::path(
    get,
    path = "/v1/dashboards",
    tag = "metrics",
    operation_id = "list_dashboards",
    summary = "Lists the dashboards of the project",
    params(
        JsonParams,
    ),
    responses((status = 200, description = "The dashboards", body = DashboardList), Usual),
    extensions(("x-zh" = json!("列出仪表板")))
)]
pub(super) async fn list(Plain(context): Plain) -> Result<Json<Value>, ApiError> {
    let dashboards = context.dashboards();
    let listed = dashboards.iter().map(|dashboard| {
        json!({
            "name": dashboard.name,
            "title": dashboard.title,
            "description": dashboard.description,
            "filters": dashboard.filters,
            "tiles": dashboard.tiles.len(),
            "links": links(&dashboard.name),
        })
    });
    Ok(Json(json!({"dashboards": listed.collect::<Vec<_>>()})))
}

#[utoipa::path(
    get,
    path = "/v1/dashboards/{name}",
    tag = "metrics",
    operation_id = "show_dashboard",
    summary = "Shows a dashboard as it is declared",
    params(
        ("name" = String, Path, description = "The dashboard", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        JsonParams,
    ),
    responses((status = 200, description = "The dashboard", body = DashboardDetail), Usual, Missing),
    extensions(("x-zh" = json!("查看仪表板定义")))
)]
pub(super) async fn definition(Plain(context): Plain, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let mut value = json!(context.dashboard(&name)?);
    value["links"] = links(&name);
    Ok(Json(value))
}

/// The figures of all tiles, over one version of each table. Each filter is a parameter of its name.
#[utoipa::path(
    get,
    path = "/v1/dashboards/{name}/data",
    tag = "metrics",
    operation_id = "show_dashboard_data",
    summary = "Gives the figures of all tiles, over one version of each table",
    params(
        ("name" = String, Path, description = "The dashboard", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        DepthParams,
        JsonRowsParams,
    ),
    responses((status = 200, description = "The tiles, each with its figures or its problem", body = DashboardData), Known, Usual, Store, Reading),
    extensions(("x-zh" = json!("查看仪表板数据")))
)]
pub(super) async fn data(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(name): Path<String>,
    address: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let context = state.engine.query_as(principal);
    let question = recall::by_address(&context, &address, &headers);
    if let Some(reply) = recall::again(&state.telemetry, &context, &question, &headers).await? {
        return Ok(reply);
    }
    Box::pin(computed(&context, &name, &address, &headers, &question)).await
}

async fn computed(
    context: &QueryContext,
    name: &str,
    address: &Uri,
    headers: &HeaderMap,
    question: &Question,
) -> Result<Response, ApiError> {
    let mut params = Params::of(address)?;
    let format = ReplyFormat::json_only(&mut params, headers)?;
    let depth = depth(&mut params)?;
    let dashboard = context.dashboard(name)?;
    let mut choices = Choices::new();
    for filter in &dashboard.filters {
        if let Some(values) = params.chosen(&filter.name) {
            choices.insert(filter.name.clone(), values);
        }
    }
    params.finish()?;
    let pins = context.pin_metrics(dashboard.tiles.iter().map(|tile| tile.metric.as_str())).await;
    let questions = context.tile_questions(&pins, dashboard, &choices).await;
    let asked = questions.into_iter().map(|question| Asked {
        name: Some(question.tile),
        query: question.query,
        members: Map::from_iter([
            ("filtered_by".to_owned(), json!(question.filtered_by)),
            ("not_filtered_by".to_owned(), json!(question.not_filtered_by)),
        ]),
    });
    let asked = asked.collect();
    let filters = dashboard.filters.iter().map(|filter| {
        let values = choices.get(&filter.name).unwrap_or(&filter.default);
        json!({"name": filter.name, "dimension": filter.dimension, "values": values})
    });
    let head = [("dashboard", json!(name)), ("filters", Value::Array(filters.collect()))];
    let head = head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    answer_all(Request { context, pins: &pins, depth, format: &format, question, headers }, asked, head).await
}

fn links(name: &str) -> Value {
    json!({"definition": format!("/v1/dashboards/{name}"), "data": format!("/v1/dashboards/{name}/data")})
}
