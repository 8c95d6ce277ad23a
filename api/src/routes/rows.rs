//! `/v1/tables/{schema}/{table}/rows`: rows of one table, page by page.
//!
//! A page token is bound to the table versions, the columns and the order. A later page of a table that has changed is
//! refused rather than answered with rows that were shown before or never will be.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, json};
use xiangyun_engine::catalog::{TableDetail, TableName};
use xiangyun_engine::project::nearest;
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Error, ErrorKind, Result};

use super::page_token::PageToken;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

/// Rows of a page, where the caller does not say.
const PAGE_ROWS: usize = 100;
/// Rows that a caller may ask for; more are a query.
const MAX_PAGE_ROWS: usize = 10_000;

pub(super) async fn page(
    Caller(principal): Caller,
    State(state): State<AppState>,
    Path((schema, table)): Path<(String, String)>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = ReplyFormat::choose(&mut params, &headers)?;
    let limit = page_rows(&mut params)?;
    let (columns, token) = (params.list("columns"), params.text("page")?);
    params.finish()?;
    let name = TableName::try_new(&schema, &table).map_err(Error::from)?;
    let context = state.engine.query_as(principal);
    let offset = token.as_deref().map_or(Ok(0), PageToken::offset)?;
    let select = select(&context.table(&name).await?, &columns)?;
    let sql = format!("{select} OFFSET {offset}");
    let result = context.sql(SqlRequest { max_rows: Some(limit), ..SqlRequest::new(sql) }).await?;
    let binding = PageToken::binding(&select, &reply::table_versions(&result));
    token.map_or(Ok(()), |token| PageToken::check(&token, &binding))?;
    let next = PageToken::encode(offset.saturating_add(limit as u64), &binding);
    reply::rows(result, Map::from_iter([("next_page".to_owned(), json!(next))]), format).await
}

fn page_rows(params: &mut Params) -> Result<usize> {
    let limit = params.parsed("limit", "a whole number")?.unwrap_or(PAGE_ROWS);
    if (1..=MAX_PAGE_ROWS).contains(&limit) {
        return Ok(limit);
    }
    let message = format!("parameter `limit` is {limit}, and should be from 1 to {MAX_PAGE_ROWS}");
    Err(Error::new(ErrorKind::InvalidInput, message).with_hint("ask /v1/query for more rows at once"))
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
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted(&["a", "b\"c"]), "\"a\", \"b\"\"c\"");
    }
}
