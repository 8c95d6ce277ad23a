//! The SQL that a source's rows are asked for with. Comparisons with the mark are the server's business, whose own
//! type the column has.

use super::error::DatabaseError;
use crate::pipeline::DatabaseRows;

/// How a database writes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// `"name"`.
    Double,
    /// `` `name` ``.
    Back,
}

impl Quotes {
    pub(super) fn name(self, name: &str) -> String {
        let quote = match self {
            Self::Double => '"',
            Self::Back => '`',
        };
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }
}

/// The table, or the query in brackets, as what rows are selected from.
pub(super) fn relation(rows: &DatabaseRows<'_>, quotes: Quotes) -> String {
    match (rows.table, rows.query) {
        (Some(table), _) => table.split('.').map(|part| quotes.name(part)).collect::<Vec<_>>().join("."),
        (None, query) => {
            // The line end keeps a comment at the query's end from swallowing the bracket.
            format!("({}\n)", query.unwrap_or_default().trim().trim_end_matches(';'))
        }
    }
}

/// What the rows are called in records and messages: `postgres:hr/public.staff`.
pub(super) fn label(kind: &str, place: &str, rows: &DatabaseRows<'_>) -> String {
    format!("{kind}:{place}/{}", rows.table.unwrap_or("query"))
}

/// The rows that a load reads, of those that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The column with the mark, quoted.
    pub(super) column: String,
    /// The mark less the overlap at which the load begins, as an expression; none for the first load.
    pub(super) from: Option<String>,
    /// The mark less the overlap of its own time: before it nothing is remembered. Only where that is behind `from`.
    pub(super) covered: Option<String>,
    /// The mark less the overlap at which the next load will begin, as an expression.
    pub(super) next: Option<String>,
    /// Quoted columns by which the rows are ordered.
    pub(super) order: Vec<String>,
}

impl Stretch {
    /// The stretch from the mark `before`, which came with an overlap of its own, to the mark `at`. `less` writes a mark
    /// less an overlap.
    pub(super) fn new<M>(
        column: String,
        order: Vec<String>,
        overlap: u32,
        before: Option<(&M, u32)>,
        at: Option<&M>,
        mut less: impl FnMut(&M, u32) -> Result<String, DatabaseError>,
    ) -> Result<Self, DatabaseError> {
        let from = before.map(|(mark, _)| less(mark, overlap)).transpose()?;
        let covered = before.filter(|(_, own)| *own < overlap).map(|(mark, own)| less(mark, own)).transpose()?;
        let next = at.map(|mark| less(mark, overlap)).transpose()?;
        Ok(Self { column, from, covered, next, order })
    }

    /// The statement that gives `columns` (expressions), and as its last column where a row lies, as
    /// [`Place::of`](super::mark::Place::of) reads it.
    pub(super) fn select(columns: &[String], relation: &str, stretch: Option<&Self>) -> String {
        let columns = columns.join(", ");
        let Some(stretch) = stretch else { return format!("SELECT {columns} FROM {relation} AS q") };
        let Self { column, from, covered, next, order } = stretch;
        let mut flags = match next {
            Some(next) => format!("CASE WHEN {column} >= {next} THEN 1 ELSE 0 END"),
            None => "0".to_owned(),
        };
        if let Some(covered) = covered {
            flags.push_str(&format!(" + CASE WHEN {column} < {covered} THEN 2 ELSE 0 END"));
        }
        let mut sql = format!("SELECT {columns}, {flags} FROM {relation} AS q WHERE {column} IS NOT NULL");
        if let Some(from) = from {
            sql.push_str(&format!(" AND {column} >= {from}"));
        }
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        sql
    }
}

/// A mark as it may stand in a statement: what numbers and times are written with, and nothing else.
pub(super) fn check_mark(mark: &str, column: &str, rows: &str) -> Result<(), DatabaseError> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"-+:. ".contains(&byte);
    if !mark.is_empty() && mark.bytes().all(plain) {
        return Ok(());
    }
    let reason = format!("`{mark}` cannot be a mark");
    Err(DatabaseError::Cursor { rows: rows.into(), column: column.into(), reason })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn rows<'a>(table: Option<&'a str>, query: Option<&'a str>) -> DatabaseRows<'a> {
        DatabaseRows { table, query, cursor: None, updated_at: None, key: &[], overlap: 0, batch_rows: 1 }
    }

    #[test]
    fn names_cannot_end_their_quotes() {
        assert_eq!(relation(&rows(Some("hr.a\"b"), None), Quotes::Double), r#""hr"."a""b""#);
        assert_eq!(relation(&rows(Some("a`b"), None), Quotes::Back), "`a``b`");
        assert_eq!(relation(&rows(None, Some("select 1 -- one;")), Quotes::Back), "(select 1 -- one\n)");
        assert_eq!(label("mysql", "hr", &rows(None, Some("select 1"))), "mysql:hr/query");
    }

    #[test]
    fn a_stretch_begins_at_its_mark() {
        let column = "\"id\"".to_owned();
        let (from, next) = (Some("CAST('5' AS bigint)".into()), Some("CAST('9' AS bigint)".into()));
        let order = vec![column.clone()];
        let mut stretch = Stretch { column: column.clone(), from, next, order, ..Stretch::default() };
        assert_eq!(
            Stretch::select(std::slice::from_ref(&column), "\"t\"", Some(&stretch)),
            "SELECT \"id\", CASE WHEN \"id\" >= CAST('9' AS bigint) THEN 1 ELSE 0 END FROM \"t\" AS q \
             WHERE \"id\" IS NOT NULL AND \"id\" >= CAST('5' AS bigint) ORDER BY \"id\""
        );
        stretch = Stretch { column: column.clone(), covered: Some("7".into()), ..Stretch::default() };
        assert_eq!(
            Stretch::select(&[column], "\"t\"", Some(&stretch)),
            "SELECT \"id\", 0 + CASE WHEN \"id\" < 7 THEN 2 ELSE 0 END FROM \"t\" AS q WHERE \"id\" IS NOT NULL"
        );
        assert!(check_mark("2019-03-26 10:00:00.5+00", "c", "r").is_ok());
        for bad in ["", "1' OR 'a", "infinity"] {
            assert!(check_mark(bad, "c", "r").is_err(), "{bad}");
        }
    }
}
