//! `source` of a pipeline: one struct a kind.

mod csv;
mod geojson;
mod http;
mod location;
mod synthetic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use csv::{CsvSource, DuplicateNames, FooterDef, HeaderDef, HeaderWord, RaggedDef};
pub use geojson::GeoJsonSource;
pub use http::{CkanSource, HttpIncrementalDef, HttpSource, PagingDef, SocrataSource};
pub use location::FileLocation;
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
    /// The seeded generator.
    Synthetic(SyntheticSource),
}

impl SourceDef {
    /// Whether its files have names that stay: the same name with other content is a file that was changed.
    pub(crate) fn has_named_files(&self) -> bool {
        match self {
            Self::Csv(_) | Self::GeoJson(_) => true,
            Self::Synthetic(_) => false,
        }
    }

    /// The connection that it names.
    pub fn connection(&self) -> Option<&str> {
        self.location()?.connection
    }

    /// Where its files are; none for a source of another kind.
    pub fn location(&self) -> Option<FileLocation<'_>> {
        match self {
            Self::Csv(csv) => Some(csv.location()),
            Self::GeoJson(geojson) => Some(geojson.location()),
            Self::Synthetic(_) => None,
        }
    }
}
