//! Rows of a MySQL or MariaDB server.
//!
//! They come unbuffered in the binary format: one packet is read from the network for one row that was asked for.

mod decode;
mod explain;

use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};

use self::decode::{Decoder, kind_of};
use self::explain::Explain;
use super::Rows;
use super::error::DatabaseError;
use super::mark::{Mark, Place, Remembered};
use super::server::{CONNECT_TIMEOUT, KEEPALIVE, Server, patiently};
use super::spool::{Column, RowWriter, SpooledRows};
use super::statement::{Quotes, Stretch, check_mark, label, relation};
use super::value::Read;
use crate::pipeline::{DatabaseRows, MysqlSource, ZeroDates};
use crate::source::{SourceContext, SourceError};

/// What a connection is told first. Times of the type TIMESTAMP then come in UTC, and texts in UTF-8 whatever the
/// encoding of their column.
const SESSION: [&str; 3] = [
    "SET time_zone = '+00:00', NAMES utf8mb4",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];

/// Reads what `def` says, in one snapshot.
pub(super) async fn read(context: &SourceContext, def: &MysqlSource) -> Result<Rows, SourceError> {
    let server = Server::of(context, &def.connection, "mysql", 3306)?;
    let rows = def.rows();
    let label = label("mysql", &def.connection, &rows);
    let explain = Explain { server: &server, label: &label };
    patiently(|| async {
        let mut connection = connect(&explain).await?;
        let zero_dates = def.zero_dates;
        let reading = Reading { rows, explain, relation: relation(&rows, Quotes::Back), zero_dates };
        let read = reading.read(&mut connection, context.cursor.as_deref()).await;
        // A connection that cannot say good-bye has said all that was asked of it.
        let _ = connection.disconnect().await;
        read
    })
    .await
}

async fn connect(explain: &Explain<'_>) -> Result<Conn, DatabaseError> {
    let Server { host, port, database, user, secret, trusted, .. } = explain.server;
    let mut options = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(*port)
        .user((!user.is_empty()).then_some(user))
        .pass(secret.as_ref().map(|secret| secret.expose()))
        .db_name((!database.is_empty()).then_some(database))
        // Never past the declared encryption through a socket of this machine.
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE));
    if let Some(trusted) = trusted {
        let roots = trusted.iter().map(|certificate| certificate.as_ref().to_vec().into()).collect();
        options = options.ssl_opts(SslOpts::default().with_disable_built_in_roots(true).with_root_certs(roots));
    }
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, Conn::new(options)).await;
    let connected = connected.map_err(|elapsed| explain.silent(elapsed))?;
    connected.map_err(|error| explain.connecting(error))
}

struct Reading<'a> {
    rows: DatabaseRows<'a>,
    explain: Explain<'a>,
    relation: String,
    zero_dates: ZeroDates,
}

/// The column with the mark, as the server compares it.
struct MarkColumn<'a> {
    name: &'a str,
    quoted: String,
    /// The type by which a mark becomes a value.
    cast: &'static str,
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
    async fn read(&self, connection: &mut Conn, before: Option<&str>) -> Result<Rows, DatabaseError> {
        for statement in SESSION {
            connection.query_drop(statement).await.map_err(|error| self.explain.reading(error, 0))?;
        }
        let columns = self.columns(connection).await?;
        let Some(name) = self.rows.mark_column() else {
            let spooled = self.stream(connection, &columns, None, None).await?;
            return Ok(Rows::of(spooled, None, false, 0));
        };
        let column = self.mark_column(name, &columns)?;
        let before = Mark::read(before, name, self.explain.label)?;
        let at = self.greatest(connection, &column, before.as_ref()).await?;
        let mut order = Vec::new();
        if self.rows.updated_at.is_some() {
            order.push(column.quoted.clone());
            order.extend(self.rows.key.iter().map(|name| Quotes::Back.name(name)));
        }
        let (quoted, begin) = (column.quoted.clone(), before.as_ref().and_then(Mark::begin));
        let less = |mark: &String, overlap| Ok(column.less(mark, overlap));
        let stretch = Stretch::new(quoted, order, self.rows.overlap, begin, at.as_ref(), less)?;
        let remembered = Remembered::new(name, before.as_ref(), self.rows.cursor.is_some());
        let spooled = self.stream(connection, &columns, Some(&stretch), Some(remembered)).await?;
        let sql = format!("SELECT COUNT(*) FROM {} AS q WHERE {} IS NULL", self.relation, column.quoted);
        let count: Option<u64> = self.first(connection, &sql).await?;
        let mark = Mark { column: name.into(), value: at, overlap: self.rows.overlap, ..Mark::default() };
        Ok(Rows::of(spooled, Some(mark), before.is_some(), count.unwrap_or_default()))
    }

    async fn columns(&self, connection: &mut Conn) -> Result<Vec<mysql_async::Column>, DatabaseError> {
        let sql = format!("SELECT * FROM {} AS q", self.relation);
        let statement = connection.prep(sql).await.map_err(|error| self.explain.reading(error, 0))?;
        let columns = statement.columns().to_vec();
        connection.close(statement).await.map_err(|error| self.explain.reading(error, 0))?;
        Ok(columns)
    }

    fn mark_column<'c>(&self, name: &'c str, columns: &[mysql_async::Column]) -> Result<MarkColumn<'c>, DatabaseError> {
        let rows = || self.explain.label.to_owned();
        let Some(found) = columns.iter().find(|column| column.name_str().eq_ignore_ascii_case(name)) else {
            return Err(DatabaseError::NotFound { rows: rows(), message: format!("there is no column `{name}`") });
        };
        let (cast, minus) = match found.column_type() {
            // Below zero an unsigned number would be an error.
            ColumnType::MYSQL_TYPE_LONGLONG if found.flags().contains(ColumnFlags::UNSIGNED_FLAG) => {
                ("DECIMAL(20,0)", (" - ", ""))
            }
            ColumnType::MYSQL_TYPE_TINY
            | ColumnType::MYSQL_TYPE_SHORT
            | ColumnType::MYSQL_TYPE_INT24
            | ColumnType::MYSQL_TYPE_LONG
            | ColumnType::MYSQL_TYPE_LONGLONG
            | ColumnType::MYSQL_TYPE_YEAR => ("SIGNED", (" - ", "")),
            ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => ("DECIMAL(65,30)", (" - ", "")),
            ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => ("DATE", (" - INTERVAL ", " DAY")),
            ColumnType::MYSQL_TYPE_DATETIME | ColumnType::MYSQL_TYPE_TIMESTAMP => {
                ("DATETIME(6)", (" - INTERVAL ", " SECOND"))
            }
            _ => {
                let reason = "it is neither a whole number, a decimal, a date nor a time".into();
                return Err(DatabaseError::Cursor { rows: rows(), column: name.into(), reason });
            }
        };
        Ok(MarkColumn { name, quoted: Quotes::Back.name(name), cast, minus })
    }

    /// The mark at which this load ends: the greatest value that is there, or the last mark where none is greater.
    async fn greatest(
        &self,
        connection: &mut Conn,
        column: &MarkColumn<'_>,
        before: Option<&Mark>,
    ) -> Result<Option<String>, DatabaseError> {
        let before = before.and_then(|mark| mark.value.as_deref());
        let MarkColumn { name, quoted, cast, .. } = column;
        let mut sql = format!("SELECT CAST(MAX({quoted}) AS CHAR) FROM {} AS q", self.relation);
        if let Some(before) = before {
            check_mark(before, name, self.explain.label)?;
            sql.push_str(&format!(" WHERE {quoted} >= CAST('{before}' AS {cast})"));
        }
        let greatest: Option<Option<String>> = self.first(connection, &sql).await?;
        // Where all dates are zero there is no mark yet.
        let greatest = greatest.flatten().filter(|mark| !mark.starts_with("0000-00-00"));
        greatest.iter().try_for_each(|mark| check_mark(mark, name, self.explain.label))?;
        Ok(greatest.or_else(|| before.map(str::to_owned)))
    }

    async fn first<T>(&self, connection: &mut Conn, sql: &str) -> Result<Option<T>, DatabaseError>
    where
        T: mysql_async::prelude::FromRow + Send + 'static,
    {
        connection.query_first(sql).await.map_err(|error| self.explain.reading(error, 0))
    }

    /// Takes all rows.
    async fn stream(
        &self,
        connection: &mut Conn,
        columns: &[mysql_async::Column],
        stretch: Option<&Stretch>,
        remembered: Option<Remembered>,
    ) -> Result<(SpooledRows, Option<Remembered>), DatabaseError> {
        let expressions: Vec<String> = columns.iter().map(|column| Quotes::Back.name(&column.name_str())).collect();
        let sql = Stretch::select(&expressions, &self.relation, stretch);
        let own = |column: &mysql_async::Column| Column { name: column.name_str().into(), kind: kind_of(column) };
        let own: Vec<Column> = columns.iter().map(own).collect();
        let decoders: Vec<Decoder> =
            columns.iter().zip(&own).map(|(column, own)| Decoder::of(column, own.kind, self.zero_dates)).collect();
        let mut writer = RowWriter::create(self.explain.label, own, self.rows.batch_rows, remembered)?;
        let mut result = connection.exec_iter(sql, ()).await.map_err(|error| self.explain.reading(error, 0))?;
        while let Some(row) = result.next().await.map_err(|error| self.explain.reading(error, writer.rows()))? {
            let cells = row.unwrap();
            let values: Vec<Read<'_>> =
                decoders.iter().zip(&cells).map(|(decoder, cell)| decoder.decode(cell)).collect();
            let place = match cells.get(decoders.len()) {
                Some(mysql_async::Value::Int(flags)) => Place::of(*flags),
                Some(mysql_async::Value::UInt(flags)) => Place::of(flags.cast_signed()),
                _ => Place::ANY,
            };
            writer.push(&values, place)?;
        }
        writer.finish()
    }
}
