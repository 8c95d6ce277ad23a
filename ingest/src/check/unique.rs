//! Values that may come once only: in a load, and in the table that it is added to.

use std::io;

use arrow::array::{Array, StringArray};
use siphasher::sip128::SipHasher13;
use uuid::Uuid;

use super::keys::Keys;

/// Remembers values by a keyed hash of 128 bits: sixteen bytes each, and nobody can make two of them meet.
pub(crate) struct Values {
    hasher: SipHasher13,
    seen: Keys,
}

impl std::fmt::Debug for Values {
    /// Without the hash's key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Default for Values {
    fn default() -> Self {
        Self { hasher: SipHasher13::new_with_key(Uuid::new_v4().as_bytes()), seen: Keys::default() }
    }
}

impl Values {
    /// Takes a value in; false where it was there.
    pub(crate) fn insert(&mut self, text: &str) -> io::Result<bool> {
        self.seen.insert(self.hasher.hash(text.as_bytes()).as_u128())
    }

    /// Takes a column's values in.
    pub(crate) fn extend(&mut self, texts: &StringArray) -> io::Result<()> {
        texts.iter().flatten().try_for_each(|text| self.insert(text).map(|_| ()))
    }

    /// The rows whose value was there before them. Rows that are left out already do not count.
    pub(crate) fn repeated(&mut self, texts: &StringArray, left_out: &dyn Fn(usize) -> bool) -> io::Result<Vec<usize>> {
        let mut repeated = Vec::new();
        for row in (0..texts.len()).filter(|row| texts.is_valid(*row) && !left_out(*row)) {
            if !self.insert(texts.value(row))? {
                repeated.push(row);
            }
        }
        Ok(repeated)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_once_and_missing_ones_do_not_count() {
        let mut values = Values::default();
        let texts = StringArray::from(vec![Some("a"), None, Some("b"), Some("a"), None, Some("b"), Some("c")]);
        // The first `b` is left out for another reason, so that the second is the first that counts.
        assert_eq!(values.repeated(&texts, &|row| row == 2).unwrap(), [3]);
        assert_eq!(values.repeated(&texts, &|_| false).unwrap(), [0, 2, 3, 5, 6]);
    }
}
