//! One run of a pipeline: read, transform, check, commit. A run that fails leaves the lake as it was.

mod batch;
mod drift;
mod error;
mod files;
mod gate;
mod identity;
mod lookup;
mod push;
mod quarantine;
mod reading;
mod replay;
mod task;
#[cfg(test)]
pub(crate) mod testing;
mod trace;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use tracing::{Instrument, Span};
use xiangyun_engine::catalog::{RunRead, RunRecord, RunStatus, TableDef, TableName, tables_of};
use xiangyun_engine::query::{QueryResult, SqlRequest};
use xiangyun_engine::{Engine, Principal, Result};

use crate::check::{CheckContext, Finding};
use crate::commit::{
    CommitOutcome, CommitRequest, Committer, Idempotency, InPlace, PastLoad, QuarantineWriter, RowStage, TakenOut,
};
use crate::failpoint;
use crate::ingest::{LoadOptions, LoadOutcome, LoadReport, RejectSample};
use crate::observe::RunObserver;
use crate::pipeline::{PipelineDef, SOURCE, SourceDef, parse_transform};
use crate::progress::Progress;
use crate::source::{self, Source, SourceContext, SourceError};
use crate::spans;
use drift::Shape;
pub(crate) use error::RunError;
use gate::{Gate, Judging};
pub(crate) use push::PushedRows;
use quarantine::{Quarantine, Samples};
use reading::{Reading, Tally};
pub(crate) use replay::Replay;
use task::{CommitName, Loading, Task};
use trace::Trace;

/// Runs of the whole load, where others load the same files at the same time.
const ATTEMPTS: usize = 5;
/// Findings that a report shows.
const SAMPLES: usize = 20;

/// A run about to be made.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) committer: &'a Committer,
    pub(crate) sources: SourceContext,
    pub(crate) observers: &'a [Arc<dyn RunObserver>],
    pub(crate) pipeline: Arc<PipelineDef>,
    /// The load that is made again.
    pub(crate) redo: Option<PastLoad>,
    /// The rejected rows that are taken up.
    pub(crate) replay: Option<Replay>,
    /// The rows that callers have sent, where they come from no other source.
    pub(crate) pushed: Option<Arc<dyn Source>>,
    pub(crate) options: &'a LoadOptions,
    pub(crate) progress: Arc<dyn Progress>,
}

/// Where an incremental source goes on.
struct Mark {
    cursor: Option<String>,
    /// The version that the last load made.
    version: Option<u64>,
    /// The version up to which the log was read.
    seen: Option<u64>,
}

/// What a run found before anything was committed.
struct Checked {
    writer: Option<RowStage>,
    quarantine: Quarantine,
    /// What stops the run, with the name of the rule.
    stopped: Option<(&'static str, RunError)>,
}

impl Run<'_> {
    /// Makes the run. Whatever becomes of it is recorded, except for a dry run.
    pub(crate) async fn load(self) -> Result<LoadReport> {
        let span = spans::run(&self.pipeline.name, &self.pipeline.table);
        Box::pin(self.recorded(&span).instrument(span.clone())).await
    }

    async fn recorded(self, span: &Span) -> Result<LoadReport> {
        let mut report = LoadReport::of(self.record());
        self.tell(|observer| observer.started(&report.run));
        let mut outcome = Box::pin(self.attempt(&mut report)).await;
        for _ in 1..ATTEMPTS {
            if !matches!(outcome, Ok(None)) {
                break;
            }
            report = self.again(report);
            outcome = Box::pin(self.attempt(&mut report)).await;
        }
        let table = || self.pipeline.table.to_string();
        let outcome = outcome.and_then(|made| Ok(made.ok_or_else(|| RunError::Overtaken { table: table() })?));
        report.run.finished_at = self.engine.clock().now();
        match outcome {
            Ok(outcome) => report.outcome = outcome,
            Err(error) => {
                report.run.status = RunStatus::Failed;
                report.run.rows_loaded = 0;
                report.run.error = Some(error.chain());
                spans::end_run(span, &report.run, Err(error.kind()));
                self.append(&report.run).await;
                self.tell(|observer| observer.ended(&report.run));
                return Err(error);
            }
        }
        spans::end_run(span, &report.run, Ok(report.outcome));
        failpoint::hit("before_run_record");
        self.append(&report.run).await;
        failpoint::hit("after_run_record");
        self.tell(|observer| observer.ended(&report.run));
        Ok(report)
    }

    /// A report for the next attempt of an overtaken load. It is a run of its own: what the one before has written to
    /// the quarantine stays with a run that never committed, and is not shown.
    fn again(&self, mut overtaken: LoadReport) -> LoadReport {
        let run = RunRecord { started_at: overtaken.run.started_at, ..self.record() };
        overtaken.run.status = RunStatus::Unchanged;
        overtaken.run.rows_loaded = 0;
        overtaken.run.finished_at = self.engine.clock().now();
        overtaken.run.notes.push(format!("another load committed first; run {} reads the source again", run.run_id));
        self.tell(|observer| observer.ended(&overtaken.run));
        self.tell(|observer| observer.started(&run));
        LoadReport::of(run)
    }

    fn tell(&self, what: impl Fn(&dyn RunObserver)) {
        if !self.options.dry_run {
            self.observers.iter().for_each(|observer| what(observer.as_ref()));
        }
    }

    fn record(&self) -> RunRecord {
        let trigger = self.options.trigger;
        RunRecord {
            trigger: trigger.map(|trigger| trigger.kind.into()),
            due_at: trigger.and_then(|trigger| trigger.due_at),
            redo_of: self.redo.as_ref().map(|past| past.run_id.clone()),
            ..RunRecord::started(&self.pipeline.name, &self.pipeline.table, self.engine.clock().now())
        }
    }

    /// The record of a run whose data is committed can be rebuilt from that commit, and a failed run has said why:
    /// a log that cannot be written does not change what became of the run.
    async fn append(&self, run: &RunRecord) {
        if self.options.dry_run {
            return;
        }
        if let Err(error) = self.committer.append_run(run).await {
            tracing::warn!(run.id = %run.run_id, error = %error.chain(), "the run's record was not written to the runs log");
        }
    }

    /// Nothing where another process loaded some of the same files meanwhile.
    async fn attempt(&self, report: &mut LoadReport) -> Result<Option<LoadOutcome>> {
        let table = self.table()?;
        self.progress.step("opening", None);
        let mark = match &self.replay {
            Some(_) => None,
            None => self.mark(&table).await?,
        };
        let source = match (&self.replay, &self.pushed) {
            (Some(replay), _) => replay.rows(),
            (None, Some(pushed)) => Arc::clone(pushed),
            (None, None) => self.open(mark.as_ref().and_then(|mark| mark.cursor.clone())).await?,
        };
        report.run.sources = source.files().to_vec();
        report.run.cursor = source.cursor();
        if let (true, Some(version)) = (source.is_empty(), mark.as_ref().and_then(|mark| mark.version)) {
            report.run.notes = source.notes();
            report.run.status = RunStatus::Unchanged;
            report.run.version = Some(version);
            return Ok(Some(LoadOutcome::Unchanged));
        }
        if source.is_empty() {
            return Err(SourceError::NoRecords { pipeline: self.pipeline.name.clone() }.into());
        }
        if self.replay.is_none() {
            report.run.columns = source.schema().fields().iter().map(|field| field.name().clone()).collect();
        }
        let Shape { source, table, notes } = self.shape(table, source).await?;
        report.run.notes = notes;
        report.run.reads = self.reads().await?;
        let loading = match self.task(&table, source, report).await? {
            Task::Load(loading) => *loading,
            Task::Nothing { version } => {
                report.run.status = RunStatus::Unchanged;
                report.run.version = Some(version);
                return Ok(Some(LoadOutcome::Unchanged));
            }
        };
        let Loading { source, name, mut in_place, .. } = loading;
        if let Some(mark) = mark {
            // Another load since would have left another mark: this one would bring its rows again.
            in_place.seen = Some(mark.seen);
        }
        let total_bytes = source.files().iter().map(|file| file.size_bytes).sum();
        self.progress.step("reading", Some(total_bytes));
        let checked = Box::pin(self.check(&table, source, &in_place.taken, report)).await?;
        if let Some((rule, error)) = checked.stopped {
            if !self.options.dry_run {
                // Its rows were all judged: what is wrong with them can be seen although none is loaded.
                checked.quarantine.commit(self.committer).await?;
                report.run.stopped_by = Some(rule.into());
            }
            return Err(error.into());
        }
        if self.options.dry_run {
            return Ok(Some(LoadOutcome::DryRun));
        }
        let idempotency = match name {
            CommitName::Known(name) => name,
            CommitName::OfContent { after } => {
                self.idempotency(&table, &report.run.sources, &report.run.reads, after.as_deref())?
            }
        };
        self.progress.step("committing", None);
        self.commit(table, idempotency, in_place, checked, report).await
    }

    fn table(&self) -> Result<Arc<TableDef>> {
        let declared = self.engine.project().table(&self.pipeline.table);
        Ok(Arc::clone(
            &declared
                .ok_or_else(|| RunError::NoContract {
                    pipeline: self.pipeline.name.clone(),
                    table: self.pipeline.table.to_string(),
                })?
                .def,
        ))
    }

    /// What the last load of an incremental source left; none for other sources.
    async fn mark(&self, table: &TableDef) -> Result<Option<Mark>> {
        if !self.pipeline.source.is_incremental() {
            return Ok(None);
        }
        if let Some(past) = &self.redo {
            // Its rows would go, and the source would give those that came since instead.
            let why = "its source gives what came since the run before it, and later runs went on from there";
            return Err(RunError::NoRedo { run: past.run_id.clone(), why }.into());
        }
        let (past, seen) = self.committer.past_loads(table).await?;
        // Rejected rows that came again leave the mark where it was.
        let is_own = |load: &&PastLoad| load.pipeline == self.pipeline.name && load.resolves.is_empty();
        let last = past.iter().rfind(is_own);
        Ok(Some(Mark {
            cursor: last.and_then(|load| load.cursor.clone()),
            version: last.map(|load| load.version),
            seen,
        }))
    }

    async fn open(&self, cursor: Option<String>) -> Result<Arc<dyn Source>> {
        let scale = self.options.scale.unwrap_or(1.0);
        if !(scale.is_finite() && scale > 0.0) {
            return Err(RunError::Scale { scale }.into());
        }
        let context = SourceContext { cursor, ..self.sources.clone() };
        let def = scaled(self.pipeline.source.clone(), scale);
        let opened = tokio::task::spawn_blocking(move || source::open(&context, &def)).await;
        Ok(opened.map_err(|error| RunError::ReaderLost { source: error.into() })??)
    }

    /// The tables that the transform reads, each at its present version.
    async fn reads(&self) -> Result<Vec<RunRead>> {
        let mut reads = Vec::new();
        for table in self.tables_read() {
            match self.engine.catalog().pin(&table).await {
                Ok(pinned) => reads.push(RunRead { table, version: pinned.version }),
                // The transform will say what is missing, where it matters.
                Err(error) if error.kind() == xiangyun_engine::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(reads)
    }

    /// The tables that the transform reads, behind views too.
    fn tables_read(&self) -> BTreeSet<TableName> {
        let mut found = BTreeSet::new();
        let sql = self.pipeline.transform.as_ref().map(|transform| transform.sql.as_str());
        let mut open: Vec<TableName> = sql.into_iter().flat_map(tables_of).collect();
        while let Some(name) = open.pop() {
            match self.engine.project().view(&name) {
                Some(view) => open.extend(tables_of(&view.def.sql)),
                None => {
                    found.insert(name);
                }
            }
        }
        found
    }

    /// Reads all rows, stages those that are loaded and keeps the others for quarantine.
    async fn check(
        &self,
        table: &TableDef,
        source: Arc<dyn Source>,
        taken: &TakenOut,
        report: &mut LoadReport,
    ) -> Result<Checked> {
        let mut context = CheckContext::try_new(self.engine.reference(), self.engine.clock())
            .map_err(|error| RunError::Evaluate { source: error.into() })?;
        self.look_up(table, taken, &mut context).await?;
        let stages = !self.options.dry_run;
        let files = source.files().iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ");
        let writer = stages.then(|| {
            let id = &report.run.run_id;
            QuarantineWriter::new(self.committer, id, &self.pipeline.name, &table.name)
        });
        let samples = if self.pushed.is_some() { Samples::OfEachFile } else { Samples::First };
        let (mut quarantine, findings) = Quarantine::open(writer, files, samples, report.run.started_at);
        let trace = Trace::new(&report.run.run_id, source.files().iter().map(|file| file.path.as_str()));
        let reading = Reading::new(Arc::clone(&source), Arc::clone(&self.progress), findings.clone());
        let tally = reading.tally();
        let (schema, rows) = self.rows(reading).await?;
        let mode = &self.pipeline.mode;
        let gate = Gate::try_new(&self.pipeline, &mode.contract_of_rows(table), &schema, &mut context)?;
        let mut writer = stages.then(|| RowStage::open(self.committer, table, mode)).transpose()?;
        failpoint::hit("before_data_files");
        let (mut seen, mut rejected) = (0, 0);
        let mut judging = Judging::start(gate, rows);
        while let Some(verdict) = judging.next().await {
            let verdict = verdict.map_err(|error| tally.take_failure().map_or(error, Into::into))?;
            seen += verdict.rows;
            report.run.rows_loaded += verdict.kept.num_rows() as u64;
            report.run.rows_duplicate += verdict.duplicates;
            report.run.warnings += verdict.warnings.len() as u64;
            rejected += verdict.rejected.len() as u64;
            let room = SAMPLES.saturating_sub(report.warnings.len());
            report.warnings.extend(verdict.warnings.iter().take(room).map(sample));
            if self.pushed.is_some() {
                push::count_loaded(&mut report.pushed, &verdict.places);
                verdict.rejected.iter().for_each(|finding| push::count_rejected(&mut report.pushed, finding));
            }
            for finding in verdict.rejected {
                // Its reader ends early only with an error, which comes back below.
                if findings.send(finding).await.is_err() {
                    break;
                }
            }
            if let Some(writer) = &mut writer {
                let marked = trace.mark(&verdict.kept, &verdict.places);
                writer.write(marked.map_err(|error| RunError::Evaluate { source: error.into() })?).await?;
            }
        }
        let gate = judging.end().await?;
        drop(findings);
        if self.pushed.is_some() {
            for (file, (split, unreadable)) in tally.by_file() {
                let counts = report.pushed.entry(file.to_string()).or_default();
                counts.read = split + unreadable;
                counts.rejected += unreadable;
            }
        }
        report.rejects = quarantine.close().await?;
        report.run.sources = self.hashed(&source, |_| true).await?;
        report.run.notes.extend(source.notes());
        report.run.rows_read = seen + tally.unreadable();
        report.run.rows_rejected = rejected + tally.unreadable();
        self.balance(&report.run, &tally, quarantine.rows())?;
        let stopped = self.judge_load(table, gate.into_gathered(), &tally, &source.footers(), report).await?;
        Ok(Checked { writer, quarantine, stopped })
    }

    /// The rows as they come to the checks: those of the source, or those that the transform makes of them.
    async fn rows(&self, reading: Reading) -> Result<(SchemaRef, BoxStream<'static, Result<RecordBatch>>)> {
        if self.pipeline.transform.is_none() {
            let rows = reading.stream().map(|batch: Result<_, SourceError>| batch.map_err(Into::into));
            return Ok((reading.schema(), rows.boxed()));
        }
        let result = self.transform(reading).await?;
        Ok((Arc::clone(&result.schema), result.boxed()))
    }

    async fn transform(&self, reading: Reading) -> Result<QueryResult> {
        let sql = self.pipeline.transform.as_ref().map(|transform| transform.sql.as_str()).unwrap_or_default();
        let parsed = parse_transform(sql).map_err(|message| RunError::Transform { message })?;
        let source = reading.into_table().map_err(|error| RunError::Evaluate { source: error.into() })?;
        let context = self.engine.query_as(Principal::system());
        let staged = || vec![(SOURCE.to_owned(), Arc::clone(&source))];
        if let Some(with_places) = parsed.with_places
            && let Ok(result) = context.sql_over(SqlRequest::new(with_places), staged()).await
        {
            return Ok(result);
        }
        // An aggregate without GROUP BY, or an error: the statement as it was written tells.
        context.sql_over(SqlRequest::new(sql), staged()).await
    }

    /// No row may be lost or doubled between source, table and quarantine.
    fn balance(&self, run: &RunRecord, tally: &Tally, quarantined: u64) -> Result<()> {
        let is_untouched = self.pipeline.transform.is_none();
        let read = if is_untouched { tally.rows() + tally.unreadable() } else { run.rows_read };
        let accounted = run.rows_loaded + run.rows_rejected + run.rows_duplicate;
        if read == run.rows_read && read == accounted && run.rows_rejected == quarantined {
            return Ok(());
        }
        Err(RunError::Unbalanced {
            read,
            loaded: run.rows_loaded,
            rejected: quarantined,
            duplicate: run.rows_duplicate,
        }
        .into())
    }

    async fn commit(
        &self,
        table: Arc<TableDef>,
        idempotency: Idempotency,
        in_place: InPlace,
        checked: Checked,
        report: &mut LoadReport,
    ) -> Result<Option<LoadOutcome>> {
        let Some(writer) = checked.writer else { return Ok(Some(LoadOutcome::DryRun)) };
        let files = writer.finish().await?;
        failpoint::hit("after_data_files");
        if files.rows() != report.run.rows_loaded {
            return Err(RunError::Staged { loaded: report.run.rows_loaded, staged: files.rows() }.into());
        }
        failpoint::hit("before_quarantine_commit");
        checked.quarantine.commit(self.committer).await?;
        failpoint::hit("after_quarantine_commit");
        report.run.finished_at = self.engine.clock().now();
        let run = report.run.clone();
        let request = CommitRequest { table, mode: self.pipeline.mode.clone(), files, idempotency, run };
        failpoint::hit("before_data_commit");
        let Some((outcome, run)) = self.committer.commit_in_place(request, in_place).await? else { return Ok(None) };
        failpoint::hit("after_data_commit");
        Ok(Some(match outcome {
            CommitOutcome::Committed { version } => {
                report.run = run;
                report.run.version = Some(version);
                LoadOutcome::Loaded
            }
            // Another process was faster with the same content: its rows are the table's.
            CommitOutcome::AlreadyCommitted { version } => {
                report.run.status = RunStatus::Unchanged;
                report.run.version = Some(version);
                report.run.rows_loaded = 0;
                LoadOutcome::Unchanged
            }
        }))
    }
}

/// The source with the scale of this load.
fn scaled(mut def: SourceDef, scale: f64) -> SourceDef {
    if let SourceDef::Synthetic(generator) = &mut def {
        generator.scale *= scale;
    }
    def
}

/// A finding as a report shows it.
fn sample(finding: &Finding) -> RejectSample {
    RejectSample {
        file: finding.place.as_ref().map(|place| place.file.to_string()).unwrap_or_default(),
        line: finding.place.as_ref().map(|place| place.line).unwrap_or_default(),
        column: finding.column.clone(),
        reason: finding.reason.clone(),
        message: finding.message.clone(),
    }
}
