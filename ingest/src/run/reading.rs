//! A source as a stream of batches, and as a table that a transform can read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::col;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::check::{FILE_COLUMN, Finding, LINE_COLUMN, Place};
use crate::progress::Progress;
use crate::source::{Source, SourceBatch, SourceError};

/// Batches that the reader may be ahead of the rest.
const AHEAD: usize = 2;

/// One reading of a source. Rows that cannot be split into columns go to `unreadable` and are no part of the stream.
#[derive(Debug)]
pub(super) struct Reading {
    source: Arc<dyn Source>,
    schema: SchemaRef,
    progress: Arc<dyn Progress>,
    tally: Arc<Tally>,
    unreadable: mpsc::Sender<Finding>,
    /// Counts once: a transform that names `source` twice reads it twice.
    is_counted: AtomicBool,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: AtomicU64,
    unreadable: AtomicU64,
    /// Rows that were split into columns, and those that were not.
    by_file: Mutex<BTreeMap<Arc<str>, (u64, u64)>>,
    /// What ended the reading, where a planner's error would hide it.
    failure: Mutex<Option<SourceError>>,
}

impl Tally {
    /// The error that ended the reading of the source as a table.
    pub(super) fn take_failure(&self) -> Option<SourceError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Rows that were split into columns.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
    }

    /// Rows that were split into columns, and those that were not, by file.
    pub(super) fn by_file(&self) -> BTreeMap<Arc<str>, (u64, u64)> {
        self.by_file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rows that were not.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Acquire)
    }
}

impl Reading {
    pub(super) fn new(source: Arc<dyn Source>, progress: Arc<dyn Progress>, unreadable: mpsc::Sender<Finding>) -> Self {
        let mut fields: Vec<_> = source.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(FILE_COLUMN, DataType::Utf8, false)));
        fields.push(Arc::new(Field::new(LINE_COLUMN, DataType::UInt64, false)));
        let schema = Arc::new(Schema::new(fields));
        let is_counted = AtomicBool::new(false);
        Self { source, schema, progress, tally: Arc::default(), unreadable, is_counted }
    }

    /// The source's columns, and the two of the row's place.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    pub(super) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Reads on a thread of its own, never far ahead of who takes the batches.
    pub(super) fn stream(&self) -> impl Stream<Item = Result<RecordBatch, SourceError>> + Send + use<> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let counts = !self.is_counted.swap(true, Ordering::AcqRel);
        let reader = Reader {
            source: Arc::clone(&self.source),
            schema: self.schema(),
            counted: counts.then(|| Counted {
                tally: self.tally(),
                progress: Arc::clone(&self.progress),
                unreadable: self.unreadable.clone(),
            }),
        };
        tokio::task::spawn_blocking(move || reader.read(&sender));
        tokio_stream_of(receiver)
    }

    /// The source as a table. Rows come in the order of file and line, and say so to the planner.
    pub(super) fn into_table(self) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let order = [FILE_COLUMN, LINE_COLUMN].map(|name| col(name).sort(true, false)).to_vec();
        let schema = self.schema();
        let table = StreamingTable::try_new(schema, vec![Arc::new(self)])?;
        Ok(Arc::new(table.with_sort_order(order)))
    }
}

fn tokio_stream_of<T: Send + 'static>(receiver: mpsc::Receiver<T>) -> impl Stream<Item = T> + Send {
    futures::stream::unfold(receiver, |mut receiver| async move {
        let item = receiver.recv().await?;
        Some((item, receiver))
    })
}

impl PartitionStream for Reading {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let tally = self.tally();
        let batches = self.stream().map(move |batch| {
            batch.map_err(|error| {
                let message = error.to_string();
                *tally.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                DataFusionError::External(message.into())
            })
        });
        Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches))
    }
}

/// Where rows are counted, shown, and sent if they cannot be read.
struct Counted {
    tally: Arc<Tally>,
    progress: Arc<dyn Progress>,
    unreadable: mpsc::Sender<Finding>,
}

/// The blocking side of a reading.
struct Reader {
    source: Arc<dyn Source>,
    schema: SchemaRef,
    /// None where another reading of the same source counts.
    counted: Option<Counted>,
}

impl Reader {
    /// Reads to the end, to the first error, or until nobody takes the batches any more.
    fn read(self, sender: &mpsc::Sender<Result<RecordBatch, SourceError>>) {
        let batches = match self.source.batches() {
            Ok(batches) => batches,
            Err(error) => {
                let _ = sender.blocking_send(Err(error));
                return;
            }
        };
        for batch in batches {
            let failed = batch.is_err();
            let placed = batch.map(|batch| self.placed(batch));
            if sender.blocking_send(placed).is_err() || failed {
                return;
            }
        }
    }

    fn placed(&self, batch: SourceBatch) -> RecordBatch {
        let rows = batch.batch.num_rows();
        if let Some(Counted { tally, progress, unreadable }) = &self.counted {
            tally.rows.fetch_add(rows as u64, Ordering::AcqRel);
            tally.unreadable.fetch_add(batch.unreadable.len() as u64, Ordering::AcqRel);
            let mut files = tally.by_file.lock().unwrap_or_else(PoisonError::into_inner);
            let (split, not_split) = files.entry(Arc::clone(&batch.file)).or_default();
            *split += rows as u64;
            *not_split += batch.unreadable.len() as u64;
            drop(files);
            progress.advance((rows + batch.unreadable.len()) as u64, batch.bytes);
            for row in batch.unreadable {
                let finding = Finding {
                    place: Some(Place { file: Arc::clone(&batch.file), line: row.line }),
                    column: None,
                    rule: None,
                    reason: row.reason.into(),
                    message: row.message,
                    raw: row.raw,
                };
                // Nobody takes them any more only where the run has failed already.
                let _ = unreadable.blocking_send(finding);
            }
        }
        let mut columns = batch.batch.columns().to_vec();
        columns.push(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&*batch.file, rows))) as ArrayRef);
        columns.push(Arc::new(batch.lines));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .expect("the source's columns and two of the same length")
    }
}
