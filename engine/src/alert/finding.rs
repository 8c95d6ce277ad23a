//! What one evaluation found.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::Bilingual;
use crate::query::{TableProvenance, TableVersion};

/// Values of the dimensions that a group is told by; none where a record has no value. Empty for the whole.
pub type Group = BTreeMap<String, Option<String>>;

/// What one evaluation found.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// When.
    pub at: DateTime<Utc>,
    /// The metric's title.
    pub metric_title: Bilingual,
    /// Unit of its figures.
    pub unit: Option<String>,
    /// Any of the tables is synthetic.
    pub synthetic: bool,
    /// The tables, each at the version that was read.
    pub tables: Vec<TableVersion>,
    /// How fresh they are.
    pub provenance: Vec<TableProvenance>,
    /// Each group that was judged.
    pub verdicts: Vec<Verdict>,
}

/// What was found of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The group.
    pub group: Group,
    /// Names of its divisions, by the answer's column.
    pub names: BTreeMap<String, String>,
    /// What was found.
    pub finding: Finding,
}

/// A figure that was judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether the rule is broken; none where that cannot be told.
    pub breaks: Option<bool>,
    /// The figure as the answer writes it; for `older_than_working_days` the newest day.
    pub value: Option<String>,
    /// First day of its period; an instant where periods are hours.
    pub period: Option<String>,
    /// The figure that it was compared with.
    pub base: Option<f64>,
    /// The change against that one, as the rule measures it.
    pub change: Option<f64>,
    /// Working days since the newest data, where the rule asks for them.
    pub age_working_days: Option<i64>,
    /// Why it cannot be told or what is missing, as a code: `no_data`, `no_base`, `zero_base`.
    pub reason: Option<String>,
}

impl Finding {
    /// Nothing can be told.
    pub(super) fn untold(reason: &str) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}
