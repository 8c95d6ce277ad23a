//! Running a plan: rows stream out under a deadline and a row limit, and the stream says how it ended.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::DataFusionError;
use datafusion::execution::context::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Interval, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Instrument;
use uuid::Uuid;

use super::admission::Slot;
use super::cache::CacheUse;
use super::error::QueryError;
use super::few_groups::few_grouped;
use super::lanes::Lane;
use super::limits::Allowed;
use super::pool::{QueryPool, with_pool};
use super::registry::Entry;
use super::result::{QueryResult, QueryStatus, TableVersion};
use super::sink::{QueryOutcome, QueryRecord, QuerySink};
use super::spans::Spans;
use super::stack::{Roomy, with_room};
use super::stop::{Stop, stoppable};
use super::translate::from_datafusion;
use super::windows::counted;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::PrincipalClass;

/// How often is looked at how much a query has read.
const SCAN_WATCH: Duration = Duration::from_millis(50);

/// Identity and limits of one query while it runs.
#[derive(Debug)]
pub(crate) struct Ticket {
    record: Option<QueryRecord>,
    entry: Arc<Entry>,
    class: PrincipalClass,
    sink: Arc<dyn QuerySink>,
    started: Instant,
    stop: Arc<Stop>,
    allowed: Allowed,
    max_rows: Option<usize>,
    /// Given back when the query ends.
    slot: Slot,
    spans: Spans,
}

impl Ticket {
    /// Starts the clock and enters the query among those that are known. A `max_rows` of the request counts before that
    /// of the limits.
    ///
    /// # Errors
    /// `Conflict` for an id that is taken.
    pub(crate) fn open(engine: &Engine, record: QueryRecord, max_rows: Option<usize>) -> Result<Self> {
        let class = record.principal.class();
        let allowed = engine.limits().of_query(class);
        let max_rows = max_rows.or((allowed.max_rows > 0).then_some(allowed.max_rows));
        let started = Instant::now();
        let stop = Arc::new(Stop::new(started, allowed.timeout, allowed.timeout_setting));
        let entry = Arc::new(Entry::new(&record, started, Arc::clone(&stop)));
        engine.registry().enter(&entry)?;
        let sink = Arc::clone(engine.sink());
        let (slot, spans) = (Slot::default(), Spans::of(&record));
        Ok(Self { record: Some(record), entry, class, sink, started, stop, allowed, max_rows, slot, spans })
    }

    /// The query's id.
    pub(crate) fn id(&self) -> Uuid {
        self.entry.id
    }

    /// What was asked, as the record says it; nothing once it ended.
    pub(super) fn statement(&self) -> Arc<str> {
        self.record.as_ref().map_or_else(Arc::default, |record| Arc::clone(&record.statement))
    }

    /// Rows that are handed out at the most.
    pub(crate) fn max_rows(&self) -> Option<usize> {
        self.max_rows
    }

    /// What its rows are counted by, and the versions that are read.
    pub(crate) fn answers_with(&mut self, status: Arc<QueryStatus>, tables: Arc<[TableVersion]>) {
        if let Some(record) = &mut self.record {
            record.tables = Arc::clone(&tables);
        }
        self.entry.hands_out(status, tables);
    }

    /// What is known of the query.
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// As [`Self::guard`], for making a plan: that holds much until it is done.
    pub(crate) async fn guard_planning<T>(&self, work: BoxFuture<'_, Result<T>>) -> Result<T> {
        self.guard(work.instrument(self.spans.planning())).await
    }

    /// What the cache had to do with it.
    pub(super) fn uses(&self, cache: CacheUse) {
        self.spans.uses(cache);
    }

    /// Bounds the time of `work`, which is done before there is a stream, and turns its panics into errors.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let guarded = AssertUnwindSafe(Roomy::new(work)).catch_unwind();
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(QueryError::Cancelled.into()),
            ended = tokio::time::timeout_at(self.stop.deadline(), guarded) => ended,
        };
        match ended {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(panicked(panic.as_ref())),
            Err(_) => Err(self.stop.timed_out()),
        }
    }

    /// Stops what still runs, and hands the record over, once.
    pub(crate) fn close(&mut self, rows: u64, outcome: QueryOutcome, error: Option<&Error>) {
        self.stop.ask();
        self.slot = Slot::default();
        let outcome = self.entry.ended(outcome, error);
        if let Some(mut record) = self.record.take() {
            self.spans.end(outcome, rows, || self.entry.scanned().bytes);
            record.rows = rows;
            record.outcome = outcome;
            record.elapsed = self.started.elapsed();
            self.sink.record(record);
        }
    }

    /// Ends a query that failed before it had rows.
    pub(crate) fn fail(mut self, error: Error) -> Error {
        self.close(0, outcome_of(&error), Some(&error));
        error
    }
}

/// How a query ends that fails with `error`.
fn outcome_of(error: &Error) -> QueryOutcome {
    match error.kind() {
        ErrorKind::Cancelled => QueryOutcome::Cancelled,
        kind => QueryOutcome::Failed(kind),
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Whoever asked went away while the query was being planned.
        self.close(0, QueryOutcome::Cancelled, None);
    }
}

/// Waits for a slot of the class, plans the execution of `plan` and starts it.
pub(crate) async fn run(
    engine: &Engine,
    state: &SessionState,
    plan: LogicalPlan,
    tables: Vec<TableVersion>,
    mut ticket: Ticket,
    lane: Lane,
) -> Result<QueryResult> {
    let waiting = async { Ok(engine.admission().enter(ticket.class).await?) }.instrument(ticket.spans.waiting());
    let entered = ticket.guard(waiting).await;
    match entered {
        Ok(slot) => ticket.slot = slot,
        Err(error) => return Err(ticket.fail(error)),
    }
    ticket.spans.runs();
    let started = ticket.guard(start(engine, state, plan, &ticket, lane)).await;
    let (stream, schema) = match started {
        Ok(started) => started,
        Err(error) => return Err(ticket.fail(error)),
    };
    let status = Arc::new(QueryStatus::default());
    let rows = |ticket: Ticket, status| Rows {
        input: Some(stream),
        deadline: Box::pin(tokio::time::sleep_until(ticket.stop.deadline())),
        cancelled: Box::pin(ticket.stop.cancelled()),
        watch: (ticket.allowed.scan_bytes > 0).then(|| tokio::time::interval(SCAN_WATCH)),
        left: ticket.max_rows,
        schema: Arc::clone(&schema),
        status,
        ticket,
        _engine: engine.clone(),
    };
    let mut result =
        handed_out(ticket, Arc::clone(&schema), tables, status, |ticket, status| rows(ticket, status).boxed());
    result.threads = engine.runtime().lanes().handle(lane);
    Ok(result)
}

/// A result whose rows are there already.
pub(crate) fn replayed(
    ticket: Ticket,
    schema: SchemaRef,
    tables: Vec<TableVersion>,
    status: Arc<QueryStatus>,
    rows: BoxStream<'static, Result<RecordBatch>>,
) -> QueryResult {
    let mut result = handed_out(ticket, schema, tables, status, |mut ticket, status| {
        let mut rows = rows;
        futures::stream::poll_fn(move |cx| {
            let next = std::task::ready!(rows.poll_next_unpin(cx));
            if next.is_none() {
                let truncated = status.is_truncated();
                let outcome = if truncated { QueryOutcome::Truncated } else { QueryOutcome::Succeeded };
                ticket.close(status.rows(), outcome, None);
            }
            Poll::Ready(next)
        })
        .boxed()
    });
    result.cache = CacheUse::Hit;
    result
}

fn handed_out(
    mut ticket: Ticket,
    schema: SchemaRef,
    tables: Vec<TableVersion>,
    status: Arc<QueryStatus>,
    rows: impl FnOnce(Ticket, Arc<QueryStatus>) -> BoxStream<'static, Result<RecordBatch>>,
) -> QueryResult {
    ticket.answers_with(Arc::clone(&status), tables.as_slice().into());
    let id = ticket.id();
    let batches = rows(ticket, Arc::clone(&status));
    QueryResult { id, schema, tables, status, cache: CacheUse::Bypass, basis: None, threads: None, batches }
}

async fn start(
    engine: &Engine,
    state: &SessionState,
    plan: LogicalPlan,
    ticket: &Ticket,
    lane: Lane,
) -> Result<(SendableRecordBatchStream, SchemaRef)> {
    let schema = plain_schema(plan.schema().as_arrow());
    if let Some(name) = first_duplicate(&schema) {
        return Err(QueryError::DuplicateColumn { name: name.to_owned() }.into());
    }
    let plan = limited(plan, ticket.max_rows).map_err(|error| from_datafusion(&error))?;
    let physical = state.create_physical_plan(&plan).await.map_err(|error| from_datafusion(&error))?;
    let physical = stoppable(physical, &ticket.stop)
        .and_then(few_grouped)
        .and_then(counted)
        .map_err(|error| from_datafusion(&error))?;
    let shared = Arc::clone(&state.runtime_env().memory_pool);
    let pool = Arc::new(QueryPool::new(shared, ticket.allowed.memory_bytes, ticket.allowed.memory_setting));
    let context = TaskContext::from(state).with_runtime(Arc::new(with_pool(state.runtime_env(), &pool)));
    ticket.entry.runs(Arc::clone(&physical), pool);
    // What operators spawn, they spawn where they are polled.
    let threads = engine.runtime().lanes().handle(lane);
    let _entered = threads.as_ref().map(|threads| threads.enter());
    let stream = execute_stream(physical, Arc::new(context)).map_err(|error| from_datafusion(&error))?;
    Ok((detached(stream), schema))
}

/// Batches that wait for a reader who is busy: so many, that operators need not wait for each that is sent.
const WAITING_BATCHES: usize = 4;

/// The stream, polled by a task of its own. An operator that is busy holds that task and not the one that waits for the
/// rows: whoever waits can leave, or see the deadline pass, at any moment, and the stream is asked to stop.
fn detached(mut stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let polled = futures::stream::poll_fn(move |cx| with_room(|| stream.poll_next_unpin(cx)));
    spawn_buffered(Box::pin(RecordBatchStreamAdapter::new(schema, polled)), WAITING_BATCHES)
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
    /// Somebody else may take the query back.
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When to look how much was read, where that is limited.
    watch: Option<Interval>,
    /// Rows that may still be handed out.
    left: Option<usize>,
    schema: SchemaRef,
    status: Arc<QueryStatus>,
    ticket: Ticket,
    /// Keeps the threads that the operators run on.
    _engine: Engine,
}

impl Rows {
    fn end(&mut self, outcome: QueryOutcome, error: Option<&Error>) {
        with_room(|| self.input = None);
        if matches!(outcome, QueryOutcome::Succeeded | QueryOutcome::Truncated) {
            self.status.set_complete();
        }
        self.ticket.close(self.status.rows(), outcome, error);
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<RecordBatch>>> {
        // An operator that others wait for may fall over when one of them has failed for want of memory.
        let error = match (error.kind(), self.ticket.entry.denied()) {
            (ErrorKind::Internal, Some(denied)) => from_datafusion(&DataFusionError::ResourcesExhausted(denied)),
            _ => error,
        };
        self.end(outcome_of(&error), Some(&error));
        Poll::Ready(Some(Err(error)))
    }

    /// Why the query may not go on, whatever its operators do; looked at whenever one of its clocks says so.
    fn interrupted(&mut self, cx: &mut Context<'_>) -> Option<Error> {
        if self.cancelled.as_mut().poll(cx).is_ready() {
            return Some(QueryError::Cancelled.into());
        }
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Some(self.ticket.stop.timed_out());
        }
        let watch = self.watch.as_mut()?;
        let mut is_time = false;
        while watch.poll_tick(cx).is_ready() {
            is_time = true;
        }
        is_time.then(|| self.scanned_too_much()).flatten()
    }

    /// Why the query may not go on, where it has read more than it may.
    fn scanned_too_much(&self) -> Option<Error> {
        let (limit, setting) = (self.ticket.allowed.scan_bytes, self.ticket.allowed.scan_setting);
        let is_over = limit > 0 && self.ticket.entry.scanned().bytes > limit;
        is_over.then(|| QueryError::ScanLimit { limit, setting }.into())
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
                this.end(QueryOutcome::Truncated, None);
            }
            if this.input.is_none() {
                return Poll::Ready(None);
            }
            if let Some(error) = this.interrupted(cx) {
                return this.fail(error);
            }
            let Some(input) = &mut this.input else { return Poll::Ready(None) };
            // A panic that only ended the stream would make half an answer look whole.
            let polled = std::panic::catch_unwind(AssertUnwindSafe(|| input.poll_next_unpin(cx)));
            // A query that ends between two looks is refused all the same.
            if matches!(polled, Ok(Poll::Ready(_)))
                && let Some(error) = this.scanned_too_much()
            {
                return this.fail(error);
            }
            let batch = match polled {
                Err(panic) => return this.fail(panicked(panic.as_ref())),
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(None)) => {
                    this.end(QueryOutcome::Succeeded, None);
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
        self.ticket.close(rows, QueryOutcome::Cancelled, None);
    }
}
