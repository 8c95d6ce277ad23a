//! `/v1/query`: one read-only statement, answered at once, or run while nobody waits.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Map;
use utoipa::ToSchema;
use uuid::Uuid;
use xiangyun_engine::query::{AsOf, ParamValue, Question, SqlRequest, Submission};
use xiangyun_engine::{Error, ErrorKind, Principal, QueryContext, Result};

use super::queries;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{
    self, Body, Changed, Known, QueryReply, Reading, Rows, RowsParams, SqlParams, Store, SubmissionHeader, Usual,
};
use crate::params::Params;
use crate::recall;
use crate::reply::{self, Freshness, ReplyFormat};
use crate::state::{AppState, Shared};

/// Seconds that a request may wait for an asynchronous query.
const LONGEST_WAIT: f64 = 60.0;
/// Characters of an idempotency key.
const KEY_CHARS: usize = 200;

/// The body of `POST /v1/query`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryBody {
    /// One statement.
    #[schema(example = "SELECT {n:Int64} AS n")]
    sql: String,
    /// Values of its named parameters, which are written `{name:Type}`: null, true, 1, 1.5 or a text.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"n": 1}))]
    params: IndexMap<String, ParamValue>,
    /// Rows at the most.
    #[schema(value_type = Option<u64>)]
    limit: Option<usize>,
    /// Which versions of the tables are read: a time, or versions by table.
    #[serde(default)]
    #[schema(value_type = Option<openapi::AsOf>)]
    as_of: AsOf,
    /// An id of the caller's choice.
    query_id: Option<Uuid>,
    /// Seconds to wait for an asynchronous query; without it the rows stream as they are made.
    #[schema(minimum = 0, maximum = 60)]
    wait: Option<f64>,
    /// What becomes of the query after that.
    on_timeout: Option<OnTimeout>,
}

/// What becomes of a query that has not ended when its caller has waited long enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OnTimeout {
    /// It goes on, and its result is kept.
    #[default]
    Continue,
    /// It is cancelled.
    Cancel,
}

#[utoipa::path(
    post,
    path = "/v1/query",
    tag = "queries",
    operation_id = "query",
    summary = "Runs one read-only statement",
    params(RowsParams, SubmissionHeader),
    request_body = QueryBody,
    responses(
        Rows<QueryReply>,
        (
            status = 202,
            description = "The query goes on; ask for it where `location` says",
            body = openapi::QueryInfo,
            headers(("location" = String, description = "The query, as in `/v1/queries/{id}`"))
        ),
        Known,
        Usual,
        Store,
        Reading,
        Changed,
        Body,
    ),
    extensions(("x-zh" = json!("执行一条只读 SQL")))
)]
pub(super) async fn by_body(
    Caller(principal): Caller,
    State(state): State<Shared>,
    headers: HeaderMap,
    mut params: Params,
    Json(body): Json<QueryBody>,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    params.finish()?;
    let request = SqlRequest { sql: body.sql, params: body.params, as_of: body.as_of, max_rows: body.limit };
    let key = idempotency_key(&headers)?;
    let Some(wait) = patience(body.wait)? else {
        if let Some(used) = [("on_timeout", body.on_timeout.is_some()), ("Idempotency-Key", key.is_some())]
            .into_iter()
            .find_map(|(name, given)| given.then_some(name))
        {
            let message = format!("`{used}` is for queries with `wait`, whose results are kept");
            return Err(Error::new(ErrorKind::InvalidInput, message)
                .with_hint("give `wait` in seconds, perhaps 0")
                .into());
        }
        return run(&state, principal, request, body.query_id, format, &headers).await;
    };
    let context = state.engine.query_as(principal);
    let submission = Submission { request, query_id: body.query_id, idempotency_key: key };
    let id = context.submit(submission).await?;
    let info = context.wait(id, wait).await?;
    if info.state.has_ended() {
        return reply::rows(context.kept_result(id)?.read(None)?, Map::new(), format).await;
    }
    if body.on_timeout == Some(OnTimeout::Cancel) {
        context.cancel(id)?;
        let message = format!("the query did not end within the {} s of `wait`, and was cancelled", wait.as_secs_f64());
        let hint = "wait longer, or let it go on with `\"on_timeout\": \"continue\"`";
        return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint(hint).into());
    }
    accepted(id, &queries::shown(&context, info))
}

/// 202, with where to ask.
fn accepted(id: Uuid, info: &serde_json::Value) -> Result<Response, ApiError> {
    let mut response = (StatusCode::ACCEPTED, Json(info)).into_response();
    let location = HeaderValue::from_str(&format!("/v1/queries/{id}"));
    response.headers_mut().insert(
        LOCATION,
        location.map_err(|error| Error::new(ErrorKind::Internal, "an id is no address").with_source(error))?,
    );
    Ok(response)
}

fn patience(wait: Option<f64>) -> Result<Option<Duration>> {
    match wait {
        None => Ok(None),
        Some(seconds) if (0.0..=LONGEST_WAIT).contains(&seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
        Some(seconds) => {
            let message = format!("`wait` is {seconds}, and should be seconds from 0 to {LONGEST_WAIT}");
            Err(Error::new(ErrorKind::InvalidInput, message)
                .with_hint("a query goes on after that: ask for it at /v1/queries/{id}"))
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_CHARS => Ok(Some(key.to_owned())),
        _ => {
            let message = format!("the header `Idempotency-Key` should be 1 to {KEY_CHARS} visible ASCII characters");
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

/// For browsers and spreadsheets, which cannot send a body.
#[utoipa::path(
    get,
    path = "/v1/query",
    tag = "queries",
    operation_id = "query_by_address",
    summary = "Runs one read-only statement that stands in the address",
    params(SqlParams, RowsParams),
    responses(Rows<QueryReply>, Known, Usual, Store, Reading),
    extensions(("x-zh" = json!("以地址参数执行一条只读 SQL")))
)]
pub(super) async fn by_address(
    Caller(principal): Caller,
    State(state): State<Shared>,
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
    let sql = params.text("sql")?;
    let max_rows = params.parsed("limit", "a whole number")?;
    params.finish()?;
    let missing = || Error::new(ErrorKind::InvalidInput, "parameter `sql` is missing");
    let request = SqlRequest { sql: sql.ok_or_else(missing)?, max_rows, ..SqlRequest::default() };
    Box::pin(computed(context, request, None, format, Some(question), &headers)).await
}

async fn run(
    state: &AppState,
    principal: Principal,
    request: SqlRequest,
    query_id: Option<Uuid>,
    format: ReplyFormat,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let context = state.engine.query_as(principal);
    // Who gives a query its id wants that one to run.
    let is_plain = query_id.is_none() && matches!(request.as_of, AsOf::Now);
    let question = is_plain.then(|| context.question(&format!("POST {request:?} {format:?}")));
    if let Some(question) = &question
        && let Some(reply) = recall::again(&state.telemetry, &context, question, headers).await?
    {
        return Ok(reply);
    }
    // What is seldom done is put aside: this future is moved about for every reply that is given again.
    Box::pin(computed(context, request, query_id, format, question, headers)).await
}

async fn computed(
    context: QueryContext,
    request: SqlRequest,
    query_id: Option<Uuid>,
    format: ReplyFormat,
    question: Option<Question>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let prepared = context.prepare_as(request, query_id).await?;
    let freshness = Freshness::of(&prepared, &format, "rows");
    if let Some(known) = freshness.known(&prepared, headers.get(IF_NONE_MATCH)) {
        prepared.unchanged();
        return Ok(known);
    }
    let result = prepared.run().await?;
    let place = question.and_then(|question| context.place_of(&question, [&result], &[]));
    reply::rows_to_keep(result, Map::new(), format, freshness, place).await
}
