//! `kind = "xml"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::located;

/// XML: a row for each element of a name or place. Columns are the elements in it (`name`, nested ones `address/city`) and
/// the attributes (`@id`, `address/@kind`), without namespaces; an element that is repeated is a JSON array of its texts.
/// Document types are not read, and no entity expands but XML's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct XmlSource {
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
    /// The element that is a row: its name, wherever it stands, or its place from the document's own element on, as in
    /// `data/list/item`. Unless said, each element in the document's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// `auto` (the XML declaration, or what the bytes are where there is none), `utf-8`, `gb18030` (which contains GBK and
    /// GB2312), `big5`, `utf-16le` or `utf-16be`.
    #[serde(default = "auto")]
    pub encoding: String,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}

impl XmlSource {
    /// The files at `path`, with every other key as if it were left out.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            connection: None,
            entries: None,
            expanded_limit_gib: None,
            row: None,
            encoding: auto(),
            null_values: Vec::new(),
        }
    }
}

located!(XmlSource);

fn auto() -> String {
    "auto".into()
}
