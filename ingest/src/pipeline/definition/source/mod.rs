//! `source` of a pipeline: one struct a kind.

mod columnar;
mod csv;
mod excel;
mod geojson;
mod http;
mod json;
mod location;
mod synthetic;
mod xml;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use columnar::ColumnarSource;
pub use csv::{CsvSource, DuplicateNames, FooterDef, HeaderDef, HeaderWord, RaggedDef};
pub use excel::{ExcelSource, SheetDef};
pub use geojson::GeoJsonSource;
pub use http::{CkanSource, HttpIncrementalDef, HttpSource, PagingDef, SocrataSource};
pub use json::JsonSource;
pub use location::FileLocation;
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
            _ => self.location()?.connection,
        }
    }

    /// Whether a load begins where the last one ended.
    pub(crate) fn is_incremental(&self) -> bool {
        matches!(self, Self::Http(http) if http.incremental.is_some())
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
            Self::Synthetic(_) | Self::Http(_) | Self::Ckan(_) | Self::Socrata(_) => None,
        }
    }
}
