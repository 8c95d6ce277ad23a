//! Delimited text in one or more files.

mod reader;
mod record;

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use xiangyun_engine::catalog::RunSource;

use super::content::Content;
use super::encoding::{Detector, Encoding};
use super::error::SourceError;
use super::files::{SourceFile, find};
use super::text::trimmed;
use super::{Batches, Source, SourceBatch};
use crate::pipeline::CsvSource;
use reader::Reader;

/// Files of delimited text with one header.
#[derive(Debug)]
pub struct CsvFiles {
    files: Vec<(SourceFile, Encoding)>,
    records: Vec<RunSource>,
    schema: SchemaRef,
    delimiter: u8,
    null_values: Vec<String>,
}

impl CsvFiles {
    /// Finds the files, hashes them, decides their encodings and reads their headers. It reads every file once.
    ///
    /// # Errors
    /// Where a file is missing, empty, cut off or no text, or where its header names no columns or other ones than
    /// the first file's.
    pub fn open(root: &Path, def: &CsvSource) -> Result<Self, SourceError> {
        let (delimiter, declared) = settings(def)?;
        let (mut files, mut records) = (Vec::new(), Vec::new());
        let mut columns: Option<Vec<String>> = None;
        for file in find(root, &def.path)? {
            let (encoding, record) = inspect(&file, declared)?;
            let header = Reader::open(&file, encoding, delimiter)?.header()?;
            let header = column_names(&file.name, header)?;
            match &columns {
                None => columns = Some(header),
                Some(first) => same_columns(&records[0], first, &file.name, &header)?,
            }
            files.push((file, encoding));
            records.push(record);
        }
        let fields: Vec<_> = columns.into_iter().flatten().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { files, records, schema, delimiter, null_values: def.null_values.clone() })
    }
}

/// Checks the settings without opening a file.
pub(super) fn check_settings(def: &CsvSource) -> Result<(), SourceError> {
    settings(def).map(|_| ())
}

/// The delimiter and the encoding that is declared.
fn settings(def: &CsvSource) -> Result<(u8, Option<Encoding>), SourceError> {
    match u8::try_from(def.delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => {
            Ok((byte, Encoding::declared(&def.encoding)?))
        }
        _ => Err(SourceError::BadSetting {
            key: "delimiter",
            value: def.delimiter.to_string(),
            hint: "use one ASCII character that is no quote and no line end, as in `,`, `;`, `|` or `\\t`".into(),
        }),
    }
}

impl Source for CsvFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn files(&self) -> &[RunSource] {
        &self.records
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        Ok(Box::new(CsvBatches {
            files: self.files.clone().into_iter().zip(self.records.clone()).collect::<Vec<_>>().into_iter(),
            schema: Arc::clone(&self.schema),
            delimiter: self.delimiter,
            null_values: self.null_values.clone(),
            open: None,
        }))
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

fn same_columns(first: &RunSource, expected: &[String], file: &str, found: &[String]) -> Result<(), SourceError> {
    let difference = match expected.iter().zip(found).position(|(expected, found)| expected != found) {
        Some(at) => format!("column {} is `{}` and not `{}`", at + 1, found[at], expected[at]),
        None if expected.len() == found.len() => return Ok(()),
        None => format!("it has {} and not {}", found.len(), expected.len()),
    };
    Err(SourceError::HeaderDiffers { path: file.into(), first: first.path.clone(), difference })
}

struct CsvBatches {
    files: std::vec::IntoIter<((SourceFile, Encoding), RunSource)>,
    schema: SchemaRef,
    delimiter: u8,
    null_values: Vec<String>,
    open: Option<OpenFile>,
}

struct OpenFile {
    reader: Reader,
    record: RunSource,
    has_rows: bool,
}

impl CsvBatches {
    fn step(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(((file, encoding), record)) = self.files.next() else { return Ok(None) };
                let mut reader = Reader::open(&file, encoding, self.delimiter)?;
                reader.header()?;
                self.open = Some(OpenFile { reader, record, has_rows: false });
                continue;
            };
            if let Some(batch) = open.reader.batch(&self.schema, &self.null_values)? {
                open.has_rows = true;
                return Ok(Some(batch));
            }
            if let Some(OpenFile { reader, record, has_rows }) = self.open.take() {
                if !has_rows {
                    return Err(SourceError::NoRows { path: record.path });
                }
                if reader.finish()?.sha256 != record.sha256 {
                    return Err(SourceError::Changed { path: record.path });
                }
            }
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
