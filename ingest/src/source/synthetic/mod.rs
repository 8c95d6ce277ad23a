//! The seeded generator: records of the shape that agencies send, made where no open source has them.
//!
//! Nothing here comes from a real case, person or enterprise, and no result is planted: what a metric shows follows
//! from distributions and from the calendar. The same seed, data set and scale give the same bytes on every machine:
//! all arithmetic is on integers, and each row depends on its number alone. Division codes are real ones; enterprise
//! codes pass every check and cannot have been issued.

mod datasets;
mod days;
mod enterprises;
#[cfg(test)]
mod example_tests;
mod places;
mod random;
mod rows;
mod source;

pub use source::SyntheticRows;

use days::Days;
use enterprises::Enterprises;
use places::Places;

/// Raised whenever the same seed gives other rows, so that a lake loaded before is loaded anew.
const GENERATOR_VERSION: u32 = 1;

/// What all data sets of one seed and scale share.
#[derive(Debug)]
struct World {
    seed: u64,
    days: Days,
    places: Places,
    enterprises: Enterprises,
}

/// `usual` times `scale`, at least one.
fn scaled(usual: u64, scale: f64) -> u64 {
    ((usual as f64 * scale).round() as u64).max(1)
}
