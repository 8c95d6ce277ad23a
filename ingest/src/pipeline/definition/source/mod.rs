//! `source` of a pipeline: one struct a kind.

mod csv;
mod geojson;
mod synthetic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use csv::{CsvSource, DuplicateNames, FooterDef, HeaderDef, HeaderWord, RaggedDef};
pub use geojson::GeoJsonSource;
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
        match self {
            Self::Csv(_) | Self::GeoJson(_) | Self::Synthetic(_) => None,
        }
    }
}
