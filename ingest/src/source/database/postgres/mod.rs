//! Rows of a PostgreSQL server.
//!
//! They come as one stream in the binary format: the driver asks the network for more only when a row was taken.

mod decode;
mod explain;

use futures::TryStreamExt;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, IsolationLevel, NoTls, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::decode::{Raw, kind_of};
use self::explain::Explain;
use super::error::DatabaseError;
use super::mark::{Mark, Place, Remembered};
use super::server::{self, CONNECT_TIMEOUT, KEEPALIVE, Server, patiently};
use super::spool::{Column, RowWriter};
use super::statement::{Quotes, Stretch, check_mark, label, relation};
use super::value::{Kind, Read, Value};
use super::{Rows, tls};
use crate::pipeline::{DatabaseRows, PostgresSource};
use crate::source::{SourceContext, SourceError};

/// Reads what `def` says, in one snapshot.
pub(super) async fn read(context: &SourceContext, def: &PostgresSource) -> Result<Rows, SourceError> {
    let server = Server::of(context, &def.connection, "postgresql", 5432)?;
    let rows = def.rows();
    let label = label("postgres", &def.connection, &rows);
    let explain = Explain { server: &server, label: &label };
    patiently(|| async {
        let client = connect(&explain).await?;
        Reading { rows, explain, relation: relation(&rows, Quotes::Double) }
            .read(client, context.cursor.as_deref())
            .await
    })
    .await
}

/// Logs in. What drives the connection ends with the client.
async fn connect(explain: &Explain<'_>) -> Result<Client, DatabaseError> {
    let Server { host, port, database, user, secret, trusted, .. } = explain.server;
    let mut config = Config::new();
    config.host(host).port(*port).user(user).application_name("xiangyun");
    config.connect_timeout(CONNECT_TIMEOUT).keepalives_idle(KEEPALIVE);
    config.ssl_mode(if trusted.is_some() { SslMode::Require } else { SslMode::Disable });
    if !database.is_empty() {
        config.dbname(database);
    }
    if let Some(secret) = secret {
        config.password(secret.expose());
    }
    match trusted {
        Some(trusted) => {
            let connector = MakeRustlsConnect::new(tls::client(trusted.clone()));
            let (client, connection) = config.connect(connector).await.map_err(|error| explain.connecting(error))?;
            server::drive(connection);
            Ok(client)
        }
        None => {
            let (client, connection) = config.connect(NoTls).await.map_err(|error| explain.connecting(error))?;
            server::drive(connection);
            Ok(client)
        }
    }
}

struct Reading<'a> {
    rows: DatabaseRows<'a>,
    explain: Explain<'a>,
    relation: String,
}

/// The column with the mark, as the server compares it.
struct MarkColumn<'a> {
    name: &'a str,
    quoted: String,
    /// The type by which a mark becomes a value.
    cast: &'static str,
    /// What leaves out the values that are no marks.
    finite: &'static str,
    /// What stands before and behind the number that is taken from a mark.
    minus: (&'static str, &'static str),
}

impl MarkColumn<'_> {
    /// A mark less `overlap`.
    fn less(&self, mark: &str, overlap: u32) -> String {
        let (before, behind) = self.minus;
        format!("(CAST('{mark}' AS {}){before}{overlap}{behind})", self.cast)
    }
}

impl Reading<'_> {
    async fn read(&self, mut client: Client, before: Option<&str>) -> Result<Rows, DatabaseError> {
        let explain = |error| self.explain.reading(error, 0);
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let transaction = transaction.start().await.map_err(explain)?;
        let session = "SET LOCAL TIME ZONE 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL extra_float_digits = 1";
        transaction.batch_execute(session).await.map_err(explain)?;
        let columns = self.columns(&transaction).await?;
        let Some(name) = self.rows.mark_column() else {
            let spooled = self.stream(&transaction, &columns, None, None).await?;
            return Ok(Rows::of(spooled, None, false, 0));
        };
        let column = self.mark_column(name, &columns)?;
        let before = Mark::read(before, name, self.explain.label)?;
        let at = self.greatest(&transaction, &column, before.as_ref()).await?;
        let mut order = Vec::new();
        if self.rows.updated_at.is_some() {
            order.push(column.quoted.clone());
            order.extend(self.rows.key.iter().map(|name| Quotes::Double.name(name)));
        }
        let (quoted, begin) = (column.quoted.clone(), before.as_ref().and_then(Mark::begin));
        let less = |mark: &String, overlap| Ok(column.less(mark, overlap));
        let stretch = Stretch::new(quoted, order, self.rows.overlap, begin, at.as_ref(), less)?;
        let remembered = Remembered::new(name, before.as_ref(), self.rows.cursor.is_some());
        let spooled = self.stream(&transaction, &columns, Some(&stretch), Some(remembered)).await?;
        let without_value = self.without_value(&transaction, &column).await?;
        let mark = Mark { column: name.into(), value: at, overlap: self.rows.overlap, ..Mark::default() };
        Ok(Rows::of(spooled, Some(mark), before.is_some(), without_value))
    }

    /// The columns with the expressions that give them, and the types that come.
    async fn columns(&self, transaction: &Transaction<'_>) -> Result<Vec<(Column, String, Type)>, DatabaseError> {
        let sql = format!("SELECT * FROM {} AS q", self.relation);
        let statement = transaction.prepare(&sql).await.map_err(|error| self.explain.reading(error, 0))?;
        let column = |column: &tokio_postgres::Column| {
            let (kind, is_raw) = kind_of(column.type_(), column.type_modifier());
            let name = Quotes::Double.name(column.name());
            let expression = if is_raw { name } else { format!("CAST({name} AS text)") };
            let found = if is_raw { column.type_().clone() } else { Type::TEXT };
            (Column { name: column.name().into(), kind }, expression, found)
        };
        let columns: Vec<_> = statement.columns().iter().map(column).collect();
        if let Some(at) =
            (1..columns.len()).find(|&at| columns[..at].iter().any(|one| one.0.name == columns[at].0.name))
        {
            let (rows, column) = (self.explain.label.into(), columns[at].0.name.clone());
            return Err(DatabaseError::SameName { rows, column });
        }
        Ok(columns)
    }

    fn mark_column<'c>(
        &self,
        name: &'c str,
        columns: &[(Column, String, Type)],
    ) -> Result<MarkColumn<'c>, DatabaseError> {
        let rows = || self.explain.label.to_owned();
        let Some((_, _, found)) = columns.iter().find(|(column, ..)| column.name == name) else {
            return Err(DatabaseError::NotFound { rows: rows(), message: format!("there is no column `{name}`") });
        };
        let (cast, finite, minus) = match *found {
            Type::INT2 | Type::INT4 | Type::INT8 => ("bigint", "TRUE", (" - ", "")),
            Type::NUMERIC => ("numeric", "q <> 'NaN'", (" - ", "")),
            Type::DATE => ("date", "isfinite(q)", (" - ", "")),
            Type::TIMESTAMP => ("timestamp", "isfinite(q)", (" - interval '", " seconds'")),
            Type::TIMESTAMPTZ => ("timestamptz", "isfinite(q)", (" - interval '", " seconds'")),
            _ => {
                let reason = format!("it is {found}");
                return Err(DatabaseError::Cursor { rows: rows(), column: name.into(), reason });
            }
        };
        Ok(MarkColumn { name, quoted: Quotes::Double.name(name), cast, finite, minus })
    }

    /// The mark at which this load ends: the greatest value that is there, or the last mark where none is greater.
    async fn greatest(
        &self,
        transaction: &Transaction<'_>,
        column: &MarkColumn<'_>,
        before: Option<&Mark>,
    ) -> Result<Option<String>, DatabaseError> {
        let before = before.and_then(|mark| mark.value.as_deref());
        let MarkColumn { name, quoted, cast, .. } = column;
        let mut sql = format!("SELECT CAST(max({quoted}) AS text) FROM {} AS q WHERE ", self.relation);
        sql.push_str(&column.finite.replace('q', quoted));
        if let Some(before) = before {
            check_mark(before, name, self.explain.label)?;
            sql.push_str(&format!(" AND {quoted} >= CAST('{before}' AS {cast})"));
        }
        let row = transaction.query_one(&sql, &[]).await.map_err(|error| self.explain.reading(error, 0))?;
        let greatest: Option<String> = row.try_get(0).map_err(|error| self.explain.reading(error, 0))?;
        greatest.iter().try_for_each(|mark| check_mark(mark, name, self.explain.label))?;
        Ok(greatest.or_else(|| before.map(str::to_owned)))
    }

    async fn without_value(
        &self,
        transaction: &Transaction<'_>,
        column: &MarkColumn<'_>,
    ) -> Result<u64, DatabaseError> {
        let sql = format!("SELECT count(*) FROM {} AS q WHERE {} IS NULL", self.relation, column.quoted);
        let row = transaction.query_one(&sql, &[]).await.map_err(|error| self.explain.reading(error, 0))?;
        let count: i64 = row.try_get(0).map_err(|error| self.explain.reading(error, 0))?;
        Ok(count.unsigned_abs())
    }

    /// Takes all rows.
    async fn stream(
        &self,
        transaction: &Transaction<'_>,
        columns: &[(Column, String, Type)],
        stretch: Option<&Stretch>,
        remembered: Option<Remembered>,
    ) -> Result<(super::SpooledRows, Option<Remembered>), DatabaseError> {
        let expressions: Vec<String> = columns.iter().map(|(_, expression, _)| expression.clone()).collect();
        let sql = Stretch::select(&expressions, &self.relation, stretch);
        let own: Vec<Column> = columns.iter().map(|(column, ..)| column.clone()).collect();
        let kinds: Vec<(Kind, &Type)> = columns.iter().map(|(column, _, found)| (column.kind, found)).collect();
        let mut writer = RowWriter::create(self.explain.label, own, self.rows.batch_rows, remembered)?;
        let parameters: [&str; 0] = [];
        let stream = transaction.query_raw(&sql, parameters).await.map_err(|error| self.explain.reading(error, 0))?;
        let mut stream = std::pin::pin!(stream);
        while let Some(row) = stream.try_next().await.map_err(|error| self.explain.reading(error, writer.rows()))? {
            let failed = |error| self.explain.reading(error, writer.rows());
            let mut values: Vec<Read<'_>> = Vec::with_capacity(kinds.len());
            for (index, (kind, found)) in kinds.iter().enumerate() {
                let raw: Option<Raw<'_>> = row.try_get(index).map_err(failed)?;
                values.push(raw.map_or(Ok(Value::Null), |raw| raw.decode(found, *kind)));
            }
            let place = match stretch {
                Some(_) => Place::of(row.try_get::<_, i32>(kinds.len()).map_err(failed)?.into()),
                None => Place::ANY,
            };
            writer.push(&values, place)?;
        }
        writer.finish()
    }
}
