//! Rejected rows on their way back: exported, so that they can be corrected, and replayed.

mod corrected;
mod error;
mod export;

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::StreamExt;
use xiangyun_engine::clock::CHINA_OFFSET_SECONDS;
use xiangyun_engine::query::{QueryResult, SqlRequest};
use xiangyun_engine::{Principal, Result};

use crate::ingest::{Ingest, LoadOptions, LoadReport};
use crate::pipeline::PipelineDef;
use crate::progress::Progress;
use crate::run::{Replay, Run};
use corrected::Corrected;
pub(crate) use corrected::{COLUMNS, NUMBER, RAW, RUN};
use error::QuarantineError;
pub use export::QuarantineExport;

/// Which rejected rows. All conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// Of this run.
    pub run: Option<String>,
    /// For this reason, as in `TYPE`.
    pub reason: Option<String>,
    /// Rejected on this day, China's time, or later.
    pub since: Option<NaiveDate>,
    /// Those too that a later run has taken up.
    pub with_resolved: bool,
}

impl QuarantineFilter {
    /// As a condition of SQL.
    fn sql(&self) -> String {
        let equal = |column: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{column} = '{}'", value.replace('\'', "''")))
        };
        let conditions = [
            equal("pipeline", &self.pipeline),
            equal("run_id", &self.run),
            equal("reason", &self.reason),
            self.since.map(|day| {
                let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros();
                let micros = midnight - i64::from(CHINA_OFFSET_SECONDS) * 1_000_000;
                // A literal would be read in nanoseconds, which end in the year 2262.
                format!("rejected_at >= arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
            }),
            (!self.with_resolved).then(|| "resolved_by is null".to_owned()),
        ];
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        if conditions.is_empty() { "true".into() } else { conditions.join(" and ") }
    }
}

impl Ingest {
    /// The rejected rows, oldest first.
    pub async fn quarantined(&self, filter: &QuarantineFilter) -> Result<QueryResult> {
        let sql = format!(
            "select rejected_at, pipeline, table_name, run_id, number, file, line, \"column\", rule, reason, message, raw, \
             resolved_by from system.quarantine where {} order by rejected_at, run_id, number",
            filter.sql()
        );
        self.quarantine_query(&sql).await
    }

    /// The rejected rows of one pipeline with their own columns, to be corrected and replayed; those of runs that were
    /// stopped only where their run is named.
    ///
    /// # Errors
    /// `InvalidInput` where the rows are of several pipelines, whose columns differ; `NotFound` where there are none.
    pub async fn export_quarantine(&self, filter: &QuarantineFilter) -> Result<QuarantineExport> {
        let mut condition = format!("{} and number is not null", filter.sql());
        if filter.run.is_none() {
            // The file of a run that was stopped is loaded again as a whole: its rows cannot be taken up one by one.
            condition.push_str(" and run_id not in (select run_id from system.runs where stopped_by is not null)");
        }
        let pipeline = self.pipeline_of(&condition).await?;
        export::open(self, &condition, &self.inputs_of(&pipeline)).await
    }

    /// Loads the corrected rows of `file`, which [`Self::export_quarantine`] wrote: each through its pipeline's checks, and
    /// once. There is a run for each run that rejected some of them.
    ///
    /// # Errors
    /// Of the file, with the line; of [`Self::load`]; `Conflict` for rows whose run was made again or replaced since.
    pub async fn replay(
        &self,
        file: &Path,
        options: &LoadOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Vec<LoadReport>> {
        let corrected = Corrected::read(self.source_context(), file).await?;
        let mut reports = Vec::new();
        for run in corrected.runs() {
            let filter =
                QuarantineFilter { run: Some(run.clone()), with_resolved: true, ..QuarantineFilter::default() };
            let pipeline = self.pipeline_of(&filter.sql()).await?;
            let mode = self.pipeline(&pipeline)?.mode.clone();
            let replay = Replay::new(run, corrected.rows_of(run), mode, corrected.source());
            reports.push(self.replay_rows(&pipeline, replay, options, Arc::clone(&progress)).await?);
        }
        Ok(reports)
    }

    /// Loads the rejected rows of a run as they were, once the contract, the pipeline or the other tables that they are
    /// checked with are others. Rows that could not be split into columns stay.
    ///
    /// # Errors
    /// Of [`Self::replay`]; `NotFound` where no row is left.
    pub async fn replay_run(
        &self,
        run: &str,
        options: &LoadOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Vec<LoadReport>> {
        let filter = QuarantineFilter { run: Some(run.into()), with_resolved: true, ..QuarantineFilter::default() };
        let condition = format!("{} and number is not null", filter.sql());
        let pipeline = self.pipeline_of(&condition).await?;
        let export = export::open(self, &condition, &self.inputs_of(&pipeline)).await?;
        let file = export::write_as_they_were(run, export).await?;
        self.replay(file.path(), options, progress).await
    }

    async fn replay_rows(
        &self,
        pipeline: &str,
        replay: Replay,
        options: &LoadOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<LoadReport> {
        let def = Arc::new(replay.pipeline(self.pipeline(pipeline)?));
        let run = Run {
            engine: self.engine(),
            committer: self.committer(),
            sources: self.source_context(),
            observers: self.observers(),
            pipeline: def,
            redo: None,
            replay: Some(replay),
            pushed: None,
            options,
            progress,
        };
        Box::pin(run.load()).await
    }

    /// The one pipeline whose rows fulfil `condition`.
    async fn pipeline_of(&self, condition: &str) -> Result<String> {
        let sql =
            format!("select distinct pipeline from system.quarantine where {condition} order by pipeline limit 20");
        let mut names = Vec::new();
        for batch in self.quarantine_query(&sql).await?.collect().await? {
            names.extend(export::texts(&batch, 0)?.iter().flatten().map(str::to_owned));
        }
        match names.len() {
            0 => Err(QuarantineError::Nothing.into()),
            1 => Ok(names.swap_remove(0)),
            _ => Err(QuarantineError::SeveralPipelines { names }.into()),
        }
    }

    /// The columns that the rows of a pipeline are read from.
    fn inputs_of(&self, pipeline: &str) -> Vec<String> {
        let Ok(def) = self.pipeline(pipeline) else { return Vec::new() };
        let Some(table) = self.engine().project().table(&def.table) else { return Vec::new() };
        let contract = def.mode.contract_of_rows(&table.def);
        let mut inputs: Vec<String> = Vec::new();
        for column in &contract.columns {
            let input = def.input_of(&column.name);
            if !inputs.iter().any(|known| known == input) {
                inputs.push(input.to_owned());
            }
        }
        inputs
    }

    fn pipeline(&self, name: &str) -> Result<&Arc<PipelineDef>> {
        let found = self.pipelines().iter().find(|document| document.def.name == name);
        Ok(&found.ok_or_else(|| QuarantineError::PipelineGone { name: name.into() })?.def)
    }

    async fn quarantine_query(&self, sql: &str) -> Result<QueryResult> {
        self.engine().query_as(Principal::system()).sql(SqlRequest::new(sql)).await
    }
}

/// All rows of a result: one that a limit cut short is refused, because rows would be forgotten.
fn whole(result: QueryResult) -> impl futures::Stream<Item = Result<arrow::array::RecordBatch>> + Send {
    let status = Arc::clone(&result.status);
    let end = futures::stream::once(async move {
        if status.is_truncated() { Some(Err(QuarantineError::Cut { rows: status.rows() }.into())) } else { None }
    });
    result.chain(end.filter_map(|last| async move { last }))
}
