//! `/v1/metrics`: the published figures.

mod body;
mod entry;
mod origins;
mod provenance;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xiangyun_engine::query::{Depth, Question};
use xiangyun_engine::semantic::{MetricAnswer, MetricQuery, RegionMode};
use xiangyun_engine::{Error, ErrorKind, QueryContext, Result};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{
    self, DepthParams, ExplainParams, JsonParams, Known, MetricList, MetricParams, Reading, Rows, RowsParams, Store,
    Usual,
};
use crate::params::Params;
use crate::recall;
use crate::reply::{self, Freshness, ReplyFormat};
use crate::routes::plain::Plain;
use crate::state::{AppState, Shared};

pub(super) use entry::{Asked, Request, answer_all};
pub(super) use provenance::run_links;

/// The paths below `/v1/metrics`.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, body::ask_many)).routes(routes!(answer)).routes(routes!(origins::origins))
}

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
pub(super) async fn list(Plain(context): Plain) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"metrics": context.metrics()})))
}

#[utoipa::path(
    get,
    path = "/v1/metrics/{name}",
    tag = "metrics",
    operation_id = "ask_metric",
    summary = "Asks a metric",
    params(("name" = String, Path, description = "The metric"), MetricParams, ExplainParams, DepthParams, RowsParams),
    responses(Rows<openapi::MetricAnswer>, Known, Usual, Store, Reading),
    extensions(("x-zh" = json!("查询指标")))
)]
pub(super) async fn answer(
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
    let mut params = Params::of(&address)?;
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let query = metric_query(name, &mut params)?;
    let (depth, explain) = (depth(&mut params)?, flag(&mut params, "explain")?);
    params.finish()?;
    if explain {
        return Box::pin(explained(context, query, &format)).await;
    }
    // What is seldom done is put aside: this future is moved about for every reply that is given again.
    Box::pin(computed(&state, context, query, format, depth, &question, &headers)).await
}

async fn explained(context: QueryContext, query: MetricQuery, format: &ReplyFormat) -> Result<Response, ApiError> {
    if !format.is_json() {
        return Err(invalid("`explain` is answered in JSON only").with_hint("leave `format` out").into());
    }
    let pins = context.pin_metrics([query.metric.as_str()]).await;
    Ok(Json(context.explain_metric(&pins, &query).await?).into_response())
}

async fn computed(
    state: &AppState,
    context: QueryContext,
    query: MetricQuery,
    format: ReplyFormat,
    depth: Depth,
    question: &Question,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let pins = context.pin_metrics([query.metric.as_str()]).await;
    let asked = context.prepare_metric(&pins, query).await?;
    // What is told of the tables changes with the day.
    let told_of = format!("{depth:?}.{}", state.engine.clock().today());
    let freshness = Freshness::of(asked.prepared(), &format, &told_of);
    if let Some(known) = freshness.known(asked.prepared(), headers.get(IF_NONE_MATCH)) {
        asked.unchanged();
        return Ok(known);
    }
    let answer = asked.run().await?;
    let mut place = context.place_of(question, [&answer.result], &[]);
    let mut head = head(&answer);
    if format.is_json() && depth != Depth::None {
        let told = context.provenance(&pins, &answer.result.tables, depth).await;
        head.insert("provenance".into(), provenance::told(&told, answer.metric.name.as_str()));
        // Counts that are not complete become so with later answers.
        place = place.filter(|_| told.iter().all(|table| table.counts_complete));
    }
    reply::rows_to_keep(answer.result, head, format, freshness, place).await
}

/// `provenance=full|summary|none`.
pub(super) fn depth(params: &mut Params) -> Result<Depth> {
    let expected = "full, summary or none";
    Ok(params.parsed("provenance", expected)?.unwrap_or(Depth::Summary))
}

/// Whether the parameter is `true`.
fn flag(params: &mut Params, name: &'static str) -> Result<bool> {
    Ok(params.parsed(name, "true or false")?.unwrap_or(false))
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
        ("rollups", json!(answer.rollups)),
        ("columns", json!(answer.columns)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A fault of the request's body.
fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
