//! `/v1/runs/{id}`: one load, its files, and what it rejected.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use xiangyun_engine::catalog::{RunRecord, RunStatus};
use xiangyun_engine::query::{ParamValue, SqlRequest};
use xiangyun_engine::{Error, ErrorKind, QueryContext, Result};

use super::metrics::run_links;
use super::page::{Page, page_rows};
use super::plain::Plain;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{
    Changed, JsonParams, Missing, PartParams, Reading, RejectedReply, Rows, RowsParams, RunFiles, RunReply, Store,
    Usual,
};
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::Shared;

/// Files, or rejected rows, of one reply where the caller does not say.
const PAGE_ROWS: usize = 100;
/// Files, or rejected rows, that a caller may ask for.
const MAX_PAGE_ROWS: usize = 10_000;

#[utoipa::path(
    get,
    path = "/v1/runs/{id}",
    tag = "tables",
    operation_id = "show_run",
    summary = "Shows a load",
    params(
        ("id" = String, Path, description = "The run's id", pattern = "^[^/]{1,200}$"),
        JsonParams,
    ),
    responses((status = 200, description = "The run", body = RunReply), Usual, Store, Missing),
    extensions(("x-zh" = json!("查看一次装载")))
)]
pub(super) async fn run(Plain(context): Plain, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let run = context.run(&id).await?;
    let mut value = json!(run);
    let mut links = run_links(&run.run_id, run.rows_rejected);
    links["table"] = json!(format!("/v1/tables/{}/{}", run.table.schema(), run.table.table()));
    // A load of many files lists them page by page.
    if run.sources.len() > PAGE_ROWS {
        value["sources"] = json!(run.sources[..PAGE_ROWS]);
    }
    value["sources_total"] = json!(run.sources.len());
    value["links"] = links;
    Ok(Json(value))
}

/// The files of a run, each with the rows of it that the table still holds.
#[utoipa::path(
    get,
    path = "/v1/runs/{id}/files",
    tag = "tables",
    operation_id = "list_run_files",
    summary = "Lists the files of a load, each with the rows that the table still holds of it",
    params(
        ("id" = String, Path, description = "The run's id", pattern = "^[^/]{1,200}$"),
        PartParams,
        JsonParams,
    ),
    responses((status = 200, description = "The files", body = RunFiles), Usual, Store, Reading, Changed),
    extensions(("x-zh" = json!("查看装载的来源文件")))
)]
pub(super) async fn files(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    let limit = page_rows(&mut params, PAGE_ROWS, MAX_PAGE_ROWS)?;
    let token = params.text("page")?;
    params.finish()?;
    // A run's files never change.
    let question = format!("files {id}");
    let page = Page::named(token.as_deref(), &question)?;
    let offset = page.skipped();
    let context = state.engine.query_as(principal);
    let run = context.run(&id).await?;
    let rows = stored_rows(&context, &run).await?;
    let files = run.sources.iter().skip(offset).take(limit).map(|source| {
        let mut value = json!(source);
        value["rows"] = json!(rows.as_ref().map(|rows| rows.get(&source.path).copied().unwrap_or(0)));
        value
    });
    let next = (offset.saturating_add(limit) < run.sources.len()).then(|| page.next(limit, &[], &question));
    Ok(Json(json!({
        "run_id": run.run_id,
        "table": run.table,
        "files_total": run.sources.len(),
        "files": files.collect::<Vec<_>>(),
        "next_page": next,
    })))
}

/// Rows of each file that the table holds of this run; none where nothing was committed.
async fn stored_rows(context: &QueryContext, run: &RunRecord) -> Result<Option<HashMap<String, u64>>> {
    if run.status != RunStatus::Succeeded {
        return Ok(None);
    }
    let sql = format!("SELECT _file, count(*) FROM {} WHERE _run = {{run:Text}} GROUP BY _file", run.table);
    let params = [("run".to_owned(), ParamValue::Text(run.run_id.clone()))];
    let request = SqlRequest { params: params.into_iter().collect(), ..SqlRequest::new(sql) };
    let mut result = context.sql(request).await?;
    let mut rows = HashMap::new();
    while let Some(batch) = result.next().await {
        let batch = batch?;
        let (files, counts) = (batch.column(0), batch.column(1));
        for row in 0..batch.num_rows() {
            let text = |column| arrow::util::display::array_value_to_string(column, row);
            let told = text(files).and_then(|file| Ok((file, text(counts)?)));
            let (file, count) =
                told.map_err(|error| Error::new(ErrorKind::Internal, "cannot read counts of rows").with_source(error))?;
            rows.insert(file, count.parse().unwrap_or(0));
        }
    }
    Ok(Some(rows))
}

/// The rows that a run rejected, page by page.
#[utoipa::path(
    get,
    path = "/v1/runs/{id}/rejected",
    tag = "tables",
    operation_id = "list_rejected_rows",
    summary = "Shows the rows that a load rejected",
    params(
        ("id" = String, Path, description = "The run's id", pattern = "^[^/]{1,200}$"),
        PartParams,
        RowsParams,
    ),
    responses(Rows<RejectedReply>, Usual, Store, Reading, Changed),
    extensions(("x-zh" = json!("查看被拒绝的行")))
)]
pub(super) async fn rejected(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let limit = page_rows(&mut params, PAGE_ROWS, MAX_PAGE_ROWS)?;
    let token = params.text("page")?;
    params.finish()?;
    let question = format!("rejected {id}");
    let page = Page::named(token.as_deref(), &question)?;
    let context = state.engine.query_as(principal);
    let run = context.run(&id).await?;
    let sql = format!(
        "SELECT number, file, line, \"column\", rule, reason, message, raw, rejected_at, resolved_by \
         FROM system.quarantine WHERE run_id = {{run:Text}} ORDER BY file, line, number OFFSET {}",
        page.offset
    );
    let values = [("run".to_owned(), ParamValue::Text(run.run_id.clone()))];
    let request = SqlRequest { params: values.into_iter().collect(), max_rows: Some(limit), ..SqlRequest::new(sql) };
    let result = context.sql(request).await?;
    let next = page.next(limit, &[], &question);
    let head = [("run_id", json!(run.run_id)), ("rows_rejected", json!(run.rows_rejected)), ("next_page", json!(next))];
    let head: Map<_, _> = head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    reply::rows(result, head, format).await
}
