//! `kind = "synthetic"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The seeded generator: the same seed, dataset and scale give the same rows everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSource {
    /// Which records, as in `approval_cases`.
    pub dataset: String,
    /// Seed.
    pub seed: u64,
    /// Multiplies the data set's usual number of rows.
    #[serde(default = "one")]
    pub scale: f64,
}

fn one() -> f64 {
    1.0
}
