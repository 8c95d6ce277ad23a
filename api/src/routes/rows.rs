//! `/v1/tables/{schema}/{table}/rows`: rows of one table, page by page.
//!
//! A page token names the versions that the first page was read from: all pages are of one state.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, json};
use xiangyun_engine::catalog::{TableDetail, TableName};
use xiangyun_engine::project::nearest;
use xiangyun_engine::query::{AsOf, SqlRequest};
use xiangyun_engine::{Error, ErrorKind, Result};

use super::page::{Page, page_rows};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Changed, PageParams, PageReply, Reading, Rows, RowsParams, Store, Usual};
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::Shared;

/// Rows of a page, where the caller does not say.
const PAGE_ROWS: usize = 100;
/// Rows that a caller may ask for; more are a query.
const MAX_PAGE_ROWS: usize = 10_000;

#[utoipa::path(
    get,
    path = "/v1/tables/{schema}/{table}/rows",
    tag = "tables",
    operation_id = "list_rows",
    summary = "Shows rows of a table, page by page",
    params(
        ("schema" = String, Path, description = "The agency's schema", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        ("table" = String, Path, description = "The table", pattern = "^[a-z][a-z0-9_]{0,62}$"),
        PageParams,
        RowsParams,
    ),
    responses(Rows<PageReply>, Usual, Store, Reading, Changed),
    extensions(("x-zh" = json!("分页查看数据")))
)]
pub(super) async fn page(
    Caller(principal): Caller,
    State(state): State<Shared>,
    Path((schema, table)): Path<(String, String)>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let limit = page_rows(&mut params, PAGE_ROWS, MAX_PAGE_ROWS)
        .map_err(|error| error.with_hint("ask /v1/query for more rows at once"))?;
    let (columns, token) = (params.list("columns"), params.text("page")?);
    params.finish()?;
    let name = TableName::try_new(&schema, &table).map_err(Error::from)?;
    let context = state.engine.query_as(principal);
    let select = select(&context.table(&name).await?, &columns)?;
    let page = Page::named(token.as_deref(), &select)?;
    let as_of = if token.is_some() { AsOf::Versions(page.versions.clone()) } else { AsOf::Now };
    let sql = format!("{select} OFFSET {}", page.offset);
    let result = context.sql(SqlRequest { as_of, max_rows: Some(limit), ..SqlRequest::new(sql) }).await?;
    let next = page.next(limit, &result.tables, &select);
    reply::rows(result, Map::from_iter([("next_page".to_owned(), json!(next))]), format).await
}

/// The statement without its offset: known columns only, each quoted, in an order that no two runs read differently.
fn select(table: &TableDetail, asked: &[String]) -> Result<String> {
    let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(unknown) = asked.iter().find(|name| !known.contains(&name.as_str())) {
        let suggestion = nearest(unknown, known.iter().copied());
        let suggestion = suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        let message = format!("`{}` has no column `{unknown}`{suggestion}", table.summary.name);
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(format!("columns: {}", known.join(", "))));
    }
    let shown = if asked.is_empty() { known.clone() } else { asked.iter().map(String::as_str).collect() };
    let order: Vec<&str> = match table.primary_key.is_empty() {
        true => known,
        false => table.primary_key.iter().map(String::as_str).collect(),
    };
    Ok(format!("SELECT {} FROM {} ORDER BY {}", quoted(&shown), table.summary.name, quoted(&order)))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted(&["a", "b\"c"]), "\"a\", \"b\"\"c\"");
    }
}
