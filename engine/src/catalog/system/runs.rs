//! `system.runs`: the runs log, and the runs that only a data commit tells of.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Int64Type, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use datafusion::prelude::{col, lit};

use super::listing::{counts, instants, texts, word};
use super::{count, instant, internal, required, schema, text};
use crate::catalog::catalog::Catalog;
use crate::catalog::summary::{ResolvedRows, RunRecord};
use crate::error::Result;

/// Columns of `system.runs` and of the runs log.
pub fn runs_schema() -> SchemaRef {
    schema(vec![
        required(text("run_id")),
        required(text("pipeline")),
        required(text("table_name")),
        required(text("status")),
        required(instant("started_at")),
        required(instant("finished_at")),
        required(count("rows_read")),
        required(count("rows_loaded")),
        required(count("rows_rejected")),
        required(count("rows_duplicate")),
        required(count("warnings")),
        count("version"),
        required(text("sources")),
        text("error"),
        text("notes"),
        text("cursor"),
        text("reads"),
        text("trigger"),
        instant("due_at"),
        count("rows_updated"),
        count("rows_deleted"),
        text("redo_of"),
        text("stopped_by"),
        text("replay_of"),
    ])
}

/// Records as rows of [`runs_schema`]; `sources` is a JSON array of path, size, SHA-256 (null where a failed run
/// did not come to know it) and encoding, `reads` one of table and version.
pub fn run_records_batch(runs: &[RunRecord]) -> Result<RecordBatch> {
    let sources = |run: &RunRecord| serde_json::to_string(&run.sources).ok();
    let columns: Vec<ArrayRef> = vec![
        texts(runs.iter().map(|run| Some(&run.run_id))),
        texts(runs.iter().map(|run| Some(&run.pipeline))),
        texts(runs.iter().map(|run| Some(run.table.to_string()))),
        texts(runs.iter().map(|run| word(&run.status))),
        instants(runs.iter().map(|run| Some(run.started_at))),
        instants(runs.iter().map(|run| Some(run.finished_at))),
        counts(runs.iter().map(|run| Some(run.rows_read))),
        counts(runs.iter().map(|run| Some(run.rows_loaded))),
        counts(runs.iter().map(|run| Some(run.rows_rejected))),
        counts(runs.iter().map(|run| Some(run.rows_duplicate))),
        counts(runs.iter().map(|run| Some(run.warnings))),
        counts(runs.iter().map(|run| run.version)),
        texts(runs.iter().map(sources)),
        texts(runs.iter().map(|run| run.error.as_ref())),
        texts(runs.iter().map(|run| (!run.notes.is_empty()).then(|| run.notes.join("; ")))),
        texts(runs.iter().map(|run| run.cursor.as_ref())),
        texts(runs.iter().map(|run| (!run.reads.is_empty()).then(|| serde_json::to_string(&run.reads).ok()).flatten())),
        texts(runs.iter().map(|run| run.trigger.as_ref())),
        instants(runs.iter().map(|run| run.due_at)),
        counts(runs.iter().map(|run| Some(run.rows_updated))),
        counts(runs.iter().map(|run| Some(run.rows_deleted))),
        texts(runs.iter().map(|run| run.redo_of.as_ref())),
        texts(runs.iter().map(|run| run.stopped_by.as_ref())),
        texts(runs.iter().map(|run| run.resolves.first().map(|rows| &rows.run_id))),
    ];
    RecordBatch::try_new(runs_schema(), columns).map_err(internal)
}

/// The log's rows, and those of data commits whose run the log lacks: the process died between the two commits.
pub(super) async fn runs(catalog: &Catalog) -> Result<RecordBatch> {
    let logged = logged_runs(catalog).await?;
    let known: HashSet<&str> =
        logged.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).collect();
    let mut missing = committed_runs(catalog).await?;
    missing.retain(|run| !known.contains(run.run_id.as_str()));
    let rebuilt = run_records_batch(&missing)?;
    concat_batches(&runs_schema(), logged.iter().chain([&rebuilt])).map_err(internal)
}

/// The ids of the runs that were stopped after their rows had been judged, whose quarantine is shown.
pub(super) async fn stopped_runs(catalog: &Catalog) -> Result<Vec<String>> {
    let mut stopped = Vec::new();
    for batch in logged_runs(catalog).await? {
        let (ids, rules) = (batch.column(0).as_string::<i32>(), &batch["stopped_by"]);
        let is_stopped = |row: &usize| arrow::array::Array::is_valid(rules, *row);
        stopped.extend((0..batch.num_rows()).filter(is_stopped).map(|row| ids.value(row).to_owned()));
    }
    Ok(stopped)
}

async fn logged_runs(catalog: &Catalog) -> Result<Vec<RecordBatch>> {
    let Some(provider) = catalog.pin_internal("runs").await? else { return Ok(Vec::new()) };
    let session = catalog.internal_session().await?;
    let rows = session.read_table(provider).map_err(internal)?;
    rows.collect().await.map_err(internal)?.iter().map(|batch| as_runs(batch).map_err(internal)).collect()
}

/// The log's rows as [`runs_schema`] has them: a log that was begun by an older version lacks columns, which then
/// have no values.
fn as_runs(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = runs_schema();
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect())
}

/// The runs that the tables' commits carry.
pub(super) async fn committed_runs(catalog: &Catalog) -> Result<Vec<RunRecord>> {
    let mut runs = Vec::new();
    for name in catalog.names().await? {
        runs.extend(catalog.history(&name).await?.into_iter().rev().filter_map(|commit| commit.run));
    }
    Ok(runs)
}

impl Catalog {
    /// The run called `id`. Where it committed data, its commit tells of it, and the log only where that is: the commits
    /// of all tables are looked through only for a run that the log lacks.
    pub(crate) async fn run(&self, id: &str) -> Result<Option<RunRecord>> {
        let Some(logged) = logged_run(self, id).await? else {
            return Ok(committed_runs(self).await?.into_iter().find(|run| run.run_id == id));
        };
        let committed = match logged.version {
            Some(version) => self.run_of(&logged.table, version).await.ok().flatten(),
            None => None,
        };
        Ok(Some(committed.filter(|run| run.run_id == id).unwrap_or(logged)))
    }
}

/// The run called `id` as the log has it.
async fn logged_run(catalog: &Catalog, id: &str) -> Result<Option<RunRecord>> {
    let Some(provider) = catalog.pin_internal("runs").await? else { return Ok(None) };
    let session = catalog.internal_session().await?;
    let rows = session.read_table(provider).map_err(internal)?;
    let rows = rows.filter(col("run_id").eq(lit(id))).map_err(internal)?.collect().await.map_err(internal)?;
    let Some(batch) = rows.iter().find(|batch| batch.num_rows() > 0) else { return Ok(None) };
    Ok(record_of(&as_runs(batch).map_err(internal)?, 0))
}

/// A row of [`runs_schema`] as a record. None where another tool wrote what is none.
fn record_of(batch: &RecordBatch, row: usize) -> Option<RunRecord> {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let count = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(row).then(|| u64::try_from(column.value(row)).unwrap_or_default())
    };
    let instant = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| DateTime::from_timestamp_micros(column.value(row))).flatten()
    };
    let resolves = text("replay_of").map(|run_id| ResolvedRows { run_id, rows: Vec::new() });
    Some(RunRecord {
        run_id: text("run_id")?,
        pipeline: text("pipeline")?,
        table: text("table_name")?.parse().ok()?,
        status: serde_json::from_value(text("status")?.into()).ok()?,
        sources: serde_json::from_str(&text("sources")?).unwrap_or_default(),
        rows_read: count("rows_read")?,
        rows_loaded: count("rows_loaded")?,
        rows_rejected: count("rows_rejected")?,
        rows_duplicate: count("rows_duplicate")?,
        warnings: count("warnings")?,
        version: count("version"),
        started_at: instant("started_at")?,
        finished_at: instant("finished_at")?,
        error: text("error"),
        notes: text("notes").into_iter().collect(),
        cursor: text("cursor"),
        reads: text("reads").and_then(|reads| serde_json::from_str(&reads).ok()).unwrap_or_default(),
        trigger: text("trigger"),
        due_at: instant("due_at"),
        rows_updated: count("rows_updated").unwrap_or_default(),
        rows_deleted: count("rows_deleted").unwrap_or_default(),
        redo_of: text("redo_of"),
        stopped_by: text("stopped_by"),
        resolves: resolves.into_iter().collect(),
        columns: Vec::new(),
    })
}
