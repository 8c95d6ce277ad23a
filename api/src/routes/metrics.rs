//! `/v1/metrics`: the published figures.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};
use xiangyun_engine::Result;
use xiangyun_engine::semantic::{MetricAnswer, MetricQuery, RegionMode};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{JsonParams, MetricList, MetricParams, MetricReply, Reading, Rows, RowsParams, Store, Usual};
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

#[utoipa::path(
    get,
    path = "/v1/metrics",
    tag = "metrics",
    operation_id = "list_metrics",
    summary = "Lists the metrics, with title, definition, grains and dimensions",
    params(JsonParams),
    responses((status = 200, description = "The metrics that the caller may ask", body = MetricList), Usual),
    extensions(("x-zh" = json!("列出指标")))
)]
pub(super) async fn list(
    Caller(principal): Caller,
    State(state): State<AppState>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    params.finish()?;
    Ok(Json(json!({"metrics": state.engine.query_as(principal).metrics()})))
}

#[utoipa::path(
    get,
    path = "/v1/metrics/{name}",
    tag = "metrics",
    operation_id = "ask_metric",
    summary = "Asks a metric",
    params(("name" = String, Path, description = "The metric"), MetricParams, RowsParams),
    responses(Rows<MetricReply>, Usual, Store, Reading),
    extensions(("x-zh" = json!("查询指标")))
)]
pub(super) async fn answer(
    Caller(principal): Caller,
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let query = metric_query(name, &mut params)?;
    params.finish()?;
    let answer = state.engine.query_as(principal).metric(query).await?;
    let head = head(&answer);
    reply::rows(answer.result, head, format).await
}

fn metric_query(metric: String, params: &mut Params) -> Result<MetricQuery> {
    Ok(MetricQuery {
        metric,
        by: params.list("by"),
        filter: params.text("where")?,
        grain: params.text("grain")?.map(|text| text.parse()).transpose()?,
        from: params.parsed("from", "a date, as in 2019-03-26")?,
        to: params.parsed("to", "a date, as in 2019-03-26")?,
        limit: params.parsed("limit", "a whole number")?,
        order: params.list("order"),
        regions: params.text("regions")?.map(|text| text.parse()).transpose()?,
        ..MetricQuery::default()
    })
}

/// What a reader needs beside the rows to quote the figure: its definition, and how regions were read. Members of a JSON
/// document in front of the rows, on every door.
pub fn head(answer: &MetricAnswer) -> Map<String, Value> {
    let members = [
        ("metric", json!(answer.metric)),
        ("grain", json!(answer.grain)),
        ("regions", json!(answer.regions)),
        ("regions_label", json!(answer.regions.map(RegionMode::label))),
        ("synthetic", json!(answer.synthetic)),
        ("columns", json!(answer.columns)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
