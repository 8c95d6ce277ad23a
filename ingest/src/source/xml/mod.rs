//! XML: a row for each element of a name or place. Names count without their namespaces; document types are not read,
//! so that no entity expands; nothing but the row at hand is in memory.

mod element;
mod encoding;
mod guess;
mod rows;
mod text;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, UInt64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use indexmap::IndexSet;
use xiangyun_engine::catalog::RunSource;

pub(super) use guess::guess_row;

use super::file::{Encoding, Format, Inspected, OpenFile, SourceFile, inspect};
use super::text::{is_missing, truncated};
use super::{BATCH_ROWS, Batches, RAW_LIMIT_BYTES, SourceBatch, SourceError, UnreadableRow};
use crate::pipeline::XmlSource;
use rows::{RowRule, Rows};

/// Columns that a file may have.
const MOST_COLUMNS: usize = 10_000;

/// Text bytes after which a batch is handed over although it has fewer rows.
const BATCH_BYTES: usize = 16 << 20;

/// XML as a pipeline declares it.
#[derive(Debug, Clone)]
pub(super) struct Xml {
    row: RowRule,
    /// None where each file says it.
    encoding: Option<Encoding>,
    null_values: Arc<[String]>,
}

impl Xml {
    /// # Errors
    /// [`SourceError::BadSetting`] for settings that mean nothing.
    pub(super) fn try_new(def: &XmlSource) -> Result<Self, SourceError> {
        let row = RowRule::try_new(def.row.as_deref())?;
        Ok(Self { row, encoding: Encoding::declared(&def.encoding)?, null_values: def.null_values.clone().into() })
    }
}

impl Format for Xml {
    /// Reads the file twice: for its hash, and for its columns.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let declared = match self.encoding {
            None => encoding::declared(file)?,
            said => said,
        };
        let inspected = inspect(file, declared)?;
        let mut rows = Rows::open(file, inspected.encoding, &self.row)?;
        let (mut names, mut any) = (IndexSet::new(), false);
        while let Some(row) = rows.next()? {
            any = true;
            for (name, _) in row.fields {
                if !names.contains(&name) {
                    names.insert(name);
                }
            }
            if names.len() > MOST_COLUMNS {
                return Err(bad(&file.name, format!("its rows have more than {MOST_COLUMNS} different columns")));
            }
        }
        if !any {
            return Err(bad(&file.name, format!("it has no row: {}", self.row.missing())));
        }
        let fields: Vec<_> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(vec![Box::new(XmlFile { file: file.clone(), format: self.clone(), inspected, schema })])
    }
}

/// One file of XML.
#[derive(Debug, Clone)]
struct XmlFile {
    file: SourceFile,
    format: Xml,
    inspected: Inspected,
    schema: SchemaRef,
}

impl OpenFile for XmlFile {
    fn record(&self) -> &RunSource {
        &self.inspected.record
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let rows = Rows::open(&self.file, self.inspected.encoding, &self.format.row)?;
        Ok(Box::new(XmlBatches { file: self.clone(), rows: Some(rows), reported_bytes: 0 }))
    }
}

struct XmlBatches {
    file: XmlFile,
    /// None behind the end.
    rows: Option<Rows>,
    reported_bytes: u64,
}

impl XmlBatches {
    fn batch(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let schema = &self.file.schema;
        let mut columns: Vec<StringBuilder> = schema.fields().iter().map(|_| StringBuilder::new()).collect();
        let (mut lines, mut unreadable) = (UInt64Builder::new(), Vec::new());
        let (mut count, mut size) = (0, 0);
        while count + unreadable.len() < BATCH_ROWS && size < BATCH_BYTES {
            let Some(row) = rows.next()? else { break };
            // A missing value takes room too, and there may be many columns.
            size += row.fields.values().map(String::len).sum::<usize>() + columns.len() * size_of::<i32>();
            if let Some((reason, message)) = row.fault {
                let object: serde_json::Map<_, _> =
                    row.fields.into_iter().map(|(name, text)| (name, serde_json::Value::String(text))).collect();
                let raw = truncated(&serde_json::Value::Object(object).to_string(), RAW_LIMIT_BYTES).to_owned();
                unreadable.push(UnreadableRow { line: row.line, reason, message, raw });
                continue;
            }
            for (field, column) in schema.fields().iter().zip(&mut columns) {
                let text = row.fields.get(field.name());
                column.append_option(text.filter(|text| !is_missing(text, &self.file.format.null_values)));
            }
            lines.append_value(row.line);
            count += 1;
        }
        if count == 0 && unreadable.is_empty() {
            return self.end().map(|()| None);
        }
        let arrays = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
            .expect("every column is nullable text and got one value a row");
        let stored = rows.stored_bytes();
        let bytes = stored - self.reported_bytes;
        self.reported_bytes = stored;
        let file = self.file.record().path.as_str().into();
        Ok(Some(SourceBatch { batch, file, lines: lines.finish(), unreadable, bytes }))
    }

    fn end(&mut self) -> Result<(), SourceError> {
        let again = self.rows.take().map(Rows::finish).transpose()?;
        again.map_or(Ok(()), |again| self.file.inspected.compare(again))
    }
}

impl Iterator for XmlBatches {
    type Item = Result<SourceBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn bad(path: &str, reason: String) -> SourceError {
    SourceError::BadFile { path: path.into(), kind: "XML", reason }
}

#[cfg(test)]
mod tests;
