//! Which rows of a sheet name its columns.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use calamine::Dimensions;

use super::super::SourceError;
use super::super::table::{NameRules, column_names};
use super::guard::COLUMNS;
use super::workbook::{Row, letters};
use crate::pipeline::{ExcelSource, HeaderDef, HeaderWord};

/// Rows that are looked at for one that is no title.
const TITLE_ROWS: usize = 100;

/// Rows that a header may have.
const HEADER_ROWS: u64 = 10;

/// Where the names of the columns come from.
#[derive(Debug, Clone)]
pub(super) enum HeaderRule {
    /// The first row that is no title.
    First { rows: Option<u64> },
    /// The rows from this one on.
    Row { number: u64, rows: Option<u64> },
    /// The pipeline.
    Names(Vec<String>),
}

impl HeaderRule {
    /// # Errors
    /// [`SourceError::BadSetting`] for settings that contradict each other.
    pub(super) fn try_new(def: &ExcelSource) -> Result<Self, SourceError> {
        let bad = |key, value: String, hint: &str| Err(SourceError::BadSetting { key, value, hint: hint.into() });
        if let Some(rows) = def.header_rows.filter(|rows| !(1..=HEADER_ROWS).contains(rows)) {
            return bad("header_rows", rows.to_string(), "a header has one row to ten");
        }
        let is_none = def.header == HeaderDef::Word(HeaderWord::None);
        match (def.header, def.columns.is_empty()) {
            (HeaderDef::Word(HeaderWord::None), true) => {
                bad("header", "none".into(), "name the columns in their order: `columns = [\"...\"]`")
            }
            (_, false) if !is_none => {
                let hint =
                    "columns are named where the sheet has no header: add `header = \"none\"`, or leave `columns` out";
                bad("columns", def.columns.join(", "), hint)
            }
            (HeaderDef::Word(HeaderWord::None), false) => Ok(Self::Names(def.columns.clone())),
            (HeaderDef::Word(HeaderWord::First), _) => Ok(Self::First { rows: def.header_rows }),
            (HeaderDef::Line(0), _) => bad("header", "0".into(), "rows count from 1"),
            (HeaderDef::Line(number), _) => Ok(Self::Row { number, rows: def.header_rows }),
        }
    }
}

/// The columns of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    /// The sheet's columns, from 0, that are named so.
    pub(super) columns: RangeInclusive<u32>,
    /// The rows on which the names stand; none where the pipeline names the columns.
    pub(super) rows: Option<RangeInclusive<u64>>,
}

impl Header {
    /// The first row below it.
    pub(super) fn end(&self) -> u64 {
        self.rows.as_ref().map_or(1, |rows| rows.end() + 1)
    }
}

/// Finds the header while rows come.
pub(super) struct Finder<'a> {
    rule: &'a HeaderRule,
    names: NameRules,
    /// None where the format does not tell.
    merged: Option<&'a [Dimensions]>,
    rows: Vec<Row>,
}

/// A header, and the rows that were read behind it.
type Found = (Header, Vec<Row>);

impl<'a> Finder<'a> {
    pub(super) fn new(rule: &'a HeaderRule, names: NameRules, merged: Option<&'a [Dimensions]>) -> Self {
        Self { rule, names, merged, rows: Vec::new() }
    }

    /// Takes the next row; the header, once it is known. The error is the reason.
    pub(super) fn push(&mut self, row: Row) -> Result<Option<Found>, String> {
        let number = row.number;
        self.rows.push(row);
        match self.span(false) {
            Some(rows) if number > *rows.end() => self.found(rows).map(Some),
            _ if matches!(self.rule, HeaderRule::Names(_)) => self.named().map(Some),
            _ => Ok(None),
        }
    }

    /// The header of a sheet that has no more rows; none where it has none at all.
    pub(super) fn end(&mut self) -> Result<Option<Found>, String> {
        match self.span(true) {
            Some(rows) => self.found(rows).map(Some),
            None => match self.rule {
                HeaderRule::Row { number, .. } => Err(format!("the sheet ends before row {number}")),
                HeaderRule::First { .. } | HeaderRule::Names(_) => Ok(None),
            },
        }
    }

    /// The rows of the header, once its first one is known.
    fn span(&self, ended: bool) -> Option<RangeInclusive<u64>> {
        let (first, rows) = match self.rule {
            HeaderRule::Names(_) => return None,
            HeaderRule::Row { number, rows } => {
                self.rows.iter().any(|row| row.number >= *number).then_some((*number, *rows))?
            }
            HeaderRule::First { rows } => {
                let filled = self.rows.iter().find(|row| row.cells.len() > 1);
                let gives_up = ended || self.rows.len() >= TITLE_ROWS;
                (filled.or_else(|| self.rows.first().filter(|_| gives_up))?.number, *rows)
            }
        };
        let last = match rows {
            Some(rows) => first + rows - 1,
            None => self.reach(first),
        };
        Some(first..=last)
    }

    /// The last row that merged cells of row `first` cover.
    fn reach(&self, first: u64) -> u64 {
        let starts_here = |range: &&Dimensions| u64::from(range.start.0) + 1 == first;
        let merged = self.merged.unwrap_or_default().iter().filter(starts_here);
        let last = merged.map(|range| u64::from(range.end.0) + 1).max().unwrap_or(first);
        last.min(first + HEADER_ROWS - 1)
    }

    fn found(&mut self, rows: RangeInclusive<u64>) -> Result<Found, String> {
        let first = *rows.start();
        let header: Vec<&Row> = self.rows.iter().filter(|row| rows.contains(&row.number)).collect();
        if header.first().is_none_or(|row| row.number != first) {
            return Err(format!("row {first} is blank"));
        }
        let lines = rows.clone().map(|number| self.line(&header, number, &rows)).collect::<Result<Vec<_>, _>>()?;
        let start = lines.iter().filter_map(|line| line.keys().next()).min().copied();
        let end = lines.iter().filter_map(|line| line.keys().next_back()).max().copied();
        let (Some(start), Some(end)) = (start, end) else {
            return Err(format!("row {first} is blank"));
        };
        let name = |column: u32| {
            let mut parts: Vec<&str> = Vec::new();
            for line in &lines {
                let part = line.get(&column).map(String::as_str);
                parts.extend(part.filter(|part| parts.last() != Some(part)));
            }
            parts.join(".")
        };
        let names: Vec<String> = (start..=end).map(name).collect();
        let names = column_names(&names, self.names).map_err(|reason| placed(&reason, start))?;
        let behind = self.rows.drain(..).filter(|row| row.number > *rows.end()).collect();
        Ok((Header { names, columns: start..=end, rows: Some(rows) }, behind))
    }

    /// One row of the header by its columns, with what merged cells put into it.
    fn line(&self, header: &[&Row], number: u64, rows: &RangeInclusive<u64>) -> Result<BTreeMap<u32, String>, String> {
        let own = header.iter().find(|row| row.number == number);
        let cells = own.into_iter().flat_map(|row| &row.cells);
        let mut line: BTreeMap<u32, String> =
            cells.map(|(column, value)| (*column, value.text.trim().to_owned())).collect();
        let Some(merged) = self.merged else {
            // Where nothing is known of merged cells, an upper name reaches to the next one.
            if number < *rows.end() {
                let below = header.iter().filter(|row| row.number > number).flat_map(|row| &row.cells);
                let last = below.map(|(column, _)| *column).max().unwrap_or_default();
                let mut name: Option<String> = None;
                for column in 0..=last {
                    match line.get(&column) {
                        Some(own) => name = Some(own.clone()),
                        None => {
                            if let Some(name) = &name {
                                line.insert(column, name.clone());
                            }
                        }
                    }
                }
            }
            return Ok(line);
        };
        let covers = |range: &&Dimensions| {
            let (first, last) = (u64::from(range.start.0) + 1, u64::from(range.end.0) + 1);
            rows.contains(&first) && (first..=last).contains(&number)
        };
        let mut covered = 0;
        for range in merged.iter().filter(covers) {
            covered += u64::from(range.end.1.saturating_sub(range.start.1)) + 1;
            if covered > u64::from(COLUMNS) {
                return Err(format!("merged cells overlap in row {number}"));
            }
            let top = header.iter().find(|row| row.number == u64::from(range.start.0) + 1);
            let name = top.and_then(|row| row.cells.iter().find(|(column, _)| *column == range.start.1));
            let Some((_, name)) = name else { continue };
            for column in range.start.1..=range.end.1 {
                line.entry(column).or_insert_with(|| name.text.trim().to_owned());
            }
        }
        Ok(line)
    }

    /// Declared names are those of the columns from A on.
    fn named(&mut self) -> Result<Found, String> {
        let HeaderRule::Names(names) = self.rule else { return Err("it has no names".into()) };
        let names = column_names(names, self.names)?;
        let end = u32::try_from(names.len()).map_err(|_| "it has too many columns".to_owned())?.saturating_sub(1);
        Ok((Header { names, columns: 0..=end, rows: None }, std::mem::take(&mut self.rows)))
    }
}

/// A reason that counts columns, with the sheet's own name of the first.
fn placed(reason: &str, first: u32) -> String {
    if first == 0 { reason.to_owned() } else { format!("{reason} (column 1 is {})", letters(first)) }
}
