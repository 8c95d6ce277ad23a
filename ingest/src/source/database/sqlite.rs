//! Rows of a SQLite file.
//!
//! A column holds values of any class there, whatever its declaration says: all of them come as text, each as its class
//! is written, and the contract reads them.

use rusqlite::types::{Value as Owned, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::error::DatabaseError;
use super::mark::{Mark, Place, Remembered};
use super::spool::{Column, RowWriter};
use super::statement::{Quotes, Stretch, label, relation};
use super::value::{Kind, Read, Value};
use super::{Rows, SpooledRows};
use crate::pipeline::{DatabaseRows, FileLocation, SqliteSource};
use crate::source::file::{locate, named};
use crate::source::{SourceContext, SourceError};

/// How long a writer of the file is waited for.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

/// Reads what `def` says, in one snapshot.
pub(super) fn read(context: &SourceContext, def: &SqliteSource) -> Result<Rows, SourceError> {
    let rows = def.rows();
    let label = label("sqlite", &def.path, &rows);
    let bad = |hint: &str| SourceError::BadSetting { key: "path", value: def.path.clone(), hint: hint.into() };
    let (entries, expanded_limit_gib) = (def.entries.as_deref(), def.expanded_limit_gib);
    let location = FileLocation { entries, expanded_limit_gib, ..FileLocation::of_path(&def.path) };
    let files = locate(context, &location)?;
    let [file] = &files[..] else { return Err(bad("name one file, and of an archive one entry as `entries`")) };
    // What is packed is read from a copy, which goes with `_copy`: the rows are spooled before this returns.
    let (path, _copy) = named(file)?;
    let failed = |error| explain(&label, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.execute_batch("BEGIN").map_err(failed)?;
    let relation = relation(&rows, Quotes::Double);
    Ok(Reading { rows, label: &label, connection: &connection, relation }.read(context.cursor.as_deref())?)
}

struct Reading<'a> {
    rows: DatabaseRows<'a>,
    label: &'a str,
    connection: &'a Connection,
    relation: String,
}

impl Reading<'_> {
    fn read(&self, before: Option<&str>) -> Result<Rows, DatabaseError> {
        let columns = self.columns()?;
        let Some(name) = self.rows.mark_column() else {
            return Ok(Rows::of(self.stream(&columns, None, &[], None)?, None, false, 0));
        };
        // A name in double quotes that no column has is a text for SQLite, and no error.
        let mut named = std::iter::once(name).chain(self.rows.key.iter().map(String::as_str));
        if let Some(missing) = named.find(|name| !columns.iter().any(|column| column == name)) {
            let message = format!("there is no column `{missing}`");
            return Err(DatabaseError::NotFound { rows: self.label.into(), message });
        }
        let quoted = Quotes::Double.name(name);
        let before = Mark::read(before, name, self.label)?;
        let begun = before.as_ref().map(|mark| self.value_of(mark)).transpose()?.flatten();
        let at = self.greatest(&quoted, begun.as_ref())?.or_else(|| begun.clone());
        let mut order = Vec::new();
        if self.rows.updated_at.is_some() {
            order.push(quoted.clone());
            order.extend(self.rows.key.iter().map(|name| Quotes::Double.name(name)));
        }
        let mut parameters = Vec::new();
        let less = |mark: &Owned, overlap: u32| {
            if matches!(mark, Owned::Text(_)) && overlap > 0 {
                return Err(self.no_mark(name, "its values are text, and nothing can be taken from them as `overlap`"));
            }
            parameters.push(mark.clone());
            let place = format!("?{}", parameters.len());
            Ok(if overlap == 0 { place } else { format!("({place} - {overlap})") })
        };
        let own_overlap = before.as_ref().map_or(0, |mark| mark.overlap);
        let begin = begun.as_ref().map(|value| (value, own_overlap));
        let stretch = Stretch::new(quoted.clone(), order, self.rows.overlap, begin, at.as_ref(), less)?;
        let remembered = Remembered::new(name, before.as_ref(), self.rows.cursor.is_some());
        let spooled = self.stream(&columns, Some(&stretch), &parameters, Some(remembered))?;
        let sql = format!("SELECT count(*) FROM {} AS q WHERE {quoted} IS NULL", self.relation);
        let count: i64 = self.connection.query_row(&sql, [], |row| row.get(0)).map_err(|error| self.explain(error))?;
        let (value, class) = match at {
            Some(Owned::Integer(value)) => (Some(value.to_string()), Some("integer")),
            Some(Owned::Real(value)) => (Some(value.to_string()), Some("real")),
            Some(Owned::Text(value)) => (Some(value), Some("text")),
            Some(Owned::Blob(_)) => return Err(self.no_mark(name, "it holds bytes")),
            _ => (None, None),
        };
        let mark = Mark {
            column: name.into(),
            value,
            class: class.map(str::to_owned),
            overlap: self.rows.overlap,
            ..Mark::default()
        };
        Ok(Rows::of(spooled, Some(mark), before.is_some(), count.unsigned_abs()))
    }

    fn explain(&self, error: rusqlite::Error) -> DatabaseError {
        explain(self.label, error)
    }

    fn no_mark(&self, column: &str, reason: &str) -> DatabaseError {
        DatabaseError::Cursor { rows: self.label.into(), column: column.into(), reason: reason.into() }
    }

    /// A mark as a value of its class.
    fn value_of(&self, mark: &Mark) -> Result<Option<Owned>, DatabaseError> {
        let Some(text) = &mark.value else { return Ok(None) };
        let value = match mark.class.as_deref() {
            Some("integer") => text.parse().ok().map(Owned::Integer),
            Some("real") => text.parse().ok().map(Owned::Real),
            Some("text") => Some(Owned::Text(text.clone())),
            _ => None,
        };
        let failed = || DatabaseError::Mark { rows: self.label.into(), reason: format!("`{text}` has no class") };
        value.map(Some).ok_or_else(failed)
    }

    /// The greatest value that is there and is not less than `begun`.
    fn greatest(&self, quoted: &str, begun: Option<&Owned>) -> Result<Option<Owned>, DatabaseError> {
        let mut sql = format!("SELECT max({quoted}) FROM {} AS q", self.relation);
        if begun.is_some() {
            sql.push_str(&format!(" WHERE {quoted} >= ?1"));
        }
        let value = self.connection.query_row(&sql, params_from_iter(begun), |row| row.get(0));
        Ok(match value.map_err(|error| self.explain(error))? {
            Owned::Null => None,
            value => Some(value),
        })
    }

    fn columns(&self) -> Result<Vec<String>, DatabaseError> {
        let sql = format!("SELECT * FROM {} AS q", self.relation);
        let statement = self.connection.prepare(&sql).map_err(|error| self.explain(error))?;
        Ok(statement.column_names().map(str::to_owned).collect())
    }

    /// Takes all rows.
    fn stream(
        &self,
        columns: &[String],
        stretch: Option<&Stretch>,
        parameters: &[Owned],
        remembered: Option<Remembered>,
    ) -> Result<(SpooledRows, Option<Remembered>), DatabaseError> {
        let expressions: Vec<String> = columns.iter().map(|name| Quotes::Double.name(name)).collect();
        let sql = Stretch::select(&expressions, &self.relation, stretch);
        let own = columns.iter().map(|name| Column { name: name.clone(), kind: Kind::Text }).collect();
        let mut writer = RowWriter::create(self.label, own, self.rows.batch_rows, remembered)?;
        let mut statement = self.connection.prepare(&sql).map_err(|error| self.explain(error))?;
        let mut rows = statement.query(params_from_iter(parameters)).map_err(|error| self.explain(error))?;
        while let Some(row) = rows.next().map_err(|error| self.explain(error))? {
            let mut values: Vec<Read<'_>> = Vec::with_capacity(columns.len());
            for index in 0..columns.len() {
                values.push(decode(row.get_ref(index).map_err(|error| self.explain(error))?));
            }
            let place = match stretch {
                Some(_) => Place::of(row.get::<_, i64>(columns.len()).map_err(|error| self.explain(error))?),
                None => Place::ANY,
            };
            writer.push(&values, place)?;
        }
        writer.finish()
    }
}

/// A value as its class is written: the contract says what it becomes.
fn decode(value: ValueRef<'_>) -> Read<'_> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Text(value.to_string().into())),
        ValueRef::Real(value) => Value::float(value).map(|_| Value::Text(value.to_string().into())),
        ValueRef::Text(bytes) => Value::text(bytes),
        ValueRef::Blob(bytes) => Value::bytes(bytes),
    }
}

/// What SQLite's errors mean for a load.
fn explain(label: &str, error: rusqlite::Error) -> DatabaseError {
    let (rows, message) = (label.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            DatabaseError::Busy { connection: rows, message }
        }
        Some(rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::CannotOpen) => {
            DatabaseError::Forbidden { rows, message }
        }
        _ if message.contains("no such table") || message.contains("no such column") => {
            DatabaseError::NotFound { rows, message }
        }
        _ => DatabaseError::Query { rows, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_their_class_is() {
        for (value, text) in [
            (ValueRef::Integer(i64::MIN), "-9223372036854775808"),
            (ValueRef::Real(0.1), "0.1"),
            (ValueRef::Real(1e300), &format!("1{}", "0".repeat(300))),
            (ValueRef::Text("长春".as_bytes()), "长春"),
            (ValueRef::Blob(&[0, 255]), "\\x00ff"),
        ] {
            assert_eq!(decode(value), Ok(Value::Text(text.into())));
        }
        assert_eq!(decode(ValueRef::Real(f64::INFINITY)).map_err(|refusal| refusal.reason), Err("NOT_FINITE"));
        assert_eq!(decode(ValueRef::Text(&[255])).map_err(|refusal| refusal.reason), Err("UNDECODABLE"));
    }
}
