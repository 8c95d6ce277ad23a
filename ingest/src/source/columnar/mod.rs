//! Files whose columns have types of their own: Parquet, Arrow and Avro. They go to the contract typed, so that nothing
//! is read from text twice; what SQL has no type for comes as text.

mod avro;
mod avro_blocks;
mod avro_rows;
mod ipc;
mod parquet;
mod plain;

use std::fs::File;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use xiangyun_engine::catalog::RunSource;

use super::file::{Format, OpenFile, SourceFile, spool};
use super::{BATCH_ROWS, Batches, SourceBatch, SourceError, apart};

/// Columns that a file may have.
const MOST_COLUMNS: usize = 10_000;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columnar {
    Parquet,
    /// IPC files (Feather) and streams.
    Arrow,
    /// Object container files.
    Avro,
}

/// An opened file: its columns as they stand in it, how many rows it says it has, and its rows.
struct Reading {
    schema: SchemaRef,
    rows: u64,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
}

impl Columnar {
    fn kind(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::Avro => "Avro",
        }
    }

    fn read(self, content: File, file: &SourceFile) -> Result<Reading, SourceError> {
        let size = content.metadata().map_err(|source| SourceError::Read { path: file.name.clone(), source })?.len();
        if size == 0 {
            return Err(SourceError::Empty { path: file.name.clone() });
        }
        let read = match self {
            Self::Parquet => parquet::read(content),
            Self::Arrow => ipc::read(content, |bytes| file.limits.check(&file.name, size, bytes)),
            Self::Avro => avro::read(content),
        };
        read.map_err(|error| match error {
            Fault::Damaged(reason) => self.bad(file, reason),
            Fault::Other(error) => error,
        })
    }

    fn bad(self, file: &SourceFile, reason: String) -> SourceError {
        SourceError::BadFile { path: file.name.clone(), kind: self.kind(), reason }
    }
}

/// Why a file cannot be read.
enum Fault {
    /// What is wrong with it, in words.
    Damaged(String),
    Other(SourceError),
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Format for Columnar {
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let (content, stored) = spool(file)?;
        let (format, opened) = (*self, file.clone());
        let schema = apart::run(&file.name, self.kind(), || {
            let reading = format.read(content, file)?;
            if reading.rows == 0 {
                return Err(SourceError::NoRows { path: file.name.clone() });
            }
            if reading.schema.fields().len() > MOST_COLUMNS {
                return Err(format.bad(file, format!("it has more than {MOST_COLUMNS} columns")));
            }
            let field = |field: &Arc<Field>| {
                let name = field.name();
                let twins = reading.schema.fields().iter().filter(|other| other.name() == name).count();
                if twins > 1 {
                    let reason = format!("{twins} columns are called `{name}`");
                    return Err(SourceError::BadHeader { path: file.name.clone(), reason });
                }
                Ok(Field::new(name, plain::data_type(field.data_type()), true))
            };
            let fields = reading.schema.fields().iter().map(field).collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(Schema::new(fields)))
        })?;
        let (path, sha256) = (file.name.clone(), Some(stored.sha256));
        let record = RunSource { path, size_bytes: stored.size_bytes, sha256, encoding: None };
        Ok(vec![Box::new(ColumnarFile { file: opened, format, schema, record })])
    }
}

/// One file.
#[derive(Debug, Clone)]
struct ColumnarFile {
    file: SourceFile,
    format: Columnar,
    /// With the types that its rows come in.
    schema: SchemaRef,
    record: RunSource,
}

impl ColumnarFile {
    fn read(&self, sink: &apart::Sink) -> Result<(), SourceError> {
        let (content, stored) = spool(&self.file)?;
        if Some(stored.sha256) != self.record.sha256 {
            return Err(SourceError::Changed { path: self.record.path.clone() });
        }
        let reading = self.format.read(content, &self.file)?;
        let file: Arc<str> = self.record.path.as_str().into();
        let (mut read, mut size) = (0_u64, self.record.size_bytes);
        for batch in reading.batches {
            let batch = batch.map_err(|error| self.damaged(&error, read))?;
            for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                let piece = batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start));
                let rows = piece.num_rows() as u64;
                let plain = self.plain(&piece).map_err(|error| self.damaged(&error, read))?;
                let lines = UInt64Array::from_iter_values(read + 1..=read + rows);
                read += rows;
                let (file, bytes) = (Arc::clone(&file), std::mem::take(&mut size));
                if sink.push(SourceBatch { batch: plain, file, lines, unreadable: Vec::new(), bytes }).is_break() {
                    return Ok(());
                }
            }
        }
        if read != reading.rows {
            let reason = format!("it is damaged: it says it has {} rows and holds {read}", reading.rows);
            return Err(self.format.bad(&self.file, reason));
        }
        Ok(())
    }

    fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns =
            batch.columns().iter().zip(batch.schema_ref().fields()).map(|(column, field)| plain::column(column, field));
        let columns = columns.collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    fn damaged(&self, error: &ArrowError, read: u64) -> SourceError {
        self.format.bad(&self.file, format!("it is damaged behind row {read}: {error}"))
    }
}

impl OpenFile for ColumnarFile {
    fn record(&self) -> &RunSource {
        &self.record
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let own = self.clone();
        apart::batches(&self.record.path, self.format.kind(), move |sink| own.read(sink))
    }
}

#[cfg(test)]
mod tests;
