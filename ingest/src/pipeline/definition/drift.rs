//! `schema` of a pipeline: what is done where columns are not those they were.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done where the source's columns are not those they were. A column that is missing in some files or in all
/// of them has no values there, if the contract lets them be missing; if it does not, the load fails whatever is said
/// here. Every change is told in the run's notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaPolicy {
    /// Columns that the contract does not have are added to the table under the source's name, as text that may be
    /// missing (from a typed source: in its type).
    Evolve,
    /// They are left out.
    Freeze,
    /// Files with different columns, and other columns than at the last load, fail the load.
    Stop,
}
