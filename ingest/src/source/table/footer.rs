//! Where the rows of a file end: before a row that begins as declared, or so many rows before the end, which are held
//! back until the file has ended.

use std::collections::VecDeque;

use arrow::array::{Array, AsArray};
use regex::Regex;

use super::super::text::trimmed;
use super::super::{SourceBatch, SourceError};
use super::LeftOut;
use crate::pipeline::FooterDef;

/// Rows at the end that may be left out by their number: so many are held back while a file is read.
const FOOTER_ROWS: u64 = 1_000;

/// How a footer is told.
#[derive(Debug, Clone, Default)]
pub(in crate::source) struct Footer {
    /// So many rows at the end.
    pub(in crate::source) rows: usize,
    /// How its first row begins.
    pattern: Option<Regex>,
}

impl Footer {
    /// # Errors
    /// [`SourceError::BadSetting`] for a pattern that is none, or that every row begins with.
    pub(in crate::source) fn try_new(def: Option<&FooterDef>) -> Result<Self, SourceError> {
        let bad = |value: String, hint: &str| Err(SourceError::BadSetting { key: "footer", value, hint: hint.into() });
        match def {
            None => Ok(Self::default()),
            Some(FooterDef::Rows(rows)) if *rows <= FOOTER_ROWS => {
                Ok(Self { rows: usize::try_from(*rows).unwrap_or_default(), pattern: None })
            }
            Some(FooterDef::Rows(rows)) => {
                bad(rows.to_string(), "use a pattern for a footer of more than a thousand rows")
            }
            Some(FooterDef::Pattern(pattern)) => match Regex::new(&format!("^(?:{pattern})")) {
                Ok(regex) if !regex.is_match("") => Ok(Self { rows: 0, pattern: Some(regex) }),
                Ok(_) => bad(pattern.clone(), "it matches every row: write how the footer begins, as in `合计|注：`"),
                Err(_) => bad(pattern.clone(), "it is no regular expression: write a number of rows or how it begins"),
            },
        }
    }

    /// Whether the footer is told by how it begins.
    pub(in crate::source) fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    /// Whether the footer begins with a row of this text. Padding before it does not count.
    pub(in crate::source) fn begins_with(&self, row: &str) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(trimmed(row)))
    }
}

/// Batches that may still turn out to be footer.
#[derive(Debug, Default)]
pub(in crate::source) struct HeldBack {
    batches: VecDeque<SourceBatch>,
}

/// The rows that were left out at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Cut {
    pub(in crate::source) rows: u64,
    /// The line of the first of them.
    pub(in crate::source) from: Option<u64>,
    /// What they say, the first of them first.
    texts: Vec<String>,
}

impl Cut {
    /// Enters the rows into what was left out of the file.
    pub(in crate::source) fn enter(self, left_out: &mut LeftOut) {
        if self.rows > 0 {
            (left_out.footer_rows, left_out.footer_from) = (self.rows, self.from);
            self.texts.iter().for_each(|text| left_out.keep_footer(text));
        }
    }
}

impl HeldBack {
    /// Takes a batch in.
    pub(in crate::source) fn push(&mut self, batch: SourceBatch) {
        self.batches.push_back(batch);
    }

    /// A batch behind which `rows` or more rows are held back.
    pub(in crate::source) fn pop(&mut self, rows: usize) -> Option<SourceBatch> {
        let behind: usize = self.batches.iter().skip(1).map(rows_of).sum();
        if behind >= rows { self.batches.pop_front() } else { None }
    }

    /// The batches that are held back.
    pub(in crate::source) fn each(&self) -> impl Iterator<Item = &SourceBatch> {
        self.batches.iter()
    }

    /// Leaves the last `rows` rows out; what is left is popped with zero rows behind it.
    pub(in crate::source) fn cut(&mut self, rows: usize) -> Cut {
        let mut cut = Cut::default();
        for batch in self.batches.iter_mut().rev() {
            for _ in cut.rows..rows as u64 {
                let Some((line, text)) = remove_last(batch) else { break };
                (cut.rows, cut.from) = (cut.rows + 1, Some(line));
                cut.texts.push(text);
            }
        }
        cut.texts.reverse();
        cut
    }
}

fn rows_of(batch: &SourceBatch) -> usize {
    batch.batch.num_rows() + batch.unreadable.len()
}

/// Removes the row on the greatest line, readable or not; gives its line and what it says.
fn remove_last(batch: &mut SourceBatch) -> Option<(u64, String)> {
    let readable = batch.lines.values().last().copied();
    let unreadable = batch.unreadable.last().map(|row| row.line);
    if unreadable > readable {
        return batch.unreadable.pop().map(|row| (row.line, row.raw));
    }
    let rows = batch.lines.len().checked_sub(1)?;
    let values = batch.batch.columns().iter().filter_map(|column| column.as_string_opt::<i32>());
    let values: Vec<_> = values.map(|column| if column.is_null(rows) { "" } else { column.value(rows) }).collect();
    let text = values.join(",");
    batch.batch = batch.batch.slice(0, rows);
    batch.lines = batch.lines.slice(0, rows);
    readable.map(|line| (line, text))
}
