//! Rows that come twice.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use siphasher::sip128::SipHasher13;
use uuid::Uuid;

use super::keys::Keys;

/// Keys that are looked up together: look-ups in a large set wait for memory, and only without other work between them do
/// they wait together. What they need stays close to the processor until all are done.
const AT_ONCE: usize = 256;

/// Remembers the keys of all rows of a load, sixteen bytes each whatever their length.
///
/// A collision would lose a row in silence. The hash is of 128 bits and keyed: among a billion rows two different
/// ones meet once in 10^20 by accident, and nobody can make them meet, because the key is drawn for each load and
/// neither it nor a hash is ever shown. That takes a pseudorandom function, and no cryptographic digest.
pub(crate) struct Duplicated {
    /// Columns of text, whose bytes are hashed as they are.
    texts: Vec<usize>,
    /// The other columns of the key, in the row format.
    others: Vec<usize>,
    converter: RowConverter,
    hasher: SipHasher13,
    seen: Keys,
}

impl std::fmt::Debug for Duplicated {
    /// Without the hash's key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Duplicated").field("texts", &self.texts).field("others", &self.others).finish_non_exhaustive()
    }
}

impl Duplicated {
    /// Rows are the same where these columns of `schema` are, a missing value being the same as another.
    pub(crate) fn try_new(schema: &arrow::datatypes::Schema, columns: Vec<usize>) -> Result<Self, ArrowError> {
        let is_text = |index: &usize| *schema.field(*index).data_type() == DataType::Utf8;
        let (texts, others): (Vec<_>, Vec<_>) = columns.into_iter().partition(is_text);
        let fields = others.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let hasher = SipHasher13::new_with_key(Uuid::new_v4().as_bytes());
        Ok(Self { texts, others, converter, hasher, seen: Keys::default() })
    }

    /// For each row whether an earlier one has its key. Rows that are not `kept` are neither remembered nor
    /// duplicates: the first row that is loaded is the one that counts.
    pub(crate) fn of(&mut self, batch: &RecordBatch, kept: &BooleanArray) -> Result<BooleanArray, ArrowError> {
        let texts: Vec<&StringArray> = self.texts.iter().map(|index| batch.column(*index).as_string::<i32>()).collect();
        let others: Vec<ArrayRef> = self.others.iter().map(|index| batch.column(*index).clone()).collect();
        let others = if others.is_empty() { None } else { Some(self.converter.convert_columns(&others)?) };
        let mut bytes = Vec::new();
        let mut key = |row| {
            write_key(&texts, others.as_ref(), row, &mut bytes);
            self.hasher.hash(&bytes).as_u128()
        };
        let keys: Vec<u128> = (0..batch.num_rows()).map(&mut key).collect();
        let mut repeated = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            self.seen.expect(keys);
            for key in keys {
                repeated.push(kept.value(repeated.len()) && !self.seen.insert(*key)?);
            }
        }
        Ok(BooleanArray::from(repeated))
    }
}

/// The row's key in bytes that no other key has: each text with its length before it, and then the fixed rest.
fn write_key(texts: &[&StringArray], others: Option<&Rows>, row: usize, key: &mut Vec<u8>) {
    key.clear();
    for text in texts {
        if text.is_null(row) {
            key.extend_from_slice(&u32::MAX.to_le_bytes());
        } else {
            let value = text.value(row).as_bytes();
            // Offsets of 32 bits bound the length.
            key.extend_from_slice(&(value.len() as u32).to_le_bytes());
            key.extend_from_slice(value);
        }
    }
    if let Some(others) = others {
        key.extend_from_slice(others.row(row).data());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn the_first_row_that_is_kept_counts_across_batches() {
        let batch = |ids: Vec<Option<i64>>, names: Vec<&str>| {
            RecordBatch::try_from_iter([
                ("id", Arc::new(Int64Array::from(ids)) as ArrayRef),
                ("name", Arc::new(StringArray::from(names)) as ArrayRef),
            ])
            .unwrap()
        };
        let first = batch(vec![Some(1), Some(1), None, None], vec!["a", "b", "c", "d"]);
        let mut by_key = Duplicated::try_new(&first.schema(), vec![0]).unwrap();
        let found = by_key.of(&first, &BooleanArray::from(vec![false, true, true, true])).unwrap();
        assert_eq!(found, BooleanArray::from(vec![false, false, false, true]));
        let second = batch(vec![Some(1), Some(2)], vec!["a", "b"]);
        assert_eq!(
            by_key.of(&second, &BooleanArray::from(vec![true; 2])).unwrap(),
            BooleanArray::from(vec![true, false])
        );
        let mut whole = Duplicated::try_new(&first.schema(), vec![0, 1]).unwrap();
        let all = BooleanArray::from(vec![true; 4]);
        assert_eq!(whole.of(&first, &all).unwrap().true_count(), 0);
        assert_eq!(whole.of(&first, &all).unwrap().true_count(), 4);
    }
}
