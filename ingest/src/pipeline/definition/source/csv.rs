//! `kind = "csv"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Delimited text, in one or more files; compression by content (gzip, zstd), encoding detected unless said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
    /// File or glob below the project's root, `/`-separated.
    pub path: String,
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

fn auto() -> String {
    "auto".into()
}

fn comma() -> char {
    ','
}
