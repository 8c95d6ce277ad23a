//! JSON: an object a row, one on each line or in an array of any length. Numbers keep their spelling, so that a code
//! of twenty digits and a decimal of thirty-eight come as they were sent.

mod document;
mod guess;
mod lines;
mod row;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexSet;
use xiangyun_engine::catalog::RunSource;

use super::file::{Content, Format, Inspected, OpenFile, SourceFile, TextDecoder, inspect};
use super::{Batches, SourceBatch, SourceError};
use crate::pipeline::JsonSource;
use document::Elements;
pub(super) use guess::guess_records;
use lines::Lines;
use row::{RowReader, Rows};

/// Bytes that one row may have.
const ROW_LIMIT_BYTES: usize = 16 << 20;

/// Columns that a file may have.
const MOST_COLUMNS: usize = 10_000;

/// JSON as a pipeline declares it.
#[derive(Debug, Clone)]
pub(super) struct Json {
    records: Option<String>,
    flatten: bool,
    null_values: Arc<[String]>,
}

impl Json {
    /// # Errors
    /// [`SourceError::BadSetting`] for a pointer that is none.
    pub(super) fn try_new(def: &JsonSource) -> Result<Self, SourceError> {
        if let Some(records) = def.records.as_ref().filter(|records| !records.is_empty() && !records.starts_with('/')) {
            let (value, hint) = (records.clone(), "write a JSON pointer, as in `/data/items`".into());
            return Err(SourceError::BadSetting { key: "records", value, hint });
        }
        Ok(Self { records: def.records.clone(), flatten: def.flatten, null_values: def.null_values.clone().into() })
    }

    /// An object on each line.
    pub(super) fn lines(null_values: &[String]) -> Self {
        Self { records: None, flatten: false, null_values: null_values.into() }
    }
}

impl Format for Json {
    /// Reads the file twice: for its hash and encoding, and for its columns.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let inspected = inspect(file, None)?;
        let mut opened =
            JsonFile { file: file.clone(), format: self.clone(), inspected, schema: Arc::new(Schema::empty()) };
        let mut names: IndexSet<String> = IndexSet::new();
        let mut rows = opened.rows()?;
        let mut any = false;
        while let Some(row) = rows.next()? {
            any = true;
            if let Ok(object) = row::parse(&row.text, self.flatten) {
                for name in object.into_keys() {
                    names.insert(name);
                }
            }
            if names.len() > MOST_COLUMNS {
                let reason = format!("its objects have more than {MOST_COLUMNS} different keys");
                return Err(bad(&file.name, reason));
            }
        }
        if !any {
            return Err(bad(&file.name, "it holds no row".into()));
        }
        let fields: Vec<_> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        opened.schema = Arc::new(Schema::new(fields));
        Ok(vec![Box::new(opened)])
    }
}

/// A file of JSON.
#[derive(Debug, Clone)]
struct JsonFile {
    file: SourceFile,
    format: Json,
    inspected: Inspected,
    schema: SchemaRef,
}

impl JsonFile {
    fn rows(&self) -> Result<Box<dyn RowReader>, SourceError> {
        let pointer = match &self.format.records {
            Some(pointer) => pointer.as_str(),
            None if self.is_array()? => "",
            None => return Ok(Box::new(Lines::open(&self.file, self.inspected.encoding)?)),
        };
        let content = Content::open_again(&self.file)?;
        let decoder = TextDecoder::new(&self.file.name, self.inspected.encoding);
        Ok(Box::new(Elements::open(content, decoder, &self.file.name, pointer)))
    }

    /// Whether the first character that counts is `[`.
    fn is_array(&self) -> Result<bool, SourceError> {
        let mut content = Content::open(&self.file)?;
        let mut decoder = TextDecoder::new(&self.file.name, self.inspected.encoding);
        let (mut piece, mut text, mut damages) = (vec![0; 4096], String::new(), Vec::new());
        loop {
            let count = content.read(&mut piece)?;
            decoder.decode_marking(&piece[..count], count == 0, &mut text, &mut damages);
            match text.trim_start().chars().next() {
                None if count > 0 => text.clear(),
                first => return Ok(first == Some('[')),
            }
        }
    }
}

impl OpenFile for JsonFile {
    fn record(&self) -> &RunSource {
        &self.inspected.record
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let rows =
            Rows::new(self.rows()?, &self.file.name, &self.schema, self.format.flatten, &self.format.null_values);
        Ok(Box::new(JsonBatches { rows: Some(rows), inspected: self.inspected.clone() }))
    }
}

struct JsonBatches {
    /// None behind the end.
    rows: Option<Rows>,
    inspected: Inspected,
}

impl Iterator for JsonBatches {
    type Item = Result<SourceBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.rows.as_mut()?.batch();
        if !matches!(batch, Ok(None)) {
            return batch.transpose();
        }
        let again = self.rows.take().map(Rows::finish)?;
        again.and_then(|again| self.inspected.compare(again)).err().map(Err)
    }
}

fn bad(path: &str, reason: String) -> SourceError {
    SourceError::BadFile { path: path.into(), kind: "JSON", reason }
}

#[cfg(test)]
mod tests;
