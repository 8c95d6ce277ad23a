//! What is asked.

use indexmap::IndexMap;

/// A typed value for a named parameter, `{name:Type}` in the SQL; bound, never spliced.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A binary float.
    Float(f64),
    /// Text; dates, timestamps and decimals are written as text and read as the declared type.
    Text(String),
}

/// One statement for one principal.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// One statement, read-only.
    pub sql: String,
    /// Values of the named parameters.
    pub params: IndexMap<String, ParamValue>,
    /// Rows at the most; past it the result ends and says that it was truncated. None: the principal's own limit.
    pub max_rows: Option<usize>,
}

impl SqlRequest {
    /// A statement without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }
}
