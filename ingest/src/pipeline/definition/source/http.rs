//! `kind = "http"`, `"ckan"` and `"socrata"`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An HTTP API that answers JSON, page by page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSource {
    /// The connection, whose `url` is the API's base.
    pub connection: String,
    /// Path below the connection's URL.
    pub path: String,
    /// Query parameters of every request.
    #[serde(default)]
    pub params: IndexMap<String, String>,
    /// JSON pointer to the array of records in an answer, as in `/data/items`; the answer itself unless said.
    #[serde(default)]
    pub records: String,
    /// How the pages of a long answer are asked for; one request unless said.
    pub paging: Option<PagingDef>,
    /// Asks only for what is new since the last load.
    pub incremental: Option<HttpIncrementalDef>,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}

/// How the pages of a long answer are asked for. The last page is the first with fewer records than asked for, or
/// without a next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PagingDef {
    /// By the number of the page.
    Page {
        /// Parameter that holds the number.
        parameter: String,
        /// Number of the first page.
        #[serde(default = "one")]
        first: u64,
        /// Parameter that holds the number of records of a page, where the API takes one.
        size_parameter: Option<String>,
        /// Records of a page.
        #[serde(default = "thousand")]
        size: u64,
    },
    /// By the number of records to pass over.
    Offset {
        /// Parameter that holds the offset.
        parameter: String,
        /// Parameter that holds the number of records of a page.
        size_parameter: String,
        /// Records of a page.
        #[serde(default = "thousand")]
        size: u64,
    },
    /// By a cursor that each answer holds for the next request.
    Cursor {
        /// Parameter that holds the cursor.
        parameter: String,
        /// JSON pointer to the next cursor in an answer; a missing, empty or null one ends the pages.
        next: String,
    },
    /// By the header `Link: <…>; rel="next"` (RFC 8288). Links may not leave the connection's host.
    Link,
}

fn one() -> u64 {
    1
}

fn thousand() -> u64 {
    1000
}

/// Asks only for what is new since the last load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpIncrementalDef {
    /// Parameter that takes the greatest value that was loaded so far.
    pub parameter: String,
    /// Field of a record whose greatest value that is; compared as text, so ISO dates and padded numbers.
    pub field: String,
    /// Value of the parameter at the first load; left out unless said.
    pub first: Option<String>,
}

/// A resource of a CKAN portal, by dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CkanSource {
    /// The connection, whose `url` is the portal's.
    pub connection: String,
    /// Id or name of the dataset.
    pub dataset: String,
    /// Id or name of one of its resources; needed where it has several.
    pub resource: Option<String>,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}

/// A dataset of a Socrata portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SocrataSource {
    /// The connection, whose `url` is the portal's and whose secret is the application's token.
    pub connection: String,
    /// Id of the dataset, as in `wrvz-psew`.
    pub dataset: String,
    /// SoQL condition, as in `year > 2018`.
    pub condition: Option<String>,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}
