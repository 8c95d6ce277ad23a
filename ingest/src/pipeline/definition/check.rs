//! `checks` of a pipeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A check of a column or row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckDef {
    /// The column; none for `expression`.
    pub column: Option<String>,
    /// What must hold.
    pub rule: CheckRule,
    /// What to do where it does not.
    #[serde(default)]
    pub on_fail: OnFail,
}

/// What must hold. A missing value passes every rule but `not-null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckRule {
    /// A value is there.
    NotNull,
    /// A valid unified social credit code (GB 32100-2015).
    Uscc,
    /// A valid resident identity number (GB 11643-1999).
    IdentityNumber,
    /// A division code that was in use at some time.
    Division,
    /// A division code that was in use in the year of this date column, or until that year.
    DivisionAsOf(String),
    /// An industry code (GB/T 4754-2017) whose section and division exist.
    Industry,
    /// No earlier row of the load has the same value.
    Unique,
    /// No earlier row of the load, and no row of the table, has the same value.
    UniqueInTable,
    /// Has so many characters, both numbers inclusive.
    Length(u32, u32),
    /// One of these texts.
    OneOf(Vec<String>),
    /// Matches this regular expression as a whole.
    Pattern(String),
    /// Lies between both, inclusive; written as text in the column's type.
    Between(String, String),
    /// Is not less than this, written as text in the column's type.
    AtLeast(String),
    /// Is not greater than this, written as text in the column's type.
    AtMost(String),
    /// This SQL predicate over the row's columns is true.
    Expression(String),
}

/// What to do where a check does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// The row goes to quarantine.
    #[default]
    Reject,
    /// The row is loaded and counted.
    Warn,
    /// The run fails; nothing is committed.
    Stop,
}
