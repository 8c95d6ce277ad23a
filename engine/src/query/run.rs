//! Running a plan: rows stream out under a deadline and a row limit, and the stream says how it ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use super::error::QueryError;
use super::limits::Limits;
use super::result::{QueryResult, QueryStatus, TableVersion};
use super::sink::{QueryOutcome, QueryRecord, QuerySink};
use super::stack::{Roomy, with_room};
use super::stop::{Stop, stoppable};
use super::translate::from_datafusion;
use crate::error::{Error, Result};

/// Identity and limits of one query while it runs.
#[derive(Debug)]
pub(crate) struct Ticket {
    record: Option<QueryRecord>,
    sink: Arc<dyn QuerySink>,
    started: Instant,
    stop: Arc<Stop>,
    max_rows: Option<usize>,
}

impl Ticket {
    /// Starts the clock. A `max_rows` of the request counts before that of the limits.
    pub(crate) fn new(record: QueryRecord, sink: Arc<dyn QuerySink>, limits: &Limits, max_rows: Option<usize>) -> Self {
        let max_rows = max_rows.or((limits.max_rows > 0).then_some(limits.max_rows));
        let started = Instant::now();
        let stop = Arc::new(Stop::new(started, limits.timeout));
        Self { record: Some(record), sink, started, stop, max_rows }
    }

    /// Bounds the time of `work`, which is done before there is a stream, and turns its panics into errors.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let guarded = AssertUnwindSafe(Roomy::new(work)).catch_unwind();
        match tokio::time::timeout_at(self.stop.deadline(), guarded).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(panicked(panic.as_ref())),
            Err(_) => Err(self.stop.timed_out()),
        }
    }

    /// Stops what still runs, and hands the record over, once.
    fn close(&mut self, rows: u64, outcome: QueryOutcome) {
        self.stop.ask();
        if let Some(mut record) = self.record.take() {
            record.rows = rows;
            record.outcome = outcome;
            record.elapsed = self.started.elapsed();
            self.sink.record(record);
        }
    }

    /// Ends a query that failed before it had rows.
    pub(crate) fn fail(mut self, error: Error) -> Error {
        self.close(0, QueryOutcome::Failed(error.kind()));
        error
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Whoever asked went away while the query was being planned.
        self.close(0, QueryOutcome::Cancelled);
    }
}

/// Plans the execution of `plan` and starts it.
pub(crate) async fn run(
    state: &SessionState,
    plan: LogicalPlan,
    tables: Vec<TableVersion>,
    mut ticket: Ticket,
) -> Result<QueryResult> {
    let started = ticket.guard(start(state, plan, ticket.max_rows, &ticket.stop)).await;
    let (stream, schema) = match started {
        Ok(started) => started,
        Err(error) => return Err(ticket.fail(error)),
    };
    if let Some(record) = &mut ticket.record {
        record.tables.clone_from(&tables);
    }
    let id = ticket.record.as_ref().map_or_else(uuid::Uuid::nil, |record| record.id);
    let status = Arc::new(QueryStatus::default());
    let rows = Rows {
        input: Some(stream),
        deadline: Box::pin(tokio::time::sleep_until(ticket.stop.deadline())),
        left: ticket.max_rows,
        schema: Arc::clone(&schema),
        status: Arc::clone(&status),
        ticket,
    };
    Ok(QueryResult { id, schema, tables, status, batches: rows.boxed() })
}

async fn start(
    state: &SessionState,
    plan: LogicalPlan,
    max_rows: Option<usize>,
    stop: &Arc<Stop>,
) -> Result<(SendableRecordBatchStream, SchemaRef)> {
    let schema = plain_schema(plan.schema().as_arrow());
    if let Some(name) = first_duplicate(&schema) {
        return Err(QueryError::DuplicateColumn { name: name.to_owned() }.into());
    }
    let plan = limited(plan, max_rows).map_err(|error| from_datafusion(&error))?;
    let physical = state.create_physical_plan(&plan).await.map_err(|error| from_datafusion(&error))?;
    let physical = stoppable(physical, stop).map_err(|error| from_datafusion(&error))?;
    let stream = execute_stream(physical, state.task_ctx()).map_err(|error| from_datafusion(&error))?;
    Ok((detached(stream), schema))
}

/// The stream, polled by a task of its own. An operator that is busy holds that task and not the one that waits for the
/// rows: whoever waits can leave, or see the deadline pass, at any moment, and the stream is asked to stop.
fn detached(mut stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let polled = futures::stream::poll_fn(move |cx| with_room(|| stream.poll_next_unpin(cx)));
    spawn_buffered(Box::pin(RecordBatchStreamAdapter::new(schema, polled)), 1)
}

fn first_duplicate(schema: &Schema) -> Option<&str> {
    let mut seen = std::collections::HashSet::new();
    schema.fields().iter().map(|field| field.name().as_str()).find(|name| !seen.insert(*name))
}

/// Lets operators stop early: one row past the limit shows that there was more.
fn limited(plan: LogicalPlan, max_rows: Option<usize>) -> Result<LogicalPlan, DataFusionError> {
    match (max_rows, &plan) {
        (None, _) | (_, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) => Ok(plan),
        (Some(rows), _) => LogicalPlanBuilder::from(plan).limit(0, Some(rows.saturating_add(1)))?.build(),
    }
}

/// The types that clients know: views and dictionaries are how operators hold values, not what the values are.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new(fields))
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), plain_type(field.data_type()), field.is_nullable()))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            DataType::List(plain_field(item))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

/// The batch in the schema that was announced.
fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() { Ok(Arc::clone(column)) } else { cast(column, field.data_type()) }
    });
    columns
        .collect::<Result<Vec<ArrayRef>, _>>()
        .and_then(|columns| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        })
        .map_err(|error| from_datafusion(&error.into()))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    QueryError::Panicked { message }.into()
}

/// The rows of a running query. Dropping them drops the operators, whose tasks end at their next yield.
struct Rows {
    /// None once the stream ended, in whatever way.
    input: Option<SendableRecordBatchStream>,
    deadline: Pin<Box<Sleep>>,
    /// Rows that may still be handed out.
    left: Option<usize>,
    schema: SchemaRef,
    status: Arc<QueryStatus>,
    ticket: Ticket,
}

impl Rows {
    fn end(&mut self, outcome: QueryOutcome) {
        with_room(|| self.input = None);
        if matches!(outcome, QueryOutcome::Succeeded | QueryOutcome::Truncated) {
            self.status.set_complete();
        }
        self.ticket.close(self.status.rows(), outcome);
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<RecordBatch>>> {
        self.end(QueryOutcome::Failed(error.kind()));
        Poll::Ready(Some(Err(error)))
    }

    /// Cuts the batch at the row limit; `None` when nothing of it may be handed out.
    fn within_limit(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        let Some(left) = &mut self.left else { return Some(batch) };
        let kept = batch.num_rows().min(*left);
        *left -= kept;
        if kept < batch.num_rows() {
            self.status.set_truncated();
        }
        (kept > 0).then(|| batch.slice(0, kept))
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.status.is_truncated() && this.input.is_some() {
                this.end(QueryOutcome::Truncated);
            }
            let Some(input) = &mut this.input else { return Poll::Ready(None) };
            if this.deadline.as_mut().poll(cx).is_ready() {
                let error = this.ticket.stop.timed_out();
                return this.fail(error);
            }
            // A panic that only ended the stream would make half an answer look whole.
            let polled = std::panic::catch_unwind(AssertUnwindSafe(|| input.poll_next_unpin(cx)));
            let batch = match polled {
                Err(panic) => return this.fail(panicked(panic.as_ref())),
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(None)) => {
                    this.end(QueryOutcome::Succeeded);
                    return Poll::Ready(None);
                }
                Ok(Poll::Ready(Some(Err(error)))) => return this.fail(from_datafusion(&error)),
                Ok(Poll::Ready(Some(Ok(batch)))) => batch,
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let batch = match plain_batch(&batch, &this.schema) {
                Ok(batch) => batch,
                Err(error) => return this.fail(error),
            };
            if let Some(batch) = this.within_limit(batch) {
                this.status.add_rows(batch.num_rows() as u64);
                return Poll::Ready(Some(Ok(batch)));
            }
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        let rows = self.status.rows();
        self.ticket.close(rows, QueryOutcome::Cancelled);
    }
}
