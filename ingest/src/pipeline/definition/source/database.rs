//! `kind = "postgres"`, `"mysql"`, `"sqlite"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of a PostgreSQL server, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSource {
    /// The connection, declared in `connections/*.toml`.
    pub connection: String,
    /// The table or view, as `table` or `schema.table`. Either this or `query`.
    pub table: Option<String>,
    /// One SELECT in the server's own SQL.
    pub query: Option<String>,
    /// Column that only grows, a number or a time: a load reads the rows that came since the last one.
    pub cursor: Option<String>,
    /// Column with the time of a row's last change: a load reads the rows that changed since the last one, for a mode
    /// by key. Needs `key`.
    pub updated_at: Option<String>,
    /// With `updated_at`: the columns that tell rows apart.
    #[serde(default)]
    pub key: Vec<String>,
    /// How far behind the mark of the last load reading begins again, for rows that become visible late: seconds of
    /// a time, days of a date, else units of the number.
    #[serde(default)]
    pub overlap: u32,
    /// Rows that are held at a time, 1 to 65536.
    #[serde(default = "batch_rows")]
    pub batch_rows: u32,
}

/// Rows of a MySQL or MariaDB server, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MysqlSource {
    /// The connection, declared in `connections/*.toml`.
    pub connection: String,
    /// The table or view, as `table` or `database.table`. Either this or `query`.
    pub table: Option<String>,
    /// One SELECT in the server's own SQL.
    pub query: Option<String>,
    /// Column that only grows, a number or a time: a load reads the rows that came since the last one.
    pub cursor: Option<String>,
    /// Column with the time of a row's last change: a load reads the rows that changed since the last one, for a mode
    /// by key. Needs `key`.
    pub updated_at: Option<String>,
    /// With `updated_at`: the columns that tell rows apart.
    #[serde(default)]
    pub key: Vec<String>,
    /// How far behind the mark of the last load reading begins again, for rows that become visible late: seconds of
    /// a time, days of a date, else units of the number.
    #[serde(default)]
    pub overlap: u32,
    /// Rows that are held at a time, 1 to 65536.
    #[serde(default = "batch_rows")]
    pub batch_rows: u32,
    /// What a date such as `0000-00-00` is.
    #[serde(default)]
    pub zero_dates: ZeroDates,
}

/// What a date such as `0000-00-00` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroDates {
    /// No date: the row is rejected.
    #[default]
    Reject,
    /// A missing value.
    Missing,
}

/// Rows of a SQLite file, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteSource {
    /// The file, alone, compressed or in an archive. A relative path starts at the project's folder and must not leave it.
    pub path: String,
    /// Pattern of the one entry that is read of a zip or tar archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<String>,
    /// GiB that a file may have when it is decompressed, and all that is read of an archive. Unless said it is 1,024, and no
    /// more than 1,000 times the compressed size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expanded_limit_gib: Option<u64>,
    /// The table or view. Either this or `query`.
    pub table: Option<String>,
    /// One SELECT in SQLite's SQL.
    pub query: Option<String>,
    /// Column that only grows, a number or a text that sorts: a load reads the rows that came since the last one.
    pub cursor: Option<String>,
    /// Column with the time of a row's last change: a load reads the rows that changed since the last one, for a mode
    /// by key. Needs `key`.
    pub updated_at: Option<String>,
    /// With `updated_at`: the columns that tell rows apart.
    #[serde(default)]
    pub key: Vec<String>,
    /// How far behind the mark of the last load reading begins again, in units of the number; of a text 0.
    #[serde(default)]
    pub overlap: u32,
    /// Rows that are held at a time, 1 to 65536.
    #[serde(default = "batch_rows")]
    pub batch_rows: u32,
}

fn batch_rows() -> u32 {
    8192
}

/// What a source says about its rows, whatever the database.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseRows<'a> {
    /// The table or view.
    pub table: Option<&'a str>,
    /// One SELECT.
    pub query: Option<&'a str>,
    /// Column that only grows.
    pub cursor: Option<&'a str>,
    /// Column with the time of a row's last change.
    pub updated_at: Option<&'a str>,
    /// The columns that tell rows apart.
    pub key: &'a [String],
    /// How far behind the mark reading begins again.
    pub overlap: u32,
    /// Rows that are held at a time.
    pub batch_rows: u32,
}

impl DatabaseRows<'_> {
    /// The column that tells new rows from those of the last load.
    pub fn mark_column(&self) -> Option<&str> {
        self.cursor.or(self.updated_at)
    }
}

macro_rules! rows_of {
    ($($source:ty),*) => {$(
        impl $source {
            /// What it says about its rows.
            pub fn rows(&self) -> DatabaseRows<'_> {
                DatabaseRows {
                    table: self.table.as_deref(),
                    query: self.query.as_deref(),
                    cursor: self.cursor.as_deref(),
                    updated_at: self.updated_at.as_deref(),
                    key: &self.key,
                    overlap: self.overlap,
                    batch_rows: self.batch_rows,
                }
            }
        }
    )*};
}

rows_of!(PostgresSource, MysqlSource, SqliteSource);
