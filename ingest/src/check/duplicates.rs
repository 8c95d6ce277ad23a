//! Rows that come twice.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use sha2::{Digest, Sha256};

/// Remembers the keys of all rows of a load, sixteen bytes each whatever their length. A collision would lose a row
/// in silence, so the keys are cut from a cryptographic hash: among a billion rows one in 10^20.
#[derive(Debug)]
pub(crate) struct Duplicated {
    columns: Vec<usize>,
    converter: RowConverter,
    seen: HashSet<u128, BuildHasherDefault<Identity>>,
}

impl Duplicated {
    /// Rows are the same where these columns of `schema` are, a missing value being the same as another.
    pub(crate) fn try_new(schema: &arrow::datatypes::Schema, columns: Vec<usize>) -> Result<Self, ArrowError> {
        let fields = columns.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        Ok(Self { converter: RowConverter::new(fields.collect())?, columns, seen: HashSet::default() })
    }

    /// For each row whether an earlier one has its key. Rows that are not `kept` are neither remembered nor
    /// duplicates: the first row that is loaded is the one that counts.
    pub(crate) fn of(&mut self, batch: &RecordBatch, kept: &BooleanArray) -> Result<BooleanArray, ArrowError> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|index| batch.column(*index).clone()).collect();
        let rows = self.converter.convert_columns(&columns)?;
        Ok((0..batch.num_rows())
            .map(|row| Some(kept.value(row) && !self.seen.insert(key(rows.row(row).data()))))
            .collect())
    }
}

fn key(row: &[u8]) -> u128 {
    let hash: [u8; 32] = Sha256::digest(row).into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    u128::from_le_bytes(half)
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut half = [0; 8];
        let count = bytes.len().min(8);
        half[..count].copy_from_slice(&bytes[..count]);
        self.0 ^= u64::from_le_bytes(half);
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
