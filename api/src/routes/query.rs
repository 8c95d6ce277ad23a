//! `/v1/query`: one read-only statement.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Map;
use xiangyun_engine::query::{ParamValue, SqlRequest};
use xiangyun_engine::{Error, ErrorKind, Principal};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

/// The body of `POST /v1/query`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryBody {
    /// One statement.
    sql: String,
    /// Values of its named parameters.
    #[serde(default)]
    params: IndexMap<String, ParamValue>,
    /// Rows at the most.
    limit: Option<usize>,
}

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
