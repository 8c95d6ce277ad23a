//! `POST /v1/tables/{schema}/{table}/rows`: rows that a caller sends.

use std::time::Instant;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::RejectSample;
use xiangyun_ingest::push::{Push, PushFormat, PushReport};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Body, KeyHeader, Pushed};
use crate::params::Params;
use crate::state::{AppState, Shared};

const KEY_HEADER: &str = "idempotency-key";

/// The handler, with the limit of its own that its bodies have.
pub(super) fn route(state: &AppState) -> UtoipaMethodRouter<Shared> {
    let limit = state.pushes.as_ref().map_or(state.limits.body_bytes, |pushes| pushes.body_bytes());
    routes!(take).layer(DefaultBodyLimit::max(limit))
}

/// What became of the rows.
#[derive(Serialize)]
struct PushReply {
    table: String,
    /// `loaded`, or `unchanged` where the request had been loaded before.
    status: &'static str,
    run_id: String,
    version: u64,
    #[serde(flatten)]
    rows: Option<Counts>,
    rejects: Vec<Reject>,
}

#[derive(Serialize)]
struct Counts {
    rows_read: u64,
    rows_loaded: u64,
    rows_rejected: u64,
    rows_duplicate: u64,
}

#[derive(Serialize)]
struct Reject {
    line: u64,
    column: Option<String>,
    reason: String,
    message: String,
}

/// The answer comes when the rows are durable. Rows that break the contract are in `system.quarantine`.
#[utoipa::path(
    post,
    path = "/v1/tables/{schema}/{table}/rows",
    tag = "tables",
    operation_id = "add_rows",
    summary = "Adds rows to a table that takes them",
    params(
        ("schema" = String, Path, description = "The agency's schema", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        ("table" = String, Path, description = "The table", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        KeyHeader,
    ),
    request_body(
        description = "Rows; the body may be compressed",
        content(
            (String = "application/x-ndjson"),
            (String = "application/jsonl"),
            (Value = "application/json"),
            (String = "text/csv"),
            (Value = "application/vnd.apache.arrow.stream"),
            (Value = "application/vnd.apache.arrow.file"),
        )
    ),
    responses(Pushed, Body),
    extensions(("x-zh" = json!("上报数据")))
)]
async fn take(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path((schema, table)): Path<(String, String)>,
    headers: HeaderMap,
    params: Params,
    body: Bytes,
) -> Result<Response, ApiError> {
    params.finish()?;
    let table = TableName::try_new(&schema, &table).map_err(Error::from)?;
    let Some(pushes) = &state.pushes else {
        return Err(Error::new(ErrorKind::Unsupported, "this server does not take rows").into());
    };
    let push = Push { table: table.clone(), key: key(&headers)?, format: format(&headers)?, body };
    let began = Instant::now();
    let answer = pushes.push(&principal, push).await;
    state.telemetry.pushed(&table, answer.as_ref().map_err(|error| &**error), began.elapsed());
    let report = answer.map_err(|error| ApiError::from(&*error))?;
    Ok(Json(reply(&table, report)).into_response())
}

/// The key; in quotes, as the IETF's draft of the header writes it, or without.
fn key(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(value) = headers.get(KEY_HEADER) else { return Ok(String::new()) };
    let text = value.to_str().map_err(|_| {
        ApiError::http(StatusCode::BAD_REQUEST, "the header `Idempotency-Key` holds a character that is not ASCII")
    })?;
    let text = text.trim();
    Ok(text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).to_owned())
}

fn format(headers: &HeaderMap) -> Result<PushFormat, ApiError> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "text/csv" => Ok(PushFormat::Csv),
        "application/x-ndjson" | "application/jsonl" | "application/json" => Ok(PushFormat::Json),
        "application/vnd.apache.arrow.stream" | "application/vnd.apache.arrow.file" => Ok(PushFormat::Arrow),
        other => {
            let detail = match other {
                "" => "the header `Content-Type` is missing".to_owned(),
                other => format!("rows are not taken as `{other}`"),
            };
            let hint =
                "send `text/csv`, `application/x-ndjson`, `application/json` or `application/vnd.apache.arrow.stream`";
            Err(ApiError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with_hint(hint))
        }
    }
}

fn reply(table: &TableName, report: PushReport) -> PushReply {
    let reject = |RejectSample { line, column, reason, message, .. }| Reject { line, column, reason, message };
    PushReply {
        table: table.to_string(),
        status: if report.loaded { "loaded" } else { "unchanged" },
        run_id: report.run_id,
        version: report.version,
        rows: report.rows.map(|rows| Counts {
            rows_read: rows.read,
            rows_loaded: rows.loaded,
            rows_rejected: rows.rejected,
            rows_duplicate: rows.duplicate,
        }),
        rejects: report.rejects.into_iter().map(reject).collect(),
    }
}
