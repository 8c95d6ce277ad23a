//! `/v1/query`: one read-only statement.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Map;
use utoipa::ToSchema;
use xiangyun_engine::query::{ParamValue, SqlRequest};
use xiangyun_engine::{Error, ErrorKind, Principal};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Body, QueryReply, Reading, Rows, RowsParams, SqlParams, Store, Usual};
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

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
}

#[utoipa::path(
    post,
    path = "/v1/query",
    tag = "queries",
    operation_id = "query",
    summary = "Runs one read-only statement",
    params(RowsParams),
    request_body = QueryBody,
    responses(Rows<QueryReply>, Usual, Store, Reading, Body),
    extensions(("x-zh" = json!("执行一条只读 SQL")))
)]
pub(super) async fn by_body(
    Caller(principal): Caller,
    State(state): State<AppState>,
    headers: HeaderMap,
    mut params: Params,
    Json(body): Json<QueryBody>,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    params.finish()?;
    let request = SqlRequest { sql: body.sql, params: body.params, max_rows: body.limit };
    run(&state, principal, request, format).await
}

/// For browsers and spreadsheets, which cannot send a body.
#[utoipa::path(
    get,
    path = "/v1/query",
    tag = "queries",
    operation_id = "query_by_address",
    summary = "Runs one read-only statement that stands in the address",
    params(SqlParams, RowsParams),
    responses(Rows<QueryReply>, Usual, Store, Reading),
    extensions(("x-zh" = json!("以地址参数执行一条只读 SQL")))
)]
pub(super) async fn by_address(
    Caller(principal): Caller,
    State(state): State<AppState>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let sql = params.text("sql")?;
    let max_rows = params.parsed("limit", "a whole number")?;
    params.finish()?;
    let missing = || Error::new(ErrorKind::InvalidInput, "parameter `sql` is missing");
    let request = SqlRequest { sql: sql.ok_or_else(missing)?, max_rows, ..SqlRequest::default() };
    run(&state, principal, request, format).await
}

async fn run(
    state: &AppState,
    principal: Principal,
    request: SqlRequest,
    format: ReplyFormat,
) -> Result<Response, ApiError> {
    let result = state.engine.query_as(principal).sql(request).await?;
    reply::rows(result, Map::new(), format).await
}
