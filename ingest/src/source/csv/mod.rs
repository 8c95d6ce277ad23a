//! Delimited text.

mod reader;
mod record;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use xiangyun_engine::catalog::RunSource;

use super::file::{Content, Detector, Encoding, Format, OpenFile, SourceFile};
use super::text::trimmed;
use super::{Batches, SourceBatch, SourceError};
use crate::pipeline::CsvSource;
use reader::Reader;

/// Delimited text with one header line.
#[derive(Debug)]
pub(super) struct Csv {
    delimiter: u8,
    /// None where each file's bytes decide.
    encoding: Option<Encoding>,
    null_values: Arc<[String]>,
}

impl Csv {
    /// # Errors
    /// [`SourceError::BadSetting`] for settings that mean nothing.
    pub(super) fn try_new(def: &CsvSource) -> Result<Self, SourceError> {
        let delimiter = match u8::try_from(def.delimiter) {
            Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => byte,
            _ => {
                return Err(SourceError::BadSetting {
                    key: "delimiter",
                    value: def.delimiter.to_string(),
                    hint: "use one ASCII character that is no quote and no line end, as in `,`, `;`, `|` or `\\t`"
                        .into(),
                });
            }
        };
        let encoding = Encoding::declared(&def.encoding)?;
        Ok(Self { delimiter, encoding, null_values: def.null_values.clone().into() })
    }
}

impl Format for Csv {
    /// Hashes the file, decides its encoding and reads its header. It reads the file once.
    ///
    /// # Errors
    /// Where a file is missing, empty, cut off or no text, or where its header names no columns.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let (encoding, record) = inspect(file, self.encoding)?;
        let header = Reader::open(file, encoding, self.delimiter)?.header()?;
        let names = column_names(&file.name, header)?;
        let fields: Vec<_> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        Ok(vec![Box::new(CsvFile {
            file: file.clone(),
            encoding,
            record,
            schema: Arc::new(Schema::new(fields)),
            delimiter: self.delimiter,
            null_values: Arc::clone(&self.null_values),
        })])
    }
}

/// One file of delimited text.
#[derive(Debug, Clone)]
struct CsvFile {
    file: SourceFile,
    encoding: Encoding,
    record: RunSource,
    schema: SchemaRef,
    delimiter: u8,
    null_values: Arc<[String]>,
}

impl OpenFile for CsvFile {
    fn record(&self) -> &RunSource {
        &self.record
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let mut reader = Reader::open(&self.file, self.encoding, self.delimiter)?;
        reader.header()?;
        Ok(Box::new(CsvBatches { file: self.clone(), reader: Some(reader), has_rows: false }))
    }
}

/// Hashes a file and decides its encoding.
fn inspect(file: &SourceFile, declared: Option<Encoding>) -> Result<(Encoding, RunSource), SourceError> {
    let mut content = Content::open(file)?;
    let (mut detector, mut piece, mut is_empty) = (Detector::default(), vec![0; 256 << 10], true);
    loop {
        match content.read(&mut piece)? {
            0 => break,
            count => {
                is_empty = false;
                detector.push(&piece[..count]);
            }
        }
    }
    if is_empty {
        return Err(SourceError::Empty { path: file.name.clone() });
    }
    let encoding = declared.unwrap_or_else(|| detector.decide());
    let stored = content.finish()?;
    let record = RunSource {
        path: file.name.clone(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
        encoding: Some(encoding.name().into()),
    };
    Ok((encoding, record))
}

/// Names as columns are called by: without padding, none empty, none twice.
fn column_names(file: &str, header: Vec<String>) -> Result<Vec<String>, SourceError> {
    let bad = |reason| SourceError::BadHeader { path: file.into(), reason };
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (index, name) in header.iter().enumerate() {
        let name = trimmed(name);
        if name.is_empty() {
            return Err(bad(format!("column {} has no name", index + 1)));
        }
        if let Some(first) = names.iter().position(|earlier| earlier == name) {
            return Err(bad(format!("columns {} and {} are both called `{name}`", first + 1, index + 1)));
        }
        names.push(name.into());
    }
    Ok(names)
}

struct CsvBatches {
    file: CsvFile,
    /// None behind the end.
    reader: Option<Reader>,
    has_rows: bool,
}

impl CsvBatches {
    fn step(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        if let Some(batch) = reader.batch(&self.file.schema, &self.file.null_values)? {
            self.has_rows = true;
            return Ok(Some(batch));
        }
        let path = || self.file.record.path.clone();
        if !self.has_rows {
            return Err(SourceError::NoRows { path: path() });
        }
        match self.reader.take().map(Reader::finish).transpose()? {
            Some(stored) if stored.sha256 != self.file.record.sha256 => Err(SourceError::Changed { path: path() }),
            _ => Ok(None),
        }
    }
}

impl Iterator for CsvBatches {
    type Item = Result<SourceBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

#[cfg(test)]
mod tests;
