//! Values that may come once only: in a load, and in the table that it is added to.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, StringArray};
use siphasher::sip128::{Hasher128, SipHasher13};
use uuid::Uuid;

/// Values of a table that a check may compare with: a third of a gigabyte of keys.
pub(crate) const TABLE_LIMIT: usize = 10_000_000;

/// Remembers values by a keyed hash of 128 bits: sixteen bytes each, and nobody can make two of them meet.
#[derive(Clone)]
pub(crate) struct Values {
    hasher: SipHasher13,
    seen: HashSet<u128, BuildHasherDefault<Identity>>,
}

impl std::fmt::Debug for Values {
    /// Without the hash's key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("count", &self.seen.len()).finish_non_exhaustive()
    }
}

impl Default for Values {
    fn default() -> Self {
        Self { hasher: SipHasher13::new_with_key(Uuid::new_v4().as_bytes()), seen: HashSet::default() }
    }
}

impl Values {
    /// Takes a value in; false where it was there.
    pub(crate) fn insert(&mut self, text: &str) -> bool {
        let mut hasher = self.hasher;
        hasher.write(text.as_bytes());
        self.seen.insert(hasher.finish128().as_u128())
    }

    /// Takes a column's values in.
    pub(crate) fn extend(&mut self, texts: &StringArray) {
        for text in texts.iter().flatten() {
            self.insert(text);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// The rows whose value was there before them. Rows that are left out already do not count.
    pub(crate) fn repeated(&mut self, texts: &StringArray, left_out: &dyn Fn(usize) -> bool) -> Vec<usize> {
        let counts = (0..texts.len()).filter(|row| texts.is_valid(*row) && !left_out(*row));
        counts.filter(|row| !self.insert(texts.value(*row))).collect()
    }
}

/// The keys are hashes already.
#[derive(Debug, Clone, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        let length = bytes.len().min(8);
        first[..length].copy_from_slice(&bytes[..length]);
        self.0 = u64::from_ne_bytes(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_once_and_missing_ones_do_not_count() {
        let mut values = Values::default();
        let texts = StringArray::from(vec![Some("a"), None, Some("b"), Some("a"), None, Some("b"), Some("c")]);
        // The first `b` is left out for another reason, so that the second is the first that counts.
        assert_eq!(values.repeated(&texts, &|row| row == 2), [3]);
        assert_eq!(values.repeated(&texts, &|_| false), [0, 2, 3, 5, 6]);
        assert_eq!(values.len(), 3);
    }
}
