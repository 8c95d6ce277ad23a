//! What was done, told from `system.runs`.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Engine, Principal, Result};

/// The last runs of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastRun {
    /// The latest time of its `cron` that was run for, with whatever end.
    pub(super) due_at: Option<DateTime<Utc>>,
    /// When its latest run began.
    pub(super) started_at: DateTime<Utc>,
    /// When it last committed rows.
    pub(super) loaded_at: Option<DateTime<Utc>>,
}

const SQL: &str = "select pipeline, max(due_at) as due_at, max(started_at) as started_at, \
                   max(case when status = 'succeeded' then finished_at end) as loaded_at \
                   from system.runs group by pipeline";

/// The last runs, by pipeline.
pub(super) async fn last_runs(engine: &Engine) -> Result<HashMap<String, LastRun>> {
    let result = engine.query_as(Principal::system()).sql(SqlRequest::new(SQL)).await?;
    Ok(result.collect().await?.iter().flat_map(rows).collect())
}

fn rows(batch: &RecordBatch) -> Vec<(String, LastRun)> {
    let names = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
    let Ok(names) = names else { return Vec::new() };
    let names = names.as_string::<i32>();
    let instant = |column: usize, row: usize| {
        let values = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
        values.is_valid(row).then(|| DateTime::from_timestamp_micros(values.value(row))).flatten()
    };
    (0..batch.num_rows())
        .filter_map(|row| {
            let run = LastRun { due_at: instant(1, row), started_at: instant(2, row)?, loaded_at: instant(3, row) };
            Some((names.value(row).to_owned(), run))
        })
        .collect()
}
