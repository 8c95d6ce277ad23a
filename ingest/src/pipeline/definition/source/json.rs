//! `kind = "json"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::located;

/// JSON: an object a row, one on each line or in an array. Columns are the keys of all objects, in the order in which
/// they first occur.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonSource {
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
    /// JSON pointer to the array of rows in a document, as in `/data/items`. Unless said, a file that begins with `[` is
    /// an array, and any other one has an object on each line.
    pub records: Option<String>,
    /// Whether the fields of objects within a row become columns `outer.inner`; otherwise they are JSON text.
    #[serde(default)]
    pub flatten: bool,
    /// Texts that stand for a missing value, beside the empty one and `null`.
    #[serde(default)]
    pub null_values: Vec<String>,
}

impl JsonSource {
    /// The files at `path`, with every other key as if it were left out.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            connection: None,
            entries: None,
            expanded_limit_gib: None,
            records: None,
            flatten: false,
            null_values: Vec::new(),
        }
    }
}

located!(JsonSource);
