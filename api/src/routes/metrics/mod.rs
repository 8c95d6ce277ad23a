//! `/v1/metrics`: the published figures.

mod body;
mod entry;
mod origins;
mod provenance;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use xiangyun_engine::query::Depth;
use xiangyun_engine::semantic::{MetricAnswer, MetricQuery, RegionMode};
use xiangyun_engine::{Error, ErrorKind, Result};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

pub(super) use body::ask_many;
pub(super) use entry::{Asked, answer_all};
pub(super) use origins::origins;
pub(super) use provenance::run_links;

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

pub(super) async fn answer(
    Caller(principal): Caller,
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let query = metric_query(name, &mut params)?;
    let (depth, explain) = (depth(&mut params)?, flag(&mut params, "explain")?);
    params.finish()?;
    let context = state.engine.query_as(principal);
    let pins = context.pin_metrics([query.metric.as_str()]).await;
    if explain {
        if !format.is_json() {
            return Err(reply::not_acceptable_here("an explanation is answered in application/json"));
        }
        return Ok(Json(context.explain_metric(&pins, &query).await?).into_response());
    }
    let answer = context.metric_in(&pins, query).await?;
    let mut head = head(&answer);
    if format.is_json() && depth != Depth::None {
        let told = context.provenance(&pins, &answer.result.tables, depth).await;
        head.insert("provenance".into(), provenance::told(&told, answer.metric.name.as_str()));
    }
    reply::rows(answer.result, head, format).await
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

/// A fault of the request's body.
fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
