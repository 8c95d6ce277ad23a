//! What all sketches have in common.

use std::fmt::Debug;

/// Why bytes are no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSketch {
    /// Nothing at all, or bytes of something else.
    #[error("these bytes are no sketch of {0}")]
    Damaged(&'static str),
    /// Made by a later version.
    #[error("this sketch has version {found}, and only version {known} is known")]
    Version {
        /// The one that it has.
        found: u8,
        /// The one that this program reads and writes.
        known: u8,
    },
}

/// A summary of values whose merge is exact: what the parts give together, in any order, is what all of their values give
/// at once, byte for byte.
pub trait Sketch: Clone + Default + Debug + Send + Sync + 'static {
    /// Adds every value of `other`.
    fn merge(&mut self, other: &Self);

    /// The sketch as bytes. Equal sketches are equal bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads what [`Self::to_bytes`] wrote; nothing else is taken for a sketch.
    ///
    /// # Errors
    /// Where it is none.
    fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSketch>;

    /// Bytes held beside the structure itself.
    fn heap_bytes(&self) -> usize;

    /// Whether it tells nothing, so that a missing value stands for it.
    fn is_missing(&self) -> bool {
        false
    }
}
