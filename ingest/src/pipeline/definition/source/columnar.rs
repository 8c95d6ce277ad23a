//! `kind = "parquet"`, `"arrow"` and `"avro"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::located;

/// Files whose columns have types of their own, which are converted to the contract's and rejected row by row where
/// digits would be lost. Lists, maps and records come as JSON text, binary values as hexadecimal digits, times of day
/// and durations as text. Rows are counted from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnarSource {
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

impl ColumnarSource {
    /// The files at `path`, with every other key as if it were left out.
    pub fn at(path: impl Into<String>) -> Self {
        Self { path: path.into(), connection: None, entries: None, expanded_limit_gib: None }
    }
}

located!(ColumnarSource);
