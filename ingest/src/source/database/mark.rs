//! The high-water mark of an incremental source, and the rows at it that were loaded already.
//!
//! The next load begins *at* the mark and not behind it, because rows with the mark's own value may have become
//! visible later. Those that were loaded are told by their hashes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::error::DatabaseError;

/// Rows at the mark that are remembered; each takes 24 characters of the commit.
pub(super) const REMEMBERED_LIMIT: usize = 10_000;

/// Bytes of a row's hash that are remembered.
const HASH_BYTES: usize = 12;

/// Where a load ended. It rides in the commit as one JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The column.
    pub(super) column: String,
    /// Its greatest value, as the database writes it; none where there was no row with a value.
    pub(super) value: Option<String>,
    /// The number of this load among those that follow each other, from 1.
    #[serde(default)]
    pub(super) load: u64,
    /// How far before `value` the rows are remembered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) overlap: u32,
    /// For SQLite, whose columns hold values of any class: the class of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
    /// Hashes of the rows from `value` less `overlap` on, in hexadecimal digits without separators.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) rows: String,
}

impl Mark {
    /// The mark that the last load of `rows` left, if there was one.
    pub(super) fn read(text: Option<&str>, column: &str, rows: &str) -> Result<Option<Self>, DatabaseError> {
        let Some(text) = text else { return Ok(None) };
        let failed = |reason| DatabaseError::Mark { rows: rows.into(), reason };
        let mark: Self = serde_json::from_str(text).map_err(|error| failed(error.to_string()))?;
        if mark.column != column {
            return Err(failed(format!("it is one of `{}` and not of `{column}`", mark.column)));
        }
        Ok(Some(mark))
    }

    /// The value with the overlap of its time; none where there was no row.
    pub(super) fn begin(&self) -> Option<(&String, u32)> {
        Some((self.value.as_ref()?, self.overlap))
    }

    /// As it is kept.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// At the mark where this load ends, or within the overlap before it: the next load reads it again.
    pub(super) is_at_mark: bool,
    /// Before all that the last load remembered, which an overlap that has grown since shows: it is not new.
    pub(super) is_past: bool,
}

impl Place {
    /// As a statement's last column tells it.
    pub(super) fn of(flags: i64) -> Self {
        Self { is_at_mark: flags & 1 != 0, is_past: flags & 2 != 0 }
    }

    /// Of a source that is read as a whole.
    pub(super) const ANY: Self = Self { is_at_mark: false, is_past: false };
}

/// The rows at two marks: the one at which a load began, and the one at which it ends.
#[derive(Debug)]
pub(super) struct Remembered {
    column: String,
    /// The number of the load that left the mark; none for the first load.
    follows: Option<u64>,
    /// How often each row was there, less those that came again.
    known: HashMap<[u8; HASH_BYTES], u32>,
    next: String,
    /// Whether rows are delivered once. Where a mode by key takes them, a row may come again.
    is_exact: bool,
    /// Rows that were left out.
    left_out: u64,
}

impl Remembered {
    pub(super) fn new(column: &str, before: Option<&Mark>, is_exact: bool) -> Self {
        let mut known = HashMap::new();
        for digits in before.map(|mark| mark.rows.as_bytes()).unwrap_or_default().chunks_exact(HASH_BYTES * 2) {
            let mut hash = [0; HASH_BYTES];
            for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = digit(pair[0]) << 4 | digit(pair[1]);
            }
            *known.entry(hash).or_default() += 1;
        }
        let follows = before.map(|mark| mark.load);
        Self { column: column.into(), follows, known, next: String::new(), is_exact, left_out: 0 }
    }

    /// Takes note of a row. True for a row that is new.
    pub(super) fn is_new(&mut self, hash: &[u8; 32], place: Place, rows: &str) -> Result<bool, DatabaseError> {
        let mut short = [0; HASH_BYTES];
        short.copy_from_slice(&hash[..HASH_BYTES]);
        if place.is_at_mark {
            if self.next.len() < REMEMBERED_LIMIT * HASH_BYTES * 2 {
                self.next.push_str(&crate::source::hex(&short));
            } else if self.is_exact {
                let (column, rows) = (self.column.clone(), rows.into());
                return Err(DatabaseError::Crowded { rows, column, limit: REMEMBERED_LIMIT });
            }
        }
        if place.is_past {
            return Ok(false);
        }
        if let Some(count) = self.known.get_mut(&short)
            && *count > 0
        {
            *count -= 1;
            self.left_out += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// The number of the load that this one follows. A row may change and change back, or an equal one may come: loads
    /// of the same rows are the same load only where they go on from the same one.
    pub(super) fn follows(&self) -> Option<u64> {
        self.follows
    }

    /// Rows that were loaded before and have been left out.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The rows at the new mark.
    pub(super) fn into_rows(self) -> String {
        self.next
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(overlap: &u32) -> bool {
    *overlap == 0
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase().wrapping_sub(b'a').wrapping_add(10),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_counted_and_come_again_as_often_as_they_were_there() {
        let mut first = Remembered::new("id", None, true);
        for (row, flags) in [(1, 0), (2, 1), (2, 1), (3, 1)] {
            assert!(first.is_new(&[row; 32], Place::of(flags), "r").unwrap());
        }
        let rows = first.into_rows();
        let mark = Mark { column: "id".into(), value: Some("7".into()), load: 1, overlap: 0, class: None, rows };
        let mark = Mark::read(Some(&mark.text()), "id", "r").unwrap().unwrap();
        let mut second = Remembered::new("id", Some(&mark), true);
        let new: Vec<bool> = [2, 2, 2, 3, 4].map(|row| second.is_new(&[row; 32], Place::of(1), "r").unwrap()).into();
        assert_eq!(new, [false, false, true, false, true]);
        assert!(!second.is_new(&[5; 32], Place::of(2), "r").unwrap());
        assert_eq!(second.left_out(), 3);
    }

    #[test]
    fn a_mark_of_another_column_is_refused() {
        let mark = Mark { column: "id".into(), ..Mark::default() };
        let error = Mark::read(Some(&mark.text()), "seen", "postgres:hr/t").unwrap_err();
        let expected =
            "the last load of `postgres:hr/t` left a mark that cannot be used: it is one of `id` and not of `seen`";
        assert_eq!(error.to_string(), expected);
        assert!(Mark::read(Some("7"), "id", "r").is_err());
    }

    #[test]
    fn a_crowd_at_the_mark_is_refused_where_each_row_counts() {
        let fill = |is_exact| {
            let mut rows = Remembered::new("id", None, is_exact);
            (0..=REMEMBERED_LIMIT).map(|_| rows.is_new(&[1; 32], Place::of(1), "r")).last().unwrap()
        };
        assert!(matches!(fill(true), Err(DatabaseError::Crowded { .. })));
        assert!(fill(false).unwrap());
    }
}
