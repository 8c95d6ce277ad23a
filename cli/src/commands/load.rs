use arrow::array::RecordBatch;
use xiangyun_engine::project::{Document, nearest};
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::maintain::Maintenance;
use xiangyun_ingest::pipeline::PipelineDef;
use xiangyun_ingest::{Ingest, LoadOptions, LoadOutcome, LoadReport, RejectSample};

use crate::args::LoadArgs;
use crate::output::{LoadProgress, Output, count, note, text};
use crate::report::{self, AlreadyTold, Exit};
use crate::session::{Session, open_observed};
use crate::settings::Flags;

/// Rejected rows that are told of each load; all of them are in `system.quarantine`.
const REJECTS_TOLD: usize = 5;
/// Warnings that are told of each load: such rows were loaded, and there may be many of a kind.
const WARNINGS_TOLD: usize = 2;

/// Runs pipelines, all unless some are named. One that fails does not stop the others.
pub(super) async fn run(session: &Session, args: &LoadArgs) -> anyhow::Result<()> {
    let settings = session.settings(Flags::new())?;
    let (ingest, observers) = open_observed(&settings, &session.environment).await?;
    let options = LoadOptions { dry_run: args.dry_run, scale: args.scale, ..LoadOptions::default() };
    let maintenance = ingest.maintenance().optimizing(settings.optimizes());
    if let Some(run) = &args.redo {
        let made = redo(session, &ingest, run, &options).await;
        catch_up(session, &maintenance).await;
        observers.close().await;
        return made;
    }
    let pipelines = chosen(&ingest, &args.pipelines)?;
    if pipelines.is_empty() {
        note(match ingest.pipelines() {
            [] => "the project has no pipelines: declare one in pipelines/*.toml",
            _ => "there is nothing to load: all pipelines take what callers push to a server",
        });
        return Ok(());
    }
    let mut output = Output::open(&session.global)?;
    let summary = load_all(session, &ingest, &pipelines, &options, WARNINGS_TOLD).await;
    catch_up(session, &maintenance).await;
    observers.close().await;
    output.rows(summary.rows()?).await?;
    output.finish()?;
    summary.failure.map_or(Ok(()), |exit| Err(AlreadyTold(exit).into()))
}

/// Lets rollups follow their tables, and puts small files together where the loads have left enough of them. The loads
/// stand, whatever becomes of it.
pub(super) async fn catch_up(session: &Session, maintenance: &Maintenance) {
    // Before files are put together, so that what came is still told by files of its own.
    follow(session, maintenance).await;
    let mut changed = false;
    for (table, done) in maintenance.catch_up().await {
        match done {
            Ok(done) => {
                changed |= done.done.version.is_some();
                if done.done.version.is_some() && !session.global.quiet {
                    let (removed, added) = (done.done.files_removed, done.done.files_added);
                    note(&format!("table `{table}`: {removed} small files were put together to {added}"));
                }
            }
            Err(error) => note(&format!("table `{table}`: small files were not put together: {}", error.chain())),
        }
    }
    if changed {
        follow(session, maintenance).await;
    }
}

/// Brings the rollups up to date; the tables answer for those that cannot be.
pub(super) async fn follow(session: &Session, maintenance: &Maintenance) {
    for (rollup, refreshed) in maintenance.refresh_rollups().await {
        match refreshed {
            Ok(done) if done.rows > 0 && !session.global.quiet => {
                note(&format!("rollup `{rollup}`: {}, {} rows written", done.outcome.name(), done.rows));
            }
            Ok(_) => {}
            Err(error) => note(&format!("rollup `{rollup}` was left behind its table: {}", error.chain())),
        }
    }
}

/// Makes one run again.
async fn redo(session: &Session, ingest: &Ingest, run: &str, options: &LoadOptions) -> anyhow::Result<()> {
    let mut output = Output::open(&session.global)?;
    let report = ingest.redo(run, options, LoadProgress::start(run, session.global.quiet)).await?;
    let mut summary = Summary { reports: Vec::new(), failed: Vec::new(), failure: None };
    tell(session, &report, WARNINGS_TOLD);
    summary.reports.push(report);
    output.rows(summary.rows()?).await?;
    output.finish()
}

/// Tells the first findings of a load.
fn tell(session: &Session, report: &LoadReport, warnings_told: usize) {
    if !session.global.quiet {
        let name = &report.run.pipeline;
        tell_samples(name, "rejected row", &report.rejects, report.run.rows_rejected, REJECTS_TOLD);
        tell_samples(name, "warning", &report.warnings, report.run.warnings, warnings_told);
        report.run.notes.iter().for_each(|said| note(&format!("pipeline `{name}`: {said}")));
    }
}

/// What a number of loads did.
pub(super) struct Summary {
    pub(super) reports: Vec<LoadReport>,
    failed: Vec<(String, String)>,
    /// How the first failure ends the process.
    pub(super) failure: Option<Exit>,
}

/// Runs `pipelines` one after the other, telling what is wrong as it comes.
pub(super) async fn load_all(
    session: &Session,
    ingest: &Ingest,
    pipelines: &[String],
    options: &LoadOptions,
    warnings_told: usize,
) -> Summary {
    let mut summary = Summary { reports: Vec::new(), failed: Vec::new(), failure: None };
    for name in pipelines {
        let progress = LoadProgress::start(name, session.global.quiet);
        match ingest.load(name, options, progress).await {
            Ok(report) => {
                tell(session, &report, warnings_told);
                summary.reports.push(report);
            }
            Err(error) => {
                let table = ingest.pipelines().iter().find(|pipeline| pipeline.def.name == *name);
                let table = table.map(|pipeline| pipeline.def.table.to_string()).unwrap_or_default();
                let error = anyhow::Error::from(error).context(format!("pipeline `{name}` failed"));
                report::tell(&error, report::color(&session.environment));
                summary.failure.get_or_insert(report::exit_of(&error));
                summary.failed.push((name.clone(), table));
            }
        }
    }
    summary
}

impl Summary {
    /// Of loads that went well; what they found is told.
    pub(super) fn told(session: &Session, reports: Vec<LoadReport>) -> Self {
        reports.iter().for_each(|report| tell(session, report, WARNINGS_TOLD));
        Self { reports, failed: Vec::new(), failure: None }
    }

    /// A row a load: what was read and what became of it.
    pub(super) fn rows(&self) -> anyhow::Result<RecordBatch> {
        let (reports, failed) = (&self.reports, &self.failed);
        let runs = || reports.iter().map(|report| &report.run);
        let none = || failed.iter().map(|_| None::<u64>);
        let counts =
            |of: fn(&xiangyun_engine::catalog::RunRecord) -> u64| count(runs().map(|run| Some(of(run))).chain(none()));
        let outcome = |report: &LoadReport| match report.outcome {
            LoadOutcome::Loaded => "loaded",
            LoadOutcome::Unchanged => "unchanged",
            LoadOutcome::DryRun => "dry run",
        };
        let tables = runs().map(|run| Some(run.table.to_string()));
        let names = runs().map(|run| Some(run.pipeline.clone()));
        let outcomes = reports.iter().map(|report| Some(outcome(report)));
        let seconds = runs().map(|run| {
            let milliseconds = (run.finished_at - run.started_at).num_milliseconds();
            Some(format!("{:.2} s", milliseconds as f64 / 1000.0))
        });
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("table", text(tables.chain(failed.iter().map(|(_, table)| Some(table.clone())))), true),
            ("pipeline", text(names.chain(failed.iter().map(|(name, _)| Some(name.clone())))), true),
            ("outcome", text(outcomes.chain(failed.iter().map(|_| Some("failed")))), true),
            ("rows_read", counts(|run| run.rows_read), true),
            ("rows_loaded", counts(|run| run.rows_loaded), true),
            ("rows_rejected", counts(|run| run.rows_rejected), true),
            ("rows_duplicate", counts(|run| run.rows_duplicate), true),
            ("rows_updated", counts(|run| run.rows_updated), true),
            ("rows_deleted", counts(|run| run.rows_deleted), true),
            ("warnings", counts(|run| run.warnings), true),
            ("duration", text(seconds.chain(failed.iter().map(|_| None))), true),
            ("version", count(runs().map(|run| run.version).chain(none())), true),
        ])?)
    }
}

/// The pipelines to run, in the order in which they should.
fn chosen(ingest: &Ingest, named: &[String]) -> Result<Vec<String>, Error> {
    let known: Vec<&str> = ingest.pipelines().iter().map(|pipeline| pipeline.def.name.as_str()).collect();
    if let Some(unknown) = named.iter().find(|name| !known.contains(&name.as_str())) {
        let mut message = format!("no pipeline `{unknown}`");
        if let Some(near) = nearest(unknown, known.iter().copied()) {
            message.push_str(&format!(", did you mean `{near}`?"));
        }
        let hint = format!("the project's pipelines: {}", known.join(", "));
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint));
    }
    let is_chosen = |pipeline: &&Document<PipelineDef>| match named {
        [] => !pipeline.def.source.is_push(),
        named => named.contains(&pipeline.def.name),
    };
    Ok(ingest.pipelines().iter().filter(is_chosen).map(|pipeline| pipeline.def.name.clone()).collect())
}

/// Tells the first `most` of `all` findings, and how many more there are.
fn tell_samples(pipeline: &str, what: &str, samples: &[RejectSample], all: u64, most: usize) {
    for sample in samples.iter().take(most) {
        let column = sample.column.as_ref().map(|column| format!(" column `{column}`")).unwrap_or_default();
        note(&format!("{what}: {}:{}{column}: {} ({})", sample.file, sample.line, sample.message, sample.reason));
    }
    let told = samples.len().min(most);
    if told > 0 && all > told as u64 {
        let more = usize::try_from(all).unwrap_or(usize::MAX) - told;
        note(&format!("pipeline `{pipeline}`: {more} more {what}{}", if more == 1 { "" } else { "s" }));
    }
}
