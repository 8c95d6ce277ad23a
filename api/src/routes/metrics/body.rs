//! `POST /v1/metrics`: several questions in one request, answered over one version of each table.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use xiangyun_engine::Result;
use xiangyun_engine::query::Depth;
use xiangyun_engine::semantic::{Condition, MetricQuery, RegionMode, TimeGrain};

use super::entry::{Asked, MAX_ENTRY_ROWS, Request, answer_all};
use super::{flag, invalid};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Body, DepthParams, ExplainParams, JsonRowsParams, Known, MetricAnswers, Reading, Store, Usual};
use crate::params::Params;
use crate::recall;
use crate::reply::ReplyFormat;
use crate::state::Shared;

/// Questions of one request.
const MAX_QUERIES: usize = 100;
/// Rows of one answer, where the question does not say.
const ENTRY_ROWS: usize = 1_000;
/// Rows of all answers together: they are in memory until the last one is there.
const MAX_ROWS: usize = 100_000;

/// The body of `POST /v1/metrics`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct QueriesBody {
    /// The questions.
    queries: Vec<MetricQuestion>,
    /// How much is told of what the answers rest on.
    provenance: Option<String>,
}

/// One question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MetricQuestion {
    /// The caller's own name for it, given back with the answer.
    name: Option<String>,
    /// The metric.
    #[schema(example = "cases")]
    metric: String,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    by: Names,
    /// The condition; `filter` is another word for it.
    #[serde(rename = "where", alias = "filter")]
    filter: Option<String>,
    /// A condition as members: `{"and": [{"dimension": "channel", "op": "eq", "value": "online"}]}`.
    #[schema(value_type = Option<Object>)]
    conditions: Option<Condition>,
    #[schema(value_type = Option<String>)]
    grain: Option<TimeGrain>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    #[schema(value_type = Option<u64>)]
    limit: Option<usize>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    order: Names,
    #[schema(value_type = Option<String>)]
    regions: Option<RegionMode>,
}

/// A list, or as in an address one text with commas.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Text(String),
}

impl Default for Names {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Names {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::List(names) => names,
            Self::Text(text) => {
                text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }
        }
    }
}

#[utoipa::path(
    post,
    path = "/v1/metrics",
    tag = "metrics",
    operation_id = "ask_metrics",
    summary = "Asks several metrics over one version of each table",
    params(
        ExplainParams,
        DepthParams,
        JsonRowsParams,
    ),
    request_body = QueriesBody,
    responses((status = 200, description = "The answers in the order of the questions, each with its status", body = MetricAnswers), Known, Usual, Store, Reading, Body),
    extensions(("x-zh" = json!("一次查询多个指标")))
)]
pub(in crate::routes) async fn ask_many(
    Caller(principal): Caller,
    State(state): State<Shared>,
    headers: HeaderMap,
    mut params: Params,
    Json(body): Json<QueriesBody>,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::json_only(&mut params, &headers)?;
    let explain = flag(&mut params, "explain")?;
    let context = state.engine.query_as(principal);
    let question = context.question(&format!("POST /v1/metrics {body:?} {format:?} {params:?}"));
    if !explain && let Some(reply) = recall::again(&state.telemetry, &context, &question, &headers).await? {
        return Ok(reply);
    }
    let depth = params.parsed("provenance", "full, summary or none")?;
    params.finish()?;
    let depth: Depth = match (depth, body.provenance.as_deref()) {
        (Some(depth), _) => depth,
        (None, Some(text)) => text.parse()?,
        (None, None) => Depth::Summary,
    };
    let asked = asked(body.queries)?;
    let pins =
        context.pin_metrics(asked.iter().flat_map(|asked| &asked.query).map(|query| query.metric.as_str())).await;
    if explain {
        let mut entries = Vec::with_capacity(asked.len());
        for Asked { name, query, .. } in asked {
            let explained = match query {
                Ok(query) => context.explain_metric(&pins, &query).await,
                Err(error) => Err(error),
            };
            entries.push(match explained.map_err(ApiError::from) {
                Ok(explained) => json!({"name": name, "status": 200, "explanation": explained}),
                Err(error) => json!({"name": name, "status": error.status().as_u16(), "problem": error.entry()}),
            });
        }
        return Ok(Json(json!({"tables": pins.versions(), "answers": entries})).into_response());
    }
    let request =
        Request { context: &context, pins: &pins, depth, format: &format, question: &question, headers: &headers };
    answer_all(request, asked, serde_json::Map::new()).await
}

fn asked(queries: Vec<MetricQuestion>) -> Result<Vec<Asked>> {
    if queries.is_empty() || queries.len() > MAX_QUERIES {
        return Err(invalid(format!("`queries` holds {}, and should hold 1 to {MAX_QUERIES}", queries.len())));
    }
    let mut rows = 0;
    let mut asked = Vec::with_capacity(queries.len());
    for (at, query) in queries.into_iter().enumerate() {
        let limit = query.limit.unwrap_or(ENTRY_ROWS);
        if !(1..=MAX_ENTRY_ROWS).contains(&limit) {
            let message = format!("`limit` of query {} is {limit}, and should be from 1 to {MAX_ENTRY_ROWS}", at + 1);
            return Err(invalid(message).with_hint("ask /v1/metrics/{name} for more rows at once"));
        }
        rows += limit;
        let name = query.name;
        let query = MetricQuery {
            metric: query.metric,
            by: query.by.into_list(),
            filter: query.filter,
            conditions: query.conditions,
            grain: query.grain,
            from: query.from,
            to: query.to,
            limit: Some(limit),
            order: query.order.into_list(),
            regions: query.regions,
        };
        asked.push(Asked { name, query: Ok(query), members: serde_json::Map::new() });
    }
    if rows > MAX_ROWS {
        let message = format!("the queries may have {rows} rows together, more than the {MAX_ROWS} of one request");
        return Err(invalid(message).with_hint("give each a smaller `limit`, or send several requests"));
    }
    Ok(asked)
}
