//! Tables and queries of databases.
//!
//! All rows are read at once, in one read-only transaction that sees one snapshot, and kept in a temporary file while
//! they are hashed. So a source is opened when the database has been left again, and a load that finds nothing new
//! ends there. Memory holds a batch, whatever the number of rows.

mod error;
mod mark;
mod mysql;
mod postgres;
mod server;
mod spool;
mod sqlite;
mod statement;
mod tls;
mod value;

use arrow::datatypes::SchemaRef;
use xiangyun_engine::catalog::RunSource;

pub use error::DatabaseError;

use super::{Batches, Source, SourceContext, SourceError};
use crate::pipeline::{DatabaseRows, MysqlSource, PostgresSource, SqliteSource};
use mark::{Mark, Remembered};
use spool::SpooledRows;

/// Rows that a database gave.
#[derive(Debug)]
pub(super) struct Rows {
    spooled: SpooledRows,
    /// Where an incremental load ended.
    mark: Option<Mark>,
    /// Whether an earlier load left a mark.
    goes_on: bool,
    notes: Vec<String>,
}

impl Rows {
    pub(super) fn of_postgres(context: &SourceContext, def: &PostgresSource) -> Result<Self, SourceError> {
        context.runtime.block_on(postgres::read(context, def))
    }

    pub(super) fn of_mysql(context: &SourceContext, def: &MysqlSource) -> Result<Self, SourceError> {
        context.runtime.block_on(mysql::read(context, def))
    }

    pub(super) fn of_sqlite(context: &SourceContext, def: &SqliteSource) -> Result<Self, SourceError> {
        sqlite::read(context, def)
    }

    /// The rows of a reading that has ended at `mark`, where it has one.
    fn of(
        (spooled, remembered): (SpooledRows, Option<Remembered>),
        mark: Option<Mark>,
        goes_on: bool,
        without_value: u64,
    ) -> Self {
        let mut notes = Vec::new();
        if let Some(mark) = mark.as_ref().filter(|_| without_value > 0) {
            notes.push(format!("{without_value} rows have no `{}` and are left out", mark.column));
        }
        if let Some(left_out) = remembered.as_ref().map(Remembered::left_out).filter(|count| *count > 0) {
            notes.push(format!("{left_out} rows at the mark of the last load are known and left out"));
        }
        let load = remembered.as_ref().and_then(Remembered::follows).unwrap_or_default() + 1;
        let rows = remembered.map(Remembered::into_rows).unwrap_or_default();
        let mark = mark.map(|mark| Mark { load, rows, ..mark });
        Self { spooled, mark, goes_on, notes }
    }
}

impl Source for Rows {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.spooled.schema)
    }

    fn files(&self) -> &[RunSource] {
        std::slice::from_ref(&self.spooled.record)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        self.spooled.batches()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn cursor(&self) -> Option<String> {
        self.mark.as_ref().map(Mark::text)
    }

    /// A table without rows is read as what it is; only where an earlier load left a mark, nothing is new.
    fn is_empty(&self) -> bool {
        self.goes_on && self.spooled.rows == 0
    }
}

/// Checks what a source says about its rows, without a database.
pub(super) fn check_settings(rows: &DatabaseRows<'_>) -> Result<(), SourceError> {
    let bad = |key, value: &str, hint: &str| {
        Err(SourceError::BadSetting { key, value: value.to_owned(), hint: hint.to_owned() })
    };
    match (rows.table, rows.query) {
        (Some(table), None) if table.split('.').any(str::is_empty) => {
            return bad("table", table, "write `table` or `schema.table`; other names go into `query`");
        }
        (Some(_), None) => {}
        (None, Some(query)) if !query.trim().trim_end_matches(';').is_empty() => {}
        (None, Some(query)) => return bad("query", query, "write one SELECT"),
        (Some(table), Some(_)) => return bad("table", table, "say `table` or `query`, not both"),
        (None, None) => return bad("table", "", "say `table` or `query`"),
    }
    match (rows.cursor, rows.updated_at) {
        (Some(cursor), Some(_)) => return bad("cursor", cursor, "say `cursor` or `updated_at`, not both"),
        (None, Some(column)) if rows.key.is_empty() => {
            return bad("updated_at", column, "say by `key` which columns tell rows apart");
        }
        (_, None) if !rows.key.is_empty() => {
            return bad("key", &rows.key.join(", "), "it belongs to `updated_at`, which says when a row changed");
        }
        (None, None) if rows.overlap > 0 => {
            return bad("overlap", &rows.overlap.to_string(), "it belongs to `cursor` or `updated_at`");
        }
        _ => {}
    }
    if !(1..=65_536).contains(&rows.batch_rows) {
        return bad("batch_rows", &rows.batch_rows.to_string(), "use a number from 1 to 65536");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
