//! Delimited text.

mod dialect;
mod reader;
mod record;
mod scan;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use xiangyun_engine::catalog::RunSource;

use super::file::{Format, Inspected, OpenFile, SourceFile, inspect, inspect_start};
use super::table::{HeldBack, LeftOut, Unit, column_names};
use super::{Batches, SourceBatch, SourceError};
use crate::pipeline::CsvSource;
use dialect::Dialect;
use reader::{ENCODING, Reader};

/// Delimited text.
#[derive(Debug)]
pub(super) struct Csv {
    dialect: Arc<Dialect>,
    /// As in [`SourceContext::read_once_from`](super::SourceContext::read_once_from).
    read_once_from: Option<u64>,
}

impl Csv {
    /// # Errors
    /// [`SourceError::BadSetting`] for settings that mean nothing.
    pub(super) fn try_new(def: &CsvSource) -> Result<Self, SourceError> {
        Ok(Self { dialect: Arc::new(Dialect::try_new(def)?), read_once_from: None })
    }

    /// Reads files of at least so many bytes once.
    pub(super) fn reading_once(self, from_bytes: Option<u64>) -> Self {
        Self { read_once_from: from_bytes, ..self }
    }

    fn inspect(&self, file: &SourceFile) -> Result<Inspected, SourceError> {
        let encoding = self.dialect.encoding;
        if let Some(from_bytes) = self.read_once_from
            && let Some(inspected) = inspect_start(file, encoding, from_bytes)?
        {
            return Ok(inspected);
        }
        inspect(file, encoding)
    }
}

impl Format for Csv {
    /// Hashes the file, decides its encoding and reads its header. It reads the file once, or only its start.
    ///
    /// # Errors
    /// Where a file is missing, empty, cut off or no text, or where its header names no columns.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let inspected = self.inspect(file)?;
        let header = Reader::open(file, &inspected, &self.dialect)?.header()?;
        let names = column_names(&header, self.dialect.names)
            .map_err(|reason| SourceError::BadHeader { path: file.name.clone(), reason })?;
        let fields: Vec<_> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        Ok(vec![Box::new(CsvFile {
            file: file.clone(),
            inspected,
            schema: Arc::new(Schema::new(fields)),
            dialect: Arc::clone(&self.dialect),
            left_out: Arc::default(),
        })])
    }
}

/// One file of delimited text.
#[derive(Debug, Clone)]
struct CsvFile {
    file: SourceFile,
    inspected: Inspected,
    schema: SchemaRef,
    dialect: Arc<Dialect>,
    /// Of the last reading that came to the end; all of them find the same.
    left_out: Arc<Mutex<LeftOut>>,
}

impl OpenFile for CsvFile {
    fn record(&self) -> &RunSource {
        &self.inspected.record
    }

    fn hashed(&self) -> Result<RunSource, SourceError> {
        self.inspected.hashed(&self.file)
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let mut reader = Reader::open(&self.file, &self.inspected, &self.dialect)?;
        reader.header()?;
        let (held_back, tally) = (HeldBack::default(), Tally::default());
        Ok(Box::new(CsvBatches { file: self.clone(), reader: Some(reader), held_back, tally }))
    }

    fn footer(&self) -> Vec<String> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).footer.clone()
    }

    fn notes(&self) -> Vec<String> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).notes(&self.record().path, Unit::Line)
    }
}

/// What was read of a file.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    undecodable: u64,
    /// Line and message of the first row with bytes of no meaning.
    first: Option<(u64, String)>,
}

impl Tally {
    fn add(&mut self, batch: &SourceBatch) {
        self.rows += (batch.batch.num_rows() + batch.unreadable.len()) as u64;
        for row in batch.unreadable.iter().filter(|row| row.reason == ENCODING) {
            self.undecodable += 1;
            self.first.get_or_insert_with(|| (row.line, row.message.clone()));
        }
    }
}

struct CsvBatches {
    file: CsvFile,
    /// None behind the end.
    reader: Option<Reader>,
    held_back: HeldBack,
    tally: Tally,
}

impl CsvBatches {
    fn step(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        let footer = self.file.dialect.footer.rows;
        while let Some(reader) = &mut self.reader {
            match reader.batch(&self.file.schema)? {
                Some(batch) if footer == 0 => {
                    self.tally.add(&batch);
                    return Ok(Some(batch));
                }
                Some(batch) => self.held_back.push(batch),
                None => self.end(footer)?,
            }
            if self.reader.is_some()
                && let Some(batch) = self.held_back.pop(footer)
            {
                self.tally.add(&batch);
                return Ok(Some(batch));
            }
        }
        Ok(self.held_back.pop(0))
    }

    /// Settles what holds of the file as a whole.
    fn end(&mut self, footer: usize) -> Result<(), SourceError> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        let cut = self.held_back.cut(footer);
        self.held_back.each().for_each(|batch| self.tally.add(batch));
        let path = || self.file.record().path.clone();
        let mut left_out = reader.left_out().clone();
        cut.enter(&mut left_out);
        if self.tally.rows == 0 {
            return Err(SourceError::NoRows { path: path() });
        }
        self.file.inspected.end(reader.into_content())?;
        // A file that is in another encoding does not become a quarantine of all its rows.
        if self.tally.undecodable * 2 > self.tally.rows
            && let Some((line, first)) = self.tally.first.take()
        {
            let encoding = self.file.inspected.encoding.name().into();
            let (rows, undecodable) = (self.tally.rows, self.tally.undecodable);
            return Err(SourceError::MostlyUndecodable { path: path(), encoding, rows, undecodable, line, first });
        }
        *self.file.left_out.lock().unwrap_or_else(PoisonError::into_inner) = left_out;
        Ok(())
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
