//! The kinds of sketches, each with its three functions.

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::hyperloglog::HyperLogLog;
use super::sketch::Sketch;
use super::{distinct, percentile};

/// What a sketch tells of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SketchKind {
    /// How many different ones there are.
    Distinct,
    /// Which of them stands at a rank.
    Percentile,
}

impl SketchKind {
    pub(crate) const ALL: [Self; 2] = [Self::Distinct, Self::Percentile];

    /// The kind that the aggregate `function` makes of values.
    pub(crate) fn made_by(function: &str) -> Option<Self> {
        match function {
            distinct::SKETCH => Some(Self::Distinct),
            percentile::SKETCH => Some(Self::Percentile),
            _ => None,
        }
    }

    /// The kind that the scalar `function` reads.
    pub(crate) fn read_by(function: &str) -> Option<Self> {
        match function {
            distinct::ESTIMATE => Some(Self::Distinct),
            percentile::ESTIMATE => Some(Self::Percentile),
            _ => None,
        }
    }

    /// Makes a sketch of values.
    pub(crate) fn sketch(self) -> AggregateUDF {
        match self {
            Self::Distinct => distinct::hll_sketch(),
            Self::Percentile => percentile::percentile_sketch(),
        }
    }

    /// Puts sketches together.
    pub(crate) fn merge(self) -> AggregateUDF {
        match self {
            Self::Distinct => distinct::hll_merge(),
            Self::Percentile => percentile::percentile_merge(),
        }
    }

    /// Reads a sketch.
    pub(crate) fn estimate(self) -> ScalarUDF {
        match self {
            Self::Distinct => distinct::hll_estimate(),
            Self::Percentile => percentile::percentile_estimate(),
        }
    }

    /// The sketch of no values; none where it is missing, as what it would tell is.
    pub(crate) fn of_nothing(self) -> Option<Vec<u8>> {
        match self {
            Self::Distinct => Some(HyperLogLog::default().to_bytes()),
            Self::Percentile => None,
        }
    }
}

/// Whether the aggregate `function` gives a sketch.
pub(crate) fn is_aggregate(function: &str) -> bool {
    [distinct::SKETCH, distinct::MERGE, percentile::SKETCH, percentile::MERGE].contains(&function)
}
