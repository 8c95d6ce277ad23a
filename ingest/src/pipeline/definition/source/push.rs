//! `kind = "push"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows that callers send to `POST /v1/tables/{schema}/{table}/rows`. Such a pipeline is not run: it says what becomes
/// of the rows as they come. A table has one at the most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushSource {
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}
