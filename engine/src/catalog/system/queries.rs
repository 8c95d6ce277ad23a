//! `system.queries`: every query that ended, as `ingest` recorded it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::prelude::{col, lit};

use super::listing::{instants, texts};
use super::{count, in_memory, instant, internal, required, schema, text};
use crate::catalog::catalog::Catalog;
use crate::error::Result;
use crate::query::{QueryOutcome, QueryRecord};

/// The latest of a principal's own queries that it is shown.
const OWN_QUERIES: usize = 100_000;

/// Columns of `system.queries` and of the queries log.
pub fn queries_schema() -> SchemaRef {
    schema(vec![
        required(text("query_id")),
        required(text("principal")),
        required(text("statement")),
        required(text("tables")),
        required(instant("started_at")),
        required(count("elapsed_ms")),
        required(count("rows")),
        required(text("outcome")),
        text("error_code"),
    ])
}

/// Records as rows of [`queries_schema`]; `tables` is a JSON array of table and version.
pub fn query_records_batch(records: &[QueryRecord]) -> Result<RecordBatch> {
    let tables = |record: &QueryRecord| {
        let tables = record
            .tables
            .iter()
            .map(|table| serde_json::json!({ "table": table.name.to_string(), "version": table.version }));
        serde_json::Value::from(tables.collect::<Vec<_>>()).to_string()
    };
    let outcome = |record: &QueryRecord| match record.outcome {
        QueryOutcome::Succeeded => "succeeded",
        QueryOutcome::Truncated => "truncated",
        QueryOutcome::Unchanged => "unchanged",
        QueryOutcome::Failed(_) => "failed",
        QueryOutcome::Cancelled => "cancelled",
    };
    let code = |record: &QueryRecord| match record.outcome {
        QueryOutcome::Failed(kind) => Some(kind.code()),
        _ => None,
    };
    let numbers = |of: fn(&QueryRecord) -> u64| -> ArrayRef {
        let numbers = records.iter().map(|record| i64::try_from(of(record)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(numbers))
    };
    let columns: Vec<ArrayRef> = vec![
        texts(records.iter().map(|record| Some(record.id.to_string()))),
        texts(records.iter().map(|record| Some(record.principal.name()))),
        texts(records.iter().map(|record| Some(&record.statement))),
        texts(records.iter().map(|record| Some(tables(record)))),
        instants(records.iter().map(|record| Some(record.started_at))),
        numbers(|record| millis(record.elapsed)),
        numbers(|record| record.rows),
        texts(records.iter().map(|record| Some(outcome(record)))),
        texts(records.iter().map(code)),
    ];
    RecordBatch::try_new(queries_schema(), columns).map_err(internal)
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The queries log; of one principal's queries the latest, where `own` names one.
///
/// Those are taken out of the log before a statement runs over them, not by a filter within its plan: an optimizer may
/// try the statement's own predicates first, and their errors would tell of other people's statements.
pub(super) async fn queries(catalog: &Catalog, own: Option<&str>) -> Result<Arc<dyn TableProvider>> {
    let Some(provider) = catalog.pin_internal("queries").await? else {
        return in_memory(RecordBatch::new_empty(queries_schema()));
    };
    let rows = catalog.internal_session().await?.read_table(provider).map_err(internal)?;
    let Some(own) = own else { return Ok(rows.into_view()) };
    let rows = rows
        .filter(col("principal").eq(lit(own)))
        .and_then(|rows| rows.sort(vec![col("started_at").sort(false, false)]))
        .and_then(|rows| rows.limit(0, Some(OWN_QUERIES)))
        .map_err(internal)?;
    let batches = rows.collect().await.map_err(internal)?;
    let schema = batches.first().map_or_else(queries_schema, RecordBatch::schema);
    in_memory(concat_batches(&schema, &batches).map_err(internal)?)
}
