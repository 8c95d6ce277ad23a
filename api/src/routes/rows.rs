//! `/v1/tables/{schema}/{table}/rows`: rows of one table, page by page.
//!
//! A page token names the versions that the first page was read from: all pages are of one state.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::{TableDetail, TableName};
use xiangyun_engine::project::nearest;
use xiangyun_engine::query::{AsOf, SqlRequest, TableVersion};
use xiangyun_engine::{Error, ErrorKind, Result};

use super::page::page_rows;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::openapi::{Changed, PageParams, PageReply, Reading, Rows, RowsParams, Store, Usual};
use crate::params::Params;
use crate::reply::{self, ReplyFormat};
use crate::state::AppState;

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
    State(state): State<AppState>,
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
    let (offset, as_of) = match &token {
        Some(token) => SnapshotToken::decode(token, &select)?,
        None => (0, AsOf::Now),
    };
    let sql = format!("{select} OFFSET {offset}");
    let result = context.sql(SqlRequest { as_of, max_rows: Some(limit), ..SqlRequest::new(sql) }).await?;
    let next = SnapshotToken::encode(offset.saturating_add(limit as u64), &result.tables, &select);
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

/// `<offset>.<versions>.<binding>`, in hexadecimal: opaque to callers. It names the versions of the tables that the first
/// page was read from, in the order of their names, so that all pages are of one state however many commits are made
/// meanwhile; and it is bound to the question.
struct SnapshotToken;

impl SnapshotToken {
    fn encode(offset: u64, tables: &[TableVersion], select: &str) -> String {
        let versions: Vec<_> = tables.iter().map(|table| format!("{}@{}", table.name, table.version)).collect();
        let versions: String = versions.join(",").bytes().map(|byte| format!("{byte:02x}")).collect();
        let binding = Self::binding(offset, &versions, select);
        format!("{offset:x}.{versions}.{binding}")
    }

    fn binding(offset: u64, versions: &str, select: &str) -> String {
        let digest = Sha256::digest(format!("{offset}\n{versions}\n{select}"));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where the page begins, and of which versions.
    fn decode(token: &str, select: &str) -> Result<(u64, AsOf)> {
        let malformed = || {
            Error::new(ErrorKind::InvalidInput, "parameter `page` is not a page token")
                .with_hint("take it from `next_page` of the page before")
        };
        let parts: Vec<&str> = token.split('.').collect();
        let [offset, versions, binding] = parts.as_slice() else { return Err(malformed()) };
        let start = u64::from_str_radix(offset, 16).map_err(|_| malformed())?;
        if Self::binding(start, versions, select) != *binding {
            return Err(Error::new(ErrorKind::Conflict, "the page token is of another question")
                .with_hint("start again without `page`"));
        }
        let digits = versions
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        let named = String::from_utf8(digits.collect::<Option<Vec<u8>>>().ok_or_else(malformed)?);
        let named = named.map_err(|_| malformed())?;
        let versions = named.split(',').filter(|named| !named.is_empty()).map(|named| {
            let (name, version) = named.split_once('@')?;
            Some((name.parse::<TableName>().ok()?, version.parse::<u64>().ok()?))
        });
        let versions = versions.collect::<Option<BTreeMap<_, _>>>().ok_or_else(malformed)?;
        Ok((start, AsOf::Versions(versions)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_page_holds_its_offset_and_versions_and_is_bound_to_the_question() {
        let table = TableVersion { name: "a.b".parse().unwrap(), version: 7, committed_at: None };
        let token = SnapshotToken::encode(300, std::slice::from_ref(&table), "SELECT 1");
        let versions = AsOf::Versions(BTreeMap::from([(table.name, 7)]));
        assert_eq!(SnapshotToken::decode(&token, "SELECT 1").unwrap(), (300, versions));
        assert_eq!(SnapshotToken::decode(&token, "SELECT 2").unwrap_err().kind(), ErrorKind::Conflict);
        for bad in ["", "x.y", "12", "-1.aa.bb", "1.2.3.4"] {
            assert_eq!(SnapshotToken::decode(bad, "SELECT 1").unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted(&["a", "b\"c"]), "\"a\", \"b\"\"c\"");
    }
}
