//! `kind = "csv"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::located;

/// Delimited text, in one or more files; compression by content (gzip, zstd, bzip2, xz; zip and tar archives), encoding detected unless said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
    /// File, folder or glob below the project's root, `/`-separated, or an `s3://`, `https://` or `http://` URL; below
    /// the connection's URL where it names one and no scheme.
    pub path: String,
    /// Connection of `connections/*.toml` by which a remote `path` is reached.
    pub connection: Option<String>,
    /// Pattern of the entries that are read of zip and tar archives; all of them unless said.
    pub entries: Option<String>,
    /// GiB that a file may have when it is decompressed. Unless said it is 1,024, and no more than 1,000 times the
    /// compressed size.
    pub expanded_limit_gib: Option<u64>,
    /// `auto` (byte order mark, then strict UTF-8, then GB18030), `utf-8` or `gb18030`.
    #[serde(default = "auto")]
    pub encoding: String,
    /// One character.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}

located!(CsvSource);

fn auto() -> String {
    "auto".into()
}

fn comma() -> char {
    ','
}
