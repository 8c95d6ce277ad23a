//! `source` of a pipeline: one struct a kind.

mod columnar;
mod csv;
mod database;
mod excel;
mod geojson;
mod http;
mod json;
mod location;
mod push;
mod synthetic;
mod xml;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use columnar::ColumnarSource;
pub use csv::{CsvSource, DuplicateNames, FooterDef, HeaderDef, HeaderWord, RaggedDef};
pub use database::{DatabaseRows, MysqlSource, PostgresSource, SqliteSource, ZeroDates};
pub use excel::{ExcelSource, SheetDef};
pub use geojson::GeoJsonSource;
pub use http::{CkanSource, HttpIncrementalDef, HttpSource, PagingDef, SocrataSource};
pub use json::JsonSource;
pub use location::FileLocation;
pub use push::PushSource;
pub use synthetic::SyntheticSource;
pub use xml::XmlSource;

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SourceDef {
    /// Delimited text.
    Csv(CsvSource),
    /// A GeoJSON FeatureCollection: a row a feature, its geometry as GeoJSON text in `geometry`.
    #[serde(rename = "geojson")]
    GeoJson(GeoJsonSource),
    /// JSON: an object a row, one on each line or in an array.
    Json(JsonSource),
    /// Sheets of workbooks.
    Excel(ExcelSource),
    /// XML: a row an element.
    Xml(XmlSource),
    /// Parquet.
    Parquet(ColumnarSource),
    /// Arrow: IPC files, which Feather is, and streams.
    Arrow(ColumnarSource),
    /// Avro object container files.
    Avro(ColumnarSource),
    /// An HTTP API that answers JSON.
    Http(HttpSource),
    /// A dataset of a CKAN portal.
    Ckan(CkanSource),
    /// A dataset of a Socrata portal.
    Socrata(SocrataSource),
    /// Rows that callers send to the HTTP interface.
    Push(PushSource),
    /// Rows of a PostgreSQL server.
    Postgres(PostgresSource),
    /// Rows of a MySQL or MariaDB server.
    Mysql(MysqlSource),
    /// Rows of a SQLite file.
    Sqlite(SqliteSource),
    /// The seeded generator.
    Synthetic(SyntheticSource),
}

impl SourceDef {
    /// Whether its files have names that stay: the same name with other content is a file that was changed.
    pub(crate) fn has_named_files(&self) -> bool {
        self.location().is_some()
    }

    /// The connection that it names.
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::Http(http) => Some(&http.connection),
            Self::Ckan(ckan) => Some(&ckan.connection),
            Self::Socrata(socrata) => Some(&socrata.connection),
            Self::Postgres(postgres) => Some(&postgres.connection),
            Self::Mysql(mysql) => Some(&mysql.connection),
            _ => self.location()?.connection,
        }
    }

    /// The schemes that its connection may have; none where the connection is not looked at offline.
    pub(crate) fn schemes(&self) -> &'static [&'static str] {
        match self {
            Self::Postgres(_) => &["postgresql"],
            Self::Mysql(_) => &["mysql"],
            Self::Http(_) | Self::Ckan(_) | Self::Socrata(_) => &["https", "http"],
            _ => &[],
        }
    }

    /// Whether a load begins where the last one ended.
    pub(crate) fn is_incremental(&self) -> bool {
        match self {
            Self::Http(http) => http.incremental.is_some(),
            _ => self.database_rows().is_some_and(|rows| rows.mark_column().is_some()),
        }
    }

    /// What it says about the rows of a database; none for a source of another kind.
    pub fn database_rows(&self) -> Option<DatabaseRows<'_>> {
        match self {
            Self::Postgres(postgres) => Some(postgres.rows()),
            Self::Mysql(mysql) => Some(mysql.rows()),
            Self::Sqlite(sqlite) => Some(sqlite.rows()),
            _ => None,
        }
    }

    /// Whether its rows come when callers send them, so that it is never run.
    pub fn is_push(&self) -> bool {
        matches!(self, Self::Push(_))
    }

    /// Whether it says where the rows of a file end.
    pub(crate) fn has_footer(&self) -> bool {
        match self {
            Self::Csv(csv) => csv.footer.is_some(),
            Self::Excel(excel) => excel.footer.is_some(),
            _ => false,
        }
    }

    /// Where its files are; none for a source of another kind.
    pub fn location(&self) -> Option<FileLocation<'_>> {
        match self {
            Self::Csv(csv) => Some(csv.location()),
            Self::GeoJson(geojson) => Some(geojson.location()),
            Self::Json(json) => Some(json.location()),
            Self::Excel(excel) => Some(excel.location()),
            Self::Xml(xml) => Some(xml.location()),
            Self::Parquet(columnar) | Self::Arrow(columnar) | Self::Avro(columnar) => Some(columnar.location()),
            Self::Synthetic(_)
            | Self::Push(_)
            | Self::Http(_)
            | Self::Ckan(_)
            | Self::Socrata(_)
            | Self::Postgres(_)
            | Self::Mysql(_)
            | Self::Sqlite(_) => None,
        }
    }
}
