//! One file → batches of text columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, UInt64Builder};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::super::file::{Content, Encoding, SourceFile, StoredBytes, TextDecoder};
use super::super::text::{is_missing, truncated};
use super::super::{BATCH_ROWS, RAW_LIMIT_BYTES, SourceBatch, SourceError, UnreadableRow};
use super::record::{Fields, QuoteProblem, Split, first_line, line_end, split};

/// Bytes that one record may have. A longer one is a quote that is never closed, or no delimited text.
pub(super) const RECORD_LIMIT_BYTES: usize = 1 << 20;

/// Content bytes decoded at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Text bytes after which a batch is handed over although it has fewer rows.
const BATCH_BYTES: usize = 16 << 20;

/// Reads the records of one file.
pub(super) struct Reader {
    name: Arc<str>,
    delimiter: u8,
    content: Content,
    decoder: TextDecoder,
    piece: Vec<u8>,
    text: String,
    /// Bytes of `text` that are done with.
    done: usize,
    /// All of the content is in `text`.
    ended: bool,
    /// Line that begins at `done`, from 1.
    line: u64,
    fields: Fields,
    reported_bytes: u64,
}

/// A record, or what stands in its place.
enum Next {
    /// Its fields are in `Reader::fields`, its text has so many bytes from `Reader::done` on.
    Record {
        bytes: usize,
        lines: u64,
    },
    Unreadable(UnreadableRow),
    End,
}

impl Reader {
    pub(super) fn open(file: &SourceFile, encoding: Encoding, delimiter: u8) -> Result<Self, SourceError> {
        Ok(Self {
            name: file.name.as_str().into(),
            delimiter,
            content: Content::open(file)?,
            decoder: TextDecoder::new(&file.name, encoding),
            piece: vec![0; PIECE_BYTES],
            text: String::new(),
            done: 0,
            ended: false,
            line: 1,
            fields: Fields::default(),
            reported_bytes: 0,
        })
    }

    /// The fields of the first record. Call it once, before any batch.
    pub(super) fn header(&mut self) -> Result<Vec<String>, SourceError> {
        match self.next()? {
            Next::Record { bytes, lines } => {
                let (mut names, mut scratch) = (Vec::new(), String::new());
                let record = &self.text[self.done..self.done + bytes];
                self.fields.for_each(record, &mut scratch, |_, name| names.push(name.to_owned()));
                self.advance(bytes, lines);
                Ok(names)
            }
            Next::Unreadable(row) => Err(SourceError::BadHeader { path: self.name.to_string(), reason: row.message }),
            Next::End => Err(SourceError::Empty { path: self.name.to_string() }),
        }
    }

    /// The next rows; none at the end.
    pub(super) fn batch(
        &mut self,
        schema: &SchemaRef,
        null_values: &[String],
    ) -> Result<Option<SourceBatch>, SourceError> {
        let width = schema.fields().len();
        let mut columns: Vec<StringBuilder> = (0..width).map(|_| StringBuilder::new()).collect();
        let mut lines = UInt64Builder::new();
        let (mut unreadable, mut scratch, mut size) = (Vec::new(), String::new(), 0);
        let (mut rows, mut ended) = (0, false);
        while rows + unreadable.len() < BATCH_ROWS && size < BATCH_BYTES {
            match self.next()? {
                Next::Record { bytes, lines: count } if self.fields.len() == width => {
                    lines.append_value(self.line);
                    let record = &self.text[self.done..self.done + bytes];
                    self.fields.for_each(record, &mut scratch, |index, value| {
                        if is_missing(value, null_values) {
                            columns[index].append_null();
                        } else {
                            columns[index].append_value(value);
                        }
                    });
                    rows += 1;
                    size += bytes;
                    self.advance(bytes, count);
                }
                Next::Record { bytes, lines } => {
                    let row = self.misfit(bytes, lines, width);
                    size += row.raw.len();
                    unreadable.push(row);
                }
                Next::Unreadable(row) => {
                    size += row.raw.len();
                    unreadable.push(row);
                }
                Next::End => {
                    ended = true;
                    break;
                }
            }
        }
        if ended && rows == 0 && unreadable.is_empty() {
            return Ok(None);
        }
        let arrays = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
            .expect("every column is nullable text and got one value a row");
        let stored = self.content.stored_bytes();
        let bytes = stored - self.reported_bytes;
        self.reported_bytes = stored;
        Ok(Some(SourceBatch { batch, file: Arc::clone(&self.name), lines: lines.finish(), unreadable, bytes }))
    }

    /// Size and hash of the file as it was read.
    pub(super) fn finish(self) -> Result<StoredBytes, SourceError> {
        self.content.finish()
    }

    /// A record that does not fit the header. Where it spans lines, only the first is given up: a quote that pairs
    /// with one of a later row must not take the rows between them along.
    fn misfit(&mut self, bytes: usize, lines: u64, width: usize) -> UnreadableRow {
        let found = self.fields.len();
        let record = &self.text[self.done..self.done + bytes];
        let given_up = if lines > 1 { first_line(record.as_bytes()) } else { bytes };
        let row = UnreadableRow {
            line: self.line,
            reason: "FIELD_COUNT",
            message: format!("the row has {found} fields and the header {width}"),
            raw: raw(&record[..given_up]),
        };
        self.advance(given_up, 1);
        row
    }

    fn advance(&mut self, bytes: usize, lines: u64) {
        self.done += bytes;
        self.line += lines;
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        loop {
            // Lines without a single character are no rows.
            while let Some(bytes) = line_end(self.text.as_bytes(), self.done, self.ended).filter(|bytes| *bytes > 0) {
                self.advance(bytes, 1);
            }
            if self.done == self.text.len() && self.ended {
                return Ok(Next::End);
            }
            let rest = &self.text.as_bytes()[self.done..];
            let in_quotes = match split(rest, self.delimiter, self.ended, &mut self.fields) {
                Split::Record { bytes, lines } if bytes <= RECORD_LIMIT_BYTES => {
                    return Ok(Next::Record { bytes, lines });
                }
                Split::Record { lines, .. } => lines > 1,
                Split::BadQuote { line_bytes, problem } if line_bytes <= RECORD_LIMIT_BYTES => {
                    return Ok(Next::Unreadable(self.stray_quote(line_bytes, problem)));
                }
                Split::BadQuote { .. } => false,
                Split::NeedMore { .. } if rest.len() <= RECORD_LIMIT_BYTES => {
                    self.fill()?;
                    continue;
                }
                Split::NeedMore { in_quotes } => in_quotes,
            };
            let line_bytes = first_line(rest);
            if in_quotes && line_bytes < RECORD_LIMIT_BYTES {
                return Ok(Next::Unreadable(self.stray_quote(line_bytes, QuoteProblem::NeverClosed)));
            }
            return Err(SourceError::RowTooLong {
                path: self.name.to_string(),
                line: self.line,
                limit_bytes: RECORD_LIMIT_BYTES,
            });
        }
    }

    fn stray_quote(&mut self, line_bytes: usize, problem: QuoteProblem) -> UnreadableRow {
        let message = match problem {
            QuoteProblem::TextAfterQuote => "text follows a closing quote: quotes within a field must be doubled",
            QuoteProblem::NeverClosed => "a field begins with a quote that is never closed",
        };
        let row = UnreadableRow {
            line: self.line,
            reason: "QUOTE",
            message: message.into(),
            raw: raw(&self.text[self.done..self.done + line_bytes]),
        };
        self.advance(line_bytes, 1);
        row
    }

    /// Decodes the next piece of the content.
    fn fill(&mut self) -> Result<(), SourceError> {
        self.text.drain(..self.done);
        self.done = 0;
        let count = self.content.read(&mut self.piece)?;
        self.ended = count == 0;
        self.decoder.decode(&self.piece[..count], self.ended, &mut self.text)
    }
}

/// A row's text without its line end, cut off where it is long.
fn raw(record: &str) -> String {
    truncated(record.trim_end_matches(['\r', '\n']), RAW_LIMIT_BYTES).to_owned()
}
