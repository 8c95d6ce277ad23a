//! One file → batches of text columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, UInt64Builder};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::super::file::{Content, Inspected, SourceFile};
use super::super::table::LeftOut;
use super::super::text::{is_missing, trimmed, truncated};
use super::super::{BATCH_ROWS, RAW_LIMIT_BYTES, SourceBatch, SourceError, UnreadableRow};
use super::dialect::{Dialect, Header};
use super::record::{Fields, QuoteProblem, Split, first_line, line_end, split};
use super::scan::find_line_end;
use crate::source::file::Decoded;

/// Bytes that one record may have. A longer one is a quote that is never closed, or no delimited text.
pub(super) const RECORD_LIMIT_BYTES: usize = 1 << 20;

/// Text bytes after which a batch is handed over although it has fewer rows.
const BATCH_BYTES: usize = 16 << 20;

/// Reason code of a row that holds bytes of no meaning.
pub(super) const ENCODING: &str = "ENCODING";

/// Reads the records of one file.
pub(super) struct Reader {
    name: Arc<str>,
    dialect: Arc<Dialect>,
    text: Decoded,
    /// Line that begins at the text's start, from 1.
    line: u64,
    fields: Fields,
    left_out: LeftOut,
    /// Bytes of text that each column of the last batch had: the next one will have about as many.
    column_bytes: Vec<usize>,
    reported_bytes: u64,
}

/// A record, or what stands in its place.
enum Next {
    /// Its fields are in `Reader::fields`, its text is the first so many bytes.
    Record {
        bytes: usize,
        lines: u64,
    },
    /// The first line, of so many bytes, whose quotes do not pair.
    BadQuote {
        bytes: usize,
        problem: QuoteProblem,
    },
    End,
}

/// A batch under construction.
struct Rows {
    columns: Vec<StringBuilder>,
    lines: UInt64Builder,
    unreadable: Vec<UnreadableRow>,
    count: usize,
    bytes: usize,
}

impl Reader {
    pub(super) fn open(file: &SourceFile, inspected: &Inspected, dialect: &Arc<Dialect>) -> Result<Self, SourceError> {
        Ok(Self {
            name: file.name.as_str().into(),
            dialect: Arc::clone(dialect),
            text: Decoded::open_inspected(file, inspected)?,
            line: 1,
            fields: Fields::default(),
            left_out: LeftOut::default(),
            column_bytes: Vec::new(),
            reported_bytes: 0,
        })
    }

    /// The header's fields as they stand there, or the declared names. Call it once, before any batch.
    pub(super) fn header(&mut self) -> Result<Vec<String>, SourceError> {
        let dialect = Arc::clone(&self.dialect);
        let line = if let Header::Line(line) = dialect.header { line } else { dialect.skip_lines + 1 };
        while self.line < line {
            self.skip_line(line)?;
            self.left_out.above += 1;
        }
        if let Header::Names(names) = &dialect.header {
            return Ok(names.clone());
        }
        let names = match self.next()? {
            Next::Record { .. } if matches!(dialect.header, Header::Line(line) if line != self.line) => {
                return Err(self.bad_header(format!("line {line} is blank or a comment")));
            }
            Next::Record { bytes, lines } => {
                let (mut names, mut scratch) = (Vec::new(), String::new());
                self.fields.for_each(self.text.first(bytes), &mut scratch, |_, name| names.push(name.to_owned()));
                if let Some(damage) = self.text.damage_within(bytes) {
                    return Err(self.text.undecodable(damage.position, self.line_of(damage.at)));
                }
                self.advance(bytes, lines);
                names
            }
            Next::BadQuote { problem, .. } => return Err(self.bad_header(quote_message(problem).into())),
            Next::End => return Err(SourceError::Empty { path: self.name.to_string() }),
        };
        Ok(names)
    }

    /// The next rows; none at the end.
    pub(super) fn batch(&mut self, schema: &SchemaRef) -> Result<Option<SourceBatch>, SourceError> {
        let width = schema.fields().len();
        let mut rows = self.rows(width);
        let (mut scratch, mut ended) = (String::new(), false);
        while rows.count + rows.unreadable.len() < BATCH_ROWS && rows.bytes < BATCH_BYTES {
            let next = self.next()?;
            if self.begins_footer(&next) {
                self.leave_rest_out()?;
                ended = true;
                break;
            }
            match next {
                Next::Record { bytes, lines } if self.fits(bytes, lines, width) => match self.undecodable(bytes) {
                    Some(row) => rows.reject(row, self, bytes, lines),
                    None => self.take(&mut rows, &mut scratch, (bytes, lines), width),
                },
                // Where it spans lines, only the first is given up: a quote that pairs with one of a later row must
                // not take the rows between them along. Completed, the other lines would pass for rows.
                Next::Record { bytes, lines } => {
                    let one_line = lines > 1 && !self.dialect.pads;
                    let given_up = if one_line { first_line(self.text.first(bytes).as_bytes()) } else { bytes };
                    let lines = if one_line { 1 } else { lines };
                    let found = self.fields.len();
                    let message = || format!("the row has {found} fields and the header {width}");
                    let row = self.undecodable(given_up);
                    let row = row.unwrap_or_else(|| self.unreadable("FIELD_COUNT", message(), given_up));
                    rows.reject(row, self, given_up, lines);
                }
                Next::BadQuote { bytes, problem } => {
                    let row = self.undecodable(bytes);
                    let row = row.unwrap_or_else(|| self.unreadable("QUOTE", quote_message(problem).into(), bytes));
                    rows.reject(row, self, bytes, 1);
                }
                Next::End => {
                    ended = true;
                    break;
                }
            }
        }
        if ended && rows.count == 0 && rows.unreadable.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.finished(rows, schema)))
    }

    /// What was left out so far.
    pub(super) fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// What it was read from.
    pub(super) fn into_content(self) -> Content {
        self.text.into_content()
    }

    fn rows(&self, width: usize) -> Rows {
        let room = |index| self.column_bytes.get(index).map_or(0, |bytes| bytes + bytes / 8 + 64);
        let builder = |index| StringBuilder::with_capacity(BATCH_ROWS, room(index));
        let rows = if self.column_bytes.is_empty() { 0 } else { BATCH_ROWS };
        let columns = match rows {
            0 => (0..width).map(|_| StringBuilder::new()).collect(),
            _ => (0..width).map(builder).collect(),
        };
        Rows { columns, lines: UInt64Builder::with_capacity(rows), unreadable: Vec::new(), count: 0, bytes: 0 }
    }

    fn finished(&mut self, mut rows: Rows, schema: &SchemaRef) -> SourceBatch {
        self.column_bytes = rows.columns.iter().map(|column| column.values_slice().len()).collect();
        let arrays = rows.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.count));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
            .expect("every column is nullable text and got one value a row");
        let stored = self.text.stored_bytes();
        let bytes = stored - self.reported_bytes;
        self.reported_bytes = stored;
        let (file, lines) = (Arc::clone(&self.name), rows.lines.finish());
        SourceBatch { batch, file, lines, unreadable: rows.unreadable, bytes }
    }

    /// Whether the record's fields are those of the header, or can be completed to be.
    fn fits(&mut self, bytes: usize, lines: u64, width: usize) -> bool {
        let found = self.fields.len();
        if found == width {
            return true;
        }
        // A row over several lines is more likely one whose quotes pair by accident.
        if !self.dialect.pads || lines > 1 {
            return false;
        }
        if found < width {
            self.left_out.padded += 1;
            return true;
        }
        let is_blank = self.fields.is_blank_from(self.text.first(bytes), width);
        self.left_out.shortened += u64::from(is_blank);
        is_blank
    }

    fn take(&mut self, rows: &mut Rows, scratch: &mut String, (bytes, lines): (usize, u64), width: usize) {
        let null_values = &self.dialect.null_values;
        self.fields.for_each(self.text.first(bytes), scratch, |index, value| match rows.columns.get_mut(index) {
            Some(column) if is_missing(value, null_values) => column.append_null(),
            Some(column) => column.append_value(value),
            None => {}
        });
        rows.columns.iter_mut().take(width).skip(self.fields.len()).for_each(StringBuilder::append_null);
        rows.lines.append_value(self.line);
        rows.count += 1;
        rows.bytes += bytes;
        self.advance(bytes, lines);
    }

    fn undecodable(&self, bytes: usize) -> Option<UnreadableRow> {
        let damage = self.text.damage_within(bytes)?;
        let (encoding, line) = (self.text.encoding().name(), self.line_of(damage.at));
        let message =
            format!("byte {} of the content, on line {line}, is no part of a character in {encoding}", damage.position);
        Some(self.unreadable(ENCODING, message, bytes))
    }

    fn unreadable(&self, reason: &'static str, message: String, bytes: usize) -> UnreadableRow {
        let raw = self.text.first(bytes).trim_end_matches(['\r', '\n']);
        UnreadableRow { line: self.line, reason, message, raw: truncated(raw, RAW_LIMIT_BYTES).to_owned() }
    }

    /// The line on which the byte `at` of the text stands.
    fn line_of(&self, at: usize) -> u64 {
        let before = &self.text.first(at).as_bytes();
        let mut line = self.line;
        let mut from = find_line_end(before, 0);
        while from < before.len() {
            line += 1;
            from += line_end(before, from, true).unwrap_or(1);
            from = find_line_end(before, from);
        }
        line
    }

    fn advance(&mut self, bytes: usize, lines: u64) {
        self.text.advance(bytes);
        self.line += lines;
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        loop {
            self.skip_blank_lines_and_comments()?;
            if self.text.rest().is_empty() && self.text.has_ended() {
                return Ok(Next::End);
            }
            let (delimiter, quote) = (self.dialect.delimiter, self.dialect.quote);
            let rest = self.text.rest().as_bytes();
            let in_quotes = match split(rest, delimiter, quote, self.text.has_ended(), &mut self.fields) {
                Split::Record { bytes, lines } if bytes <= RECORD_LIMIT_BYTES => {
                    return Ok(Next::Record { bytes, lines });
                }
                Split::Record { lines, .. } => lines > 1,
                Split::BadQuote { line_bytes, problem } if line_bytes <= RECORD_LIMIT_BYTES => {
                    return Ok(Next::BadQuote { bytes: line_bytes, problem });
                }
                Split::BadQuote { .. } => false,
                Split::NeedMore { .. } if rest.len() <= RECORD_LIMIT_BYTES => {
                    self.text.fill()?;
                    continue;
                }
                Split::NeedMore { in_quotes } => in_quotes,
            };
            let line_bytes = first_line(rest);
            if in_quotes && line_bytes < RECORD_LIMIT_BYTES {
                return Ok(Next::BadQuote { bytes: line_bytes, problem: QuoteProblem::NeverClosed });
            }
            return Err(self.too_long());
        }
    }

    /// Lines without a single character are no rows.
    fn skip_blank_lines_and_comments(&mut self) -> Result<(), SourceError> {
        let comment = self.dialect.comment.clone();
        loop {
            let rest = self.text.rest();
            if let Some(bytes) = line_end(rest.as_bytes(), 0, self.text.has_ended()).filter(|bytes| *bytes > 0) {
                self.left_out.blank += 1;
                self.advance(bytes, 1);
                continue;
            }
            match &comment {
                Some(prefix) if rest.len() < prefix.len() && !self.text.has_ended() => self.text.fill()?,
                Some(prefix) if rest.starts_with(&**prefix) => {
                    self.left_out.comments += 1;
                    self.skip_line(self.line)?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Passes over one line as it stands, whatever its quotes; `wanted` is the line that it is looked for.
    fn skip_line(&mut self, wanted: u64) -> Result<(), SourceError> {
        loop {
            let rest = self.text.rest().as_bytes();
            let at = find_line_end(rest, 0);
            let ended = self.text.has_ended();
            match line_end(rest, at, ended) {
                Some(bytes) if bytes > 0 || (ended && at > 0) => {
                    if self.left_out.footer_from.is_some() {
                        self.left_out.keep_footer(&self.text.rest()[..at]);
                    }
                    self.advance(at + bytes, 1);
                    return Ok(());
                }
                _ if ended => {
                    return Err(self.bad_header(format!("the file ends before line {wanted}")));
                }
                _ if rest.len() > RECORD_LIMIT_BYTES => return Err(self.too_long()),
                _ => self.text.fill()?,
            }
        }
    }

    /// Whether the declared footer begins with what comes next. Padding and a quote before it do not count.
    fn begins_footer(&self, next: &Next) -> bool {
        let footer = &self.dialect.footer;
        if !footer.has_pattern() {
            return false;
        }
        let bytes = match next {
            Next::Record { bytes, .. } | Next::BadQuote { bytes, .. } => *bytes,
            Next::End => return false,
        };
        let quote = self.dialect.quote.map(char::from);
        let row = trimmed(self.text.first(bytes));
        footer.begins_with(quote.and_then(|quote| row.strip_prefix(quote)).unwrap_or(row))
    }

    /// Passes over everything that is left, line by line.
    fn leave_rest_out(&mut self) -> Result<(), SourceError> {
        self.left_out.footer_from = Some(self.line);
        while !(self.text.rest().is_empty() && self.text.has_ended()) {
            if self.text.rest().is_empty() {
                self.text.fill()?;
                continue;
            }
            self.skip_line(self.line)?;
            self.left_out.footer_lines += 1;
        }
        Ok(())
    }

    fn bad_header(&self, reason: String) -> SourceError {
        SourceError::BadHeader { path: self.name.to_string(), reason }
    }

    fn too_long(&self) -> SourceError {
        let (path, line) = (self.name.to_string(), self.line);
        SourceError::RowTooLong { path, line, limit_bytes: RECORD_LIMIT_BYTES }
    }
}

impl Rows {
    fn reject(&mut self, row: UnreadableRow, reader: &mut Reader, bytes: usize, lines: u64) {
        self.bytes += row.raw.len();
        self.unreadable.push(row);
        reader.advance(bytes, lines);
    }
}

fn quote_message(problem: QuoteProblem) -> &'static str {
    match problem {
        QuoteProblem::TextAfterQuote => "text follows a closing quote: quotes within a field must be doubled",
        QuoteProblem::NeverClosed => "a field begins with a quote that is never closed",
    }
}
