//! Rows of a database on the local disk: hashed while they come, so that a load knows what it has before it reads.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder, UInt64Array, UInt64Builder,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::RunSource;
use xiangyun_engine::error::BoxError;

use super::error::DatabaseError;
use super::mark::{Place, Remembered};
use super::value::{Kind, REASONS, Read, Value};
use crate::source::file::Spool;
use crate::source::text::truncated;
use crate::source::{Batches, RAW_LIMIT_BYTES, SourceBatch, SourceError, UnreadableRow, hex};

/// Bytes of values after which a batch ends, however few its rows.
const BATCH_BYTES: usize = 8 << 20;

/// Columns beside the source's own: the row's number, and why it is rejected.
const EXTRA: usize = 4;

type Encoder = zstd::stream::write::Encoder<'static, BufWriter<File>>;

/// A column of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Takes the rows of one reading.
pub(super) struct RowWriter {
    label: String,
    columns: Vec<Column>,
    builders: Vec<Builder>,
    extra: (UInt64Builder, [StringBuilder; EXTRA - 1]),
    schema: SchemaRef,
    writer: StreamWriter<Encoder>,
    spool: Arc<Spool>,
    path: PathBuf,
    remembered: Option<Remembered>,
    batch_rows: usize,
    /// Rows and bytes in the builders.
    open: (usize, usize),
    rows: u64,
    bytes: u64,
    /// The sum of the rows' hashes: servers give rows in any order.
    sum: [u8; 32],
    canonical: Vec<u8>,
}

impl RowWriter {
    pub(super) fn create(
        label: &str,
        columns: Vec<Column>,
        batch_rows: u32,
        remembered: Option<Remembered>,
    ) -> Result<Self, DatabaseError> {
        if let Some(index) = (1..columns.len()).find(|&at| columns[..at].iter().any(|c| c.name == columns[at].name)) {
            return Err(DatabaseError::SameName { rows: label.into(), column: columns[index].name.clone() });
        }
        let failed = |source: BoxError| DatabaseError::Spool { rows: label.into(), source };
        let spool = Spool::new().map_err(|error| failed(error.into()))?;
        let (file, path) = spool.create().map_err(|error| failed(error.into()))?;
        let mut fields = fields(&columns);
        fields.push(Field::new("_row", DataType::UInt64, false));
        fields.extend(["_reason", "_message", "_raw"].map(|name| Field::new(name, DataType::Utf8, true)));
        let schema = Arc::new(Schema::new(fields));
        let encoder =
            zstd::stream::write::Encoder::new(BufWriter::new(file), 1).map_err(|error| failed(error.into()))?;
        let writer = StreamWriter::try_new(encoder, &schema).map_err(|error| failed(error.into()))?;
        Ok(Self {
            label: label.into(),
            builders: columns.iter().map(|column| Builder::of(column.kind)).collect(),
            extra: (UInt64Builder::new(), std::array::from_fn(|_| StringBuilder::new())),
            columns,
            schema,
            writer,
            spool,
            path,
            remembered,
            batch_rows: batch_rows as usize,
            open: (0, 0),
            rows: 0,
            bytes: 0,
            sum: [0; 32],
            canonical: Vec::new(),
        })
    }

    /// Rows that were taken.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes one row: a value a column.
    pub(super) fn push(&mut self, values: &[Read<'_>], place: Place) -> Result<(), DatabaseError> {
        self.canonical.clear();
        for value in values {
            match value {
                Ok(value) => value.write_canonical(&mut self.canonical),
                Err(refusal) => {
                    self.canonical.push(u8::MAX);
                    Value::Text(refusal.raw.as_str().into()).write_canonical(&mut self.canonical);
                }
            }
        }
        let hash: [u8; 32] = Sha256::digest(&self.canonical).into();
        if let Some(remembered) = &mut self.remembered
            && !remembered.is_new(&hash, place, &self.label)?
        {
            return Ok(());
        }
        add(&mut self.sum, &hash);
        self.rows += 1;
        self.bytes += self.canonical.len() as u64;
        self.open.0 += 1;
        self.open.1 += self.canonical.len();
        self.extra.0.append_value(self.rows);
        if values.iter().all(Result::is_ok) {
            for ((builder, value), column) in self.builders.iter_mut().zip(values).zip(&self.columns) {
                if !builder.push(value.as_ref().unwrap_or(&Value::Null)) {
                    let message = format!("`{}` holds a value of another type than was announced", column.name);
                    return Err(DatabaseError::Query { rows: self.label.clone(), message });
                }
            }
            self.extra.1.iter_mut().for_each(StringBuilder::append_null);
        } else {
            self.builders.iter_mut().for_each(Builder::push_null);
            let row = self.rejected(values);
            for (builder, text) in self.extra.1.iter_mut().zip(row) {
                builder.append_value(text);
            }
        }
        if self.open.0 >= self.batch_rows || self.open.1 >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Reason, message and raw text of a row with a value that cannot be represented.
    fn rejected(&self, values: &[Read<'_>]) -> [String; EXTRA - 1] {
        let mut raw = serde_json::Map::new();
        let (mut reason, mut messages) = ("", Vec::new());
        for (column, value) in self.columns.iter().zip(values) {
            let json = match value {
                Ok(value) => value.json(column.kind),
                Err(refusal) => {
                    let text = truncated(&refusal.raw, 200);
                    messages.push(format!("`{}` is `{text}`: {}", column.name, refusal.why));
                    if reason.is_empty() {
                        reason = refusal.reason;
                    }
                    truncated(&refusal.raw, 1024).into()
                }
            };
            raw.insert(column.name.clone(), json);
        }
        let raw = serde_json::Value::Object(raw).to_string();
        [reason.into(), messages.join("; "), truncated(&raw, RAW_LIMIT_BYTES).into()]
    }

    fn flush(&mut self) -> Result<(), DatabaseError> {
        let count = std::mem::take(&mut self.open).0;
        if count == 0 {
            return Ok(());
        }
        let mut arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        arrays.push(Arc::new(self.extra.0.finish()));
        arrays.extend(self.extra.1.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        let written =
            RecordBatch::try_new(Arc::clone(&self.schema), arrays).and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| spool_error(&self.label, error))
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<(SpooledRows, Option<Remembered>), DatabaseError> {
        self.flush()?;
        let label = self.label;
        let ended = self.writer.into_inner().and_then(|encoder| Ok(encoder.finish()?.flush()?));
        ended.map_err(|error| spool_error(&label, error))?;
        let mut hash = Sha256::new();
        for column in &self.columns {
            hash.update(format!("{}\n{}\n", column.name, column.kind.arrow()));
        }
        hash.update(self.rows.to_le_bytes());
        hash.update(self.sum);
        if let Some(load) = self.remembered.as_ref().and_then(Remembered::follows) {
            hash.update(load.to_le_bytes());
        }
        let sha256 = hex(&hash.finalize());
        let record = RunSource { path: label, size_bytes: self.bytes, sha256: Some(sha256), encoding: None };
        let schema = Arc::new(Schema::new(fields(&self.columns)));
        let rows = SpooledRows { record, schema, rows: self.rows, path: self.path, _spool: self.spool };
        Ok((rows, self.remembered))
    }
}

fn fields(columns: &[Column]) -> Vec<Field> {
    columns.iter().map(|column| Field::new(&column.name, column.kind.arrow(), true)).collect()
}

fn spool_error(label: &str, error: ArrowError) -> DatabaseError {
    DatabaseError::Spool { rows: label.into(), source: error.into() }
}

/// Adds numbers of 256 bits, the lowest byte first.
fn add(sum: &mut [u8; 32], hash: &[u8; 32]) {
    let mut carry = 0;
    for (digit, other) in sum.iter_mut().zip(hash) {
        let total = u16::from(*digit) + u16::from(*other) + carry;
        *digit = total.to_le_bytes()[0];
        carry = total >> 8;
    }
}

/// The rows of one reading.
#[derive(Debug, Clone)]
pub(super) struct SpooledRows {
    pub(super) record: RunSource,
    pub(super) schema: SchemaRef,
    pub(super) rows: u64,
    path: PathBuf,
    /// Keeps the file.
    _spool: Arc<Spool>,
}

impl SpooledRows {
    pub(super) fn batches(&self) -> Result<Batches, SourceError> {
        let failed = |error: BoxError| DatabaseError::Spool { rows: self.record.path.clone(), source: error };
        let file = File::open(&self.path).map_err(|error| failed(error.into()))?;
        let decoder = zstd::stream::read::Decoder::new(file).map_err(|error| failed(error.into()))?;
        let reader = StreamReader::try_new(BufReader::new(decoder), None).map_err(|error| failed(error.into()))?;
        let (rows, file) = (self.clone(), Arc::<str>::from(self.record.path.as_str()));
        let (mut reader, mut read) = (reader, 0);
        let step = move || -> Result<Option<SourceBatch>, SourceError> {
            let failed =
                |error: ArrowError| DatabaseError::Spool { rows: rows.record.path.clone(), source: error.into() };
            match reader.next() {
                Some(batch) => {
                    let batch = batch.map_err(failed)?;
                    let share = |done: u64| {
                        (u128::from(rows.record.size_bytes) * u128::from(done) / u128::from(rows.rows.max(1))) as u64
                    };
                    let before = share(read);
                    read += batch.num_rows() as u64;
                    Ok(Some(split(&batch, &rows.schema, &file, share(read) - before).map_err(failed)?))
                }
                None if read == rows.rows => Ok(None),
                None => Err(failed(ArrowError::IpcError(format!("{read} of {} rows are there", rows.rows))).into()),
            }
        };
        // The folder stays until the last reader is done: `rows` holds it.
        let mut step = step;
        Ok(Box::new(std::iter::from_fn(move || step().transpose())))
    }
}

/// The readable rows and the others.
fn split(batch: &RecordBatch, schema: &SchemaRef, file: &Arc<str>, bytes: u64) -> Result<SourceBatch, ArrowError> {
    let own = schema.fields().len();
    let numbers = batch.column(own).as_primitive::<UInt64Type>();
    let [reasons, messages, raws] = [1, 2, 3].map(|at| batch.column(own + at).as_string::<i32>());
    let mut unreadable = Vec::new();
    for row in (0..batch.num_rows()).filter(|row| reasons.is_valid(*row)) {
        let reason = REASONS.into_iter().find(|reason| *reason == reasons.value(row)).unwrap_or("VALUE");
        let (message, raw) = (messages.value(row).to_owned(), raws.value(row).to_owned());
        unreadable.push(UnreadableRow { line: numbers.value(row), reason, message, raw });
    }
    let readable = if unreadable.is_empty() {
        batch.clone()
    } else {
        filter_record_batch(batch, &arrow::compute::is_null(reasons)?)?
    };
    let lines: UInt64Array = readable.column(own).as_primitive::<UInt64Type>().clone();
    let options = RecordBatchOptions::new().with_row_count(Some(readable.num_rows()));
    let columns = readable.columns()[..own].to_vec();
    let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    Ok(SourceBatch { batch: rows, file: Arc::clone(file), lines, unreadable, bytes })
}

/// Values of one column.
enum Builder {
    Boolean(BooleanBuilder),
    Int64(Int64Builder),
    UInt64(UInt64Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Builder {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Int64 => Self::Int64(Int64Builder::new()),
            Kind::UInt64 => Self::UInt64(UInt64Builder::new()),
            Kind::Float64 => Self::Float64(Float64Builder::new()),
            Kind::Decimal { .. } => Self::Decimal(Decimal128Builder::new().with_data_type(kind.arrow())),
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Takes a value; false for one of another kind than the builder's.
    fn push(&mut self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(*value),
            (Self::Int64(builder), Value::Int(value)) => builder.append_value(*value),
            (Self::UInt64(builder), Value::UInt(value)) => builder.append_value(*value),
            (Self::Float64(builder), Value::Float(value)) => builder.append_value(*value),
            (Self::Decimal(builder), Value::Decimal(value)) => builder.append_value(*value),
            (Self::Text(builder), Value::Text(value)) => builder.append_value(value),
            (Self::Date(builder), Value::Date(value)) => builder.append_value(*value),
            (Self::Timestamp(builder), Value::Timestamp(value)) => builder.append_value(*value),
            (builder, Value::Null) => builder.push_null(),
            _ => return false,
        }
        true
    }

    fn push_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Int64(builder) => builder.append_null(),
            Self::UInt64(builder) => builder.append_null(),
            Self::Float64(builder) => builder.append_null(),
            Self::Decimal(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::UInt64(builder) => Arc::new(builder.finish()),
            Self::Float64(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}
