//! `GET /v1/metrics/{name}/provenance`: the files and lines that a figure is made of.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use xiangyun_engine::Result;
use xiangyun_engine::query::OriginPage;
use xiangyun_engine::semantic::MetricQuery;

use super::provenance::run_links;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Changed, JsonParams, MetricOrigins, OriginParams, Reading, Store, Usual};
use crate::params::Params;
use crate::reply::ReplyFormat;
use crate::routes::page::{Page, page_rows};
use crate::state::Shared;

/// Lines of a page, where the caller does not say.
const PAGE_LINES: usize = 100;
/// Lines that a caller may ask for.
const MAX_PAGE_LINES: usize = 1_000;
/// Files that are counted one by one.
const MAX_FILES: usize = 1_000;

#[utoipa::path(
    get,
    path = "/v1/metrics/{name}/provenance",
    tag = "metrics",
    operation_id = "trace_metric",
    summary = "Tells which files and lines a figure is made of",
    params(
        ("name" = String, Path, description = "The metric", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        OriginParams,
        JsonParams,
    ),
    responses((status = 200, description = "The files and lines", body = MetricOrigins), Usual, Store, Reading, Changed),
    extensions(("x-zh" = json!("追溯指标来源")))
)]
pub(in crate::routes) async fn origins(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Json<Value>, ApiError> {
    ReplyFormat::only_json(&mut params, &headers)?;
    let lines = page_rows(&mut params, PAGE_LINES, MAX_PAGE_LINES)?;
    let token = params.text("page")?;
    let query = rows_of(name, &mut params)?;
    params.finish()?;
    let question = format!("origins {query}");
    let page = Page::named(token.as_deref(), &question)?;
    let context = state.engine.query_as(principal);
    let pins = context.pin_metrics([query.metric.as_str()]).await;
    page.check_still_of(&pins.versions())?;
    let found =
        context.figure_origins(&pins, &query, OriginPage { offset: page.skipped(), lines, files: MAX_FILES }).await?;
    let files = found.files.iter().map(|file| {
        let mut value = json!(file);
        if let Some(run_id) = &file.run_id {
            value["links"] = run_links(run_id, 0);
        }
        value
    });
    let next = found.more.then(|| page.next(lines, &pins.versions(), &question));
    Ok(Json(json!({
        "metric": found.metric,
        "where": query.filter,
        "grain": query.grain,
        "from": query.from,
        "to": query.to,
        "tables": found.tables,
        "rows": found.rows,
        "files_total": found.files_total,
        "files": files.collect::<Vec<_>>(),
        "lines": found.lines,
        "next_page": next,
    })))
}

/// The parameters that choose rows: groups, order and limit choose none.
fn rows_of(metric: String, params: &mut Params) -> Result<MetricQuery> {
    Ok(MetricQuery {
        metric,
        filter: params.text("where")?,
        grain: params.text("grain")?.map(|text| text.parse()).transpose()?,
        from: params.parsed("from", "a date, as in 2019-03-26")?,
        to: params.parsed("to", "a date, as in 2019-03-26")?,
        regions: params.text("regions")?.map(|text| text.parse()).transpose()?,
        ..MetricQuery::default()
    })
}
