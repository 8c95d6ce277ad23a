//! A table's name: schema (the agency's short name) and table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Classify, ErrorKind};

/// `schema.table`, both of `[a-z][a-z0-9_]{0,62}`, so that they need no quoting in SQL, paths or URLs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}$"))]
pub struct TableName {
    schema: String,
    table: String,
}

/// Why a text is no table name.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a table name")]
pub struct InvalidTableName {
    text: String,
}

impl Classify for InvalidTableName {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn hint(&self) -> Option<String> {
        Some("write `schema.table` in lower-case letters, digits and underscores, as in `approvals.cases`".into())
    }
}

impl TableName {
    /// Checks both parts.
    pub fn try_new(schema: &str, table: &str) -> Result<Self, InvalidTableName> {
        if is_identifier(schema) && is_identifier(table) {
            Ok(Self { schema: schema.into(), table: table.into() })
        } else {
            Err(InvalidTableName { text: format!("{schema}.{table}") })
        }
    }

    /// The agency's short name.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table within the schema.
    pub fn table(&self) -> &str {
        &self.table
    }
}

/// Whether `text` is of `[a-z][a-z0-9_]{0,62}`.
pub fn is_identifier(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

impl FromStr for TableName {
    type Err = InvalidTableName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (schema, table) = text.split_once('.').ok_or_else(|| InvalidTableName { text: text.into() })?;
        Self::try_new(schema, table)
    }
}

impl TryFrom<String> for TableName {
    type Error = InvalidTableName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}
