//! `kind = "geojson"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A GeoJSON FeatureCollection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeoJsonSource {
    /// File below the project's root.
    pub path: String,
}
