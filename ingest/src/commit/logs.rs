//! The lake's own logs: rejected rows, and the records of runs and of queries.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use uuid::Uuid;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::system::{
    quarantine_log_schema, queries_schema, query_records_batch, run_records_batch, runs_schema,
};
use xiangyun_engine::catalog::{RunRecord, TableName};
use xiangyun_engine::query::QueryRecord;

use super::committer::{Change, CommitOutcome, Committer, Idempotency};
use super::edit::Append;
use super::error::CommitError;
use super::target::Target;
use super::writer::{StagedFiles, TableWriter, WriterOptions};

const QUARANTINE: &str = "quarantine";
const RUNS: &str = "runs";

const QUERIES: &str = "queries";

/// A rejected row: a row of `system.quarantine` without what all rows of a run share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// The file, as in the run's sources.
    pub file: String,
    /// Line of the row's first character, from 1, the header included.
    pub line: Option<u64>,
    /// Column, where one is to blame.
    pub column: Option<String>,
    /// The check, where the project declares it; as in `uscc on uscc`.
    pub rule: Option<String>,
    /// Reason code, as in `TYPE`, `NOT_NULL`, `FIELD_COUNT`.
    pub reason: String,
    /// What is wrong, in words.
    pub message: String,
    /// The row as it stood in the file.
    pub raw: Option<String>,
}

/// Writes the rejected rows of one run. They become visible when the run's data is committed.
#[derive(Debug)]
pub struct QuarantineWriter {
    run_id: String,
    pipeline: String,
    table: String,
    target: Target,
    writer: TableWriter,
    rows: u64,
}

impl QuarantineWriter {
    /// For the run `run_id` of `pipeline`, which loads `table`.
    pub fn new(committer: &Committer, run_id: &str, pipeline: &str, table: &TableName) -> Self {
        let target = Target::internal(committer.storage(), QUARANTINE, quarantine_log_schema());
        let writer = TableWriter::for_target(committer.storage(), target.clone(), WriterOptions::default());
        Self { run_id: run_id.into(), pipeline: pipeline.into(), table: table.to_string(), target, writer, rows: 0 }
    }

    /// Takes rejected rows in, which are numbered from 1; memory does not grow with their number.
    pub async fn write(&mut self, rows: &[QuarantineRow], rejected_at: DateTime<Utc>) -> Result<()> {
        let first = i64::try_from(self.rows).unwrap_or(i64::MAX).saturating_add(1);
        let constant = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; rows.len()])) };
        let optional = |of: fn(&QuarantineRow) -> Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<StringArray>())
        };
        let lines = rows.iter().map(|row| row.line.and_then(|line| i64::try_from(line).ok()));
        let instants = TimestampMicrosecondArray::from(vec![rejected_at.timestamp_micros(); rows.len()]);
        let columns: Vec<ArrayRef> = vec![
            constant(&self.run_id),
            constant(&self.pipeline),
            constant(&self.table),
            optional(|row| Some(&row.file)),
            Arc::new(lines.collect::<Int64Array>()),
            optional(|row| row.column.as_deref()),
            optional(|row| row.rule.as_deref()),
            optional(|row| Some(&row.reason)),
            optional(|row| Some(&row.message)),
            optional(|row| row.raw.as_deref()),
            Arc::new(instants.with_timezone("UTC")),
            Arc::new(Int64Array::from_iter_values((first..).take(rows.len()))),
        ];
        let batch = RecordBatch::try_new(quarantine_log_schema(), columns)
            .map_err(|error| CommitError::Encode { table: self.target.label().into(), source: error.into() })?;
        self.rows += rows.len() as u64;
        self.writer.write(batch).await
    }

    /// Rows taken in.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Commits the rows to the quarantine log; nothing is committed for none. Returns their number.
    pub async fn commit(self, committer: &Committer) -> Result<u64> {
        let files = self.writer.finish().await?;
        if files.rows() > 0 || files.files() > 0 {
            let name = committer.name(&format!("xiangyun/{QUARANTINE}"), &self.run_id);
            append(committer, &self.target, files, name).await?;
        }
        Ok(self.rows)
    }
}

impl Committer {
    /// Appends a run's record to the runs log; once, where nothing else was appended in between.
    pub async fn append_run(&self, run: &RunRecord) -> Result<()> {
        let target = Target::internal(self.storage(), RUNS, runs_schema());
        let mut writer = TableWriter::for_target(self.storage(), target.clone(), WriterOptions::default());
        writer.write(run_records_batch(std::slice::from_ref(run))?).await?;
        let files = writer.finish().await?;
        append(self, &target, files, self.name(&format!("xiangyun/{RUNS}"), &run.run_id)).await?;
        Ok(())
    }

    /// Appends records of queries to the queries log; `process` and `number` name the commit, so that it is made once.
    pub(crate) async fn append_queries(&self, records: &[QueryRecord], process: Uuid, number: i64) -> Result<()> {
        let target = Target::internal(self.storage(), QUERIES, queries_schema());
        let mut writer = TableWriter::for_target(self.storage(), target.clone(), WriterOptions::default());
        writer.write(query_records_batch(records)?).await?;
        let files = writer.finish().await?;
        let idempotency = Idempotency { app_id: format!("xiangyun/{QUERIES}/{process}"), version: number };
        append(self, &target, files, idempotency).await?;
        Ok(())
    }
}

async fn append(
    committer: &Committer,
    target: &Target,
    files: StagedFiles,
    idempotency: Idempotency,
) -> Result<CommitOutcome> {
    let edit = Append { adds: files.adds };
    committer.apply(&Change { target, edit: &edit, idempotency: &idempotency, run: None, in_place: None }).await
}
