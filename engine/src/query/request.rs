//! What is asked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::catalog::TableName;

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

/// Which versions of tables a statement reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum AsOf {
    /// The newest ones.
    #[default]
    Now,
    /// Those that were the newest at this time.
    Time(DateTime<Utc>),
    /// These, and the newest ones of tables that are not named.
    Versions(BTreeMap<TableName, u64>),
}

/// One statement for one principal.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// One statement, read-only.
    pub sql: String,
    /// Values of the named parameters.
    pub params: IndexMap<String, ParamValue>,
    /// Which versions of its tables are read; the newest unless said.
    pub as_of: AsOf,
    /// Rows at the most; past it the result ends and says that it was truncated. None: the principal's own limit.
    pub max_rows: Option<usize>,
}

impl SqlRequest {
    /// A statement without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }
}
