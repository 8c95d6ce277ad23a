//! `kind = "geojson"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::located;

/// A GeoJSON FeatureCollection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeoJsonSource {
    /// File, folder or glob below the project's root, `/`-separated, or an `s3://`, `https://` or `http://` URL; below
    /// the connection's URL where it names one and no scheme.
    pub path: String,
    /// Connection of `connections/*.toml` by which a remote `path` is reached.
    pub connection: Option<String>,
    /// Pattern of the entries that are read of zip and tar archives; all of them unless said.
    pub entries: Option<String>,
    /// GiB that a file may have when it is decompressed, and all that is read of an archive. Unless said it is 1,024, and no
    /// more than 1,000 times the compressed size.
    pub expanded_limit_gib: Option<u64>,
}

located!(GeoJsonSource);
