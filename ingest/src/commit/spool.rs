//! Rows that wait on the local disk until a commit has worked out what they change.
//!
//! They need no durability: a run that dies starts again from its sources. The file goes with the last who holds it.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use xiangyun_engine::Result;
use xiangyun_engine::error::BoxError;

use super::error::CommitError;

/// Column that numbers spooled rows in the order in which they came.
pub(super) const ORDER_COLUMN: &str = "_order";

/// Rows on the local disk.
#[derive(Clone)]
pub(super) struct SpooledRows {
    file: Arc<dyn SpillFile>,
    path: PathBuf,
    schema: SchemaRef,
    rows: u64,
}

impl std::fmt::Debug for SpooledRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpooledRows").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Writes rows to the local disk.
pub(super) struct SpoolWriter {
    file: Arc<dyn SpillFile>,
    path: PathBuf,
    label: String,
    /// Opened with the first batch, whose columns it takes; the order's number is added where wanted.
    writer: Option<StreamWriter<BufWriter<File>>>,
    schema: SchemaRef,
    numbered: bool,
    rows: u64,
}

impl std::fmt::Debug for SpoolWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpoolWriter").field("label", &self.label).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl SpoolWriter {
    /// For rows of `schema`, which belong to the table called `label`; `numbered` adds [`ORDER_COLUMN`].
    pub(super) fn open(runtime: &RuntimeEnv, label: &str, schema: &Schema, numbered: bool) -> Result<Self> {
        let failed = |source: BoxError| CommitError::Spool { table: label.into(), source };
        let file = runtime.disk_manager.create_tmp_file("spooling rows").map_err(|error| failed(error.into()))?;
        let path = file.path().map(PathBuf::from).ok_or_else(|| failed("there is no local disk".into()))?;
        let order = numbered.then(|| Arc::new(Field::new(ORDER_COLUMN, DataType::Int64, false)));
        let fields = schema.fields().iter().map(plain).chain(order).collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let writer = File::create(&path).map_err(|error| failed(error.into()))?;
        let writer = StreamWriter::try_new(BufWriter::new(writer), &schema).map_err(|error| failed(error.into()))?;
        Ok(Self { file, path, label: label.into(), writer: Some(writer), schema, numbered, rows: 0 })
    }

    /// Takes rows in. Columns are in the schema's order.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CommitError> {
        self.append(batch).map_err(|error| CommitError::Spool { table: self.label.clone(), source: error.into() })
    }

    fn append(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let count = batch.num_rows();
        if count == 0 {
            return Ok(());
        }
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (column, field) in batch.columns().iter().zip(self.schema.fields()) {
            columns.push(cast(column, field.data_type())?);
        }
        if self.numbered {
            let first = self.rows as i64;
            columns.push(Arc::new(Int64Array::from_iter_values(first..first + count as i64)) as ArrayRef);
        }
        self.rows += count as u64;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write(&batch))
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<SpooledRows, CommitError> {
        let finished = self.writer.as_mut().map_or(Ok(()), StreamWriter::finish);
        finished.map_err(|error| CommitError::Spool { table: self.label.clone(), source: error.into() })?;
        Ok(SpooledRows { file: self.file, path: self.path, schema: self.schema, rows: self.rows })
    }
}

/// As the table has it: held rows encode the hidden texts.
fn plain(field: &Arc<Field>) -> Arc<Field> {
    match field.data_type() {
        DataType::Dictionary(_, values) => Arc::new(field.as_ref().clone().with_data_type(values.as_ref().clone())),
        _ => Arc::clone(field),
    }
}

impl SpooledRows {
    /// Number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows as a table that can be read as often as a plan likes.
    pub(super) fn table(&self) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let stream: Arc<dyn PartitionStream> = Arc::new(self.clone());
        Ok(Arc::new(StreamingTable::try_new(Arc::clone(&self.schema), vec![stream])?))
    }
}

impl PartitionStream for SpooledRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let (sender, rows) = (builder.tx(), self.clone());
        builder.spawn_blocking(move || {
            let file = File::open(&rows.path)?;
            for batch in StreamReader::try_new(BufReader::new(file), None)? {
                // Nobody takes the rows any more where a plan has seen enough.
                if sender.blocking_send(batch.map_err(DataFusionError::from)).is_err() {
                    break;
                }
            }
            // The file stays until its last reader is done.
            drop(rows.file);
            Ok(())
        });
        builder.build()
    }
}
