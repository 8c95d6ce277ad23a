//! Objects → rows of text columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, UInt64Builder};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::super::file::Fingerprint;
use super::super::text::{is_missing, truncated};
use super::super::{BATCH_ROWS, RAW_LIMIT_BYTES, SourceBatch, SourceError, UnreadableRow};

/// Text bytes after which a batch is handed over although it has fewer rows.
const BATCH_BYTES: usize = 16 << 20;

/// Objects within objects that are flattened; deeper ones stay JSON text.
const MOST_LEVELS: usize = 16;

/// The text of one row, and where it stands.
pub(super) struct RowText {
    /// JSON, or what stands in its place.
    pub(super) text: String,
    /// The line, or the element's number, from 1.
    pub(super) line: u64,
    /// Why it is no JSON, where that is known already: the reason code and the words.
    pub(super) fault: Option<(&'static str, String)>,
}

/// Hands over the rows of a file one by one.
pub(super) trait RowReader: Send {
    /// The next row; none at the end.
    fn next(&mut self) -> Result<Option<RowText>, SourceError>;

    /// Stored bytes that were read so far.
    fn stored_bytes(&self) -> u64;

    /// Of the file as it was read.
    fn finish(self: Box<Self>) -> Result<Fingerprint, SourceError>;
}

/// The fields of an object with their values as they are written.
///
/// # Errors
/// The words for a text that is no object.
pub(super) fn parse(text: &str, flatten: bool) -> Result<IndexMap<String, Cow<'_, RawValue>>, String> {
    let object: IndexMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !flatten {
        return Ok(object.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect());
    }
    let mut flat = IndexMap::with_capacity(object.len());
    flatten_into(&mut flat, None, object, 1);
    Ok(flat)
}

fn flatten_into<'a>(
    flat: &mut IndexMap<String, Cow<'a, RawValue>>,
    prefix: Option<&str>,
    object: IndexMap<String, &'a RawValue>,
    level: usize,
) {
    for (name, value) in object {
        let name = prefix.map_or_else(|| name.clone(), |prefix| format!("{prefix}.{name}"));
        let inner = (level < MOST_LEVELS && value.get().starts_with('{'))
            .then(|| serde_json::from_str::<IndexMap<String, &'a RawValue>>(value.get()).ok())
            .flatten();
        match inner {
            Some(inner) => flatten_into(flat, Some(&name), inner, level + 1),
            None => {
                flat.insert(name, Cow::Borrowed(value));
            }
        }
    }
}

/// Rows in batches.
pub(super) struct Rows {
    reader: Box<dyn RowReader>,
    file: Arc<str>,
    schema: SchemaRef,
    flatten: bool,
    null_values: Arc<[String]>,
    reported_bytes: u64,
}

impl Rows {
    pub(super) fn new(
        reader: Box<dyn RowReader>,
        file: &str,
        schema: &SchemaRef,
        flatten: bool,
        null_values: &Arc<[String]>,
    ) -> Self {
        let (schema, null_values) = (Arc::clone(schema), Arc::clone(null_values));
        Self { reader, file: file.into(), schema, flatten, null_values, reported_bytes: 0 }
    }

    /// The next rows; none at the end.
    pub(super) fn batch(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        let mut columns: Vec<StringBuilder> = self.schema.fields().iter().map(|_| StringBuilder::new()).collect();
        let (mut lines, mut unreadable) = (UInt64Builder::new(), Vec::new());
        let (mut rows, mut size) = (0, 0);
        while rows + unreadable.len() < BATCH_ROWS && size < BATCH_BYTES {
            let Some(row) = self.reader.next()? else { break };
            size += row.text.len();
            let (reason, message) = match row.fault {
                Some(fault) => fault,
                None => match parse(&row.text, self.flatten) {
                    Ok(object) => {
                        self.append(&mut columns, &object);
                        lines.append_value(row.line);
                        rows += 1;
                        continue;
                    }
                    Err(message) => ("JSON", message),
                },
            };
            let raw = truncated(&row.text, RAW_LIMIT_BYTES).to_owned();
            unreadable.push(UnreadableRow { line: row.line, reason, message, raw });
        }
        if rows == 0 && unreadable.is_empty() {
            return Ok(None);
        }
        let arrays = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .expect("every column is nullable text and got one value a row");
        let stored = self.reader.stored_bytes();
        let bytes = stored - self.reported_bytes;
        self.reported_bytes = stored;
        Ok(Some(SourceBatch { batch, file: Arc::clone(&self.file), lines: lines.finish(), unreadable, bytes }))
    }

    fn append(&self, columns: &mut [StringBuilder], object: &IndexMap<String, Cow<'_, RawValue>>) {
        for (field, column) in self.schema.fields().iter().zip(columns) {
            // The text "null" is a text: it may be a code, or a name.
            let value = object.get(field.name()).filter(|value| value.get() != "null").map(|value| plain(value));
            column.append_option(value.filter(|value| !is_missing(value, &self.null_values)));
        }
    }

    pub(super) fn finish(self) -> Result<Fingerprint, SourceError> {
        self.reader.finish()
    }
}

/// A JSON text without its quotes, any other value as it is written.
fn plain(value: &RawValue) -> Cow<'_, str> {
    let text = value.get();
    if !text.starts_with('"') {
        return Cow::Borrowed(text);
    }
    serde_json::from_str::<Cow<'_, str>>(text).unwrap_or(Cow::Borrowed(text))
}
