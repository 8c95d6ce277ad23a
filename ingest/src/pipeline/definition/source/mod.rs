//! `source` of a pipeline: one struct a kind.

mod csv;
mod geojson;
mod http;
mod json;
mod location;
mod push;
mod synthetic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use csv::{CsvSource, DuplicateNames, FooterDef, HeaderDef, HeaderWord, RaggedDef};
pub use geojson::GeoJsonSource;
pub use http::{CkanSource, HttpIncrementalDef, HttpSource, PagingDef, SocrataSource};
pub use json::JsonSource;
pub use location::FileLocation;
pub use push::PushSource;
pub use synthetic::SyntheticSource;

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
    /// An HTTP API that answers JSON.
    Http(HttpSource),
    /// A dataset of a CKAN portal.
    Ckan(CkanSource),
    /// A dataset of a Socrata portal.
    Socrata(SocrataSource),
    /// Rows that callers send to the HTTP interface.
    Push(PushSource),
    /// The seeded generator.
    Synthetic(SyntheticSource),
}

impl SourceDef {
    /// Whether its files have names that stay: the same name with other content is a file that was changed.
    pub(crate) fn has_named_files(&self) -> bool {
        match self {
            Self::Csv(_) | Self::GeoJson(_) | Self::Json(_) => true,
            Self::Synthetic(_) | Self::Push(_) | Self::Http(_) | Self::Ckan(_) | Self::Socrata(_) => false,
        }
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

    /// Whether its rows come when callers send them, so that it is never run.
    pub fn is_push(&self) -> bool {
        matches!(self, Self::Push(_))
    }

    /// Where its files are; none for a source of another kind.
    pub fn location(&self) -> Option<FileLocation<'_>> {
        match self {
            Self::Csv(csv) => Some(csv.location()),
            Self::GeoJson(geojson) => Some(geojson.location()),
            Self::Json(json) => Some(json.location()),
            Self::Synthetic(_) | Self::Push(_) | Self::Http(_) | Self::Ckan(_) | Self::Socrata(_) => None,
        }
    }
}
