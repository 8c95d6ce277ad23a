//! `xiangyun run`: works the schedule without a server.

use std::future::Future;

use arrow::array::RecordBatch;
use xiangyun_ingest::jobs::{JobOptions, JobOutcome, JobReport, Jobs, Planned, Reason};
use xiangyun_ingest::maintain::Upkeep;
use xiangyun_ingest::{Ingest, LoadOutcome};

use super::serve::stopped;
use crate::args::RunArgs;
use crate::output::{Output, note, text};
use crate::report::{self, AlreadyTold, Exit, color};
use crate::session::{Session, open_observed};
use crate::settings::{Environment, Flags, Settings};

/// Works the schedule until Ctrl-C, or once.
pub(super) async fn run(session: &Session, args: &RunArgs) -> anyhow::Result<()> {
    let settings = session.settings(Flags::new())?;
    let (ingest, observers) = open_observed(&settings, &session.environment).await?;
    let maintenance = ingest.maintenance().optimizing(settings.optimizes());
    let jobs = open(ingest, &settings)?;
    if jobs.is_empty() {
        note("no pipeline has a schedule and no table promises freshness: declare [schedule] in pipelines/*.toml");
        return Ok(());
    }
    let done = if args.plan {
        plan(session, &jobs).await
    } else if args.once {
        let done = once(session, &jobs).await;
        super::load::catch_up(session, &maintenance).await;
        done
    } else {
        note("the schedule is worked, Ctrl-C stops it");
        let upkeep = Upkeep::start(maintenance);
        let done = work(&jobs, &session.environment, session.global.quiet, stopped()).await;
        upkeep.close().await;
        done
    };
    observers.close().await;
    done
}

/// The project's jobs as the settings say.
pub(super) fn open(ingest: Ingest, settings: &Settings) -> anyhow::Result<Jobs> {
    let options = JobOptions { parallel: settings.parallel_jobs(), ..JobOptions::default() };
    Ok(Jobs::try_new(ingest, options)?)
}

/// Works the schedule until `stop`, telling each job as it ends.
pub(super) async fn work(
    jobs: &Jobs,
    environment: &Environment,
    quiet: bool,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    Ok(jobs.work(stop, |report| tell(report, environment, quiet)).await?)
}

async fn once(session: &Session, jobs: &Jobs) -> anyhow::Result<()> {
    let mut failure: Option<Exit> = None;
    jobs.run_due(|report| {
        if let JobOutcome::Failed(error) = &report.outcome {
            failure.get_or_insert(error.kind().into());
        }
        tell(report, &session.environment, session.global.quiet);
    })
    .await?;
    failure.map_or(Ok(()), |exit| Err(AlreadyTold(exit).into()))
}

async fn plan(session: &Session, jobs: &Jobs) -> anyhow::Result<()> {
    let mut output = Output::open(&session.global)?;
    output.rows(planned(&jobs.plan().await?)?).await?;
    output.finish()?;
    Ok(())
}

fn planned(plan: &[Planned]) -> anyhow::Result<RecordBatch> {
    let when = |job: &Planned| {
        let mut parts: Vec<String> =
            job.schedule.cron.iter().map(|cron| format!("{cron} {}", job.schedule.time_zone)).collect();
        parts.extend((!job.schedule.after.is_empty()).then(|| format!("after {}", job.schedule.after.join(", "))));
        parts.extend(job.schedule.on_arrival.as_ref().map(|_| "on arrival".to_owned()));
        parts.join("; ")
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("pipeline", text(plan.iter().map(|job| Some(&job.pipeline))), false),
        ("schedule", text(plan.iter().map(|job| Some(when(job)))), false),
        ("next", text(plan.iter().map(|job| job.next.map(|next| next.to_rfc3339()))), true),
        ("last_started", text(plan.iter().map(|job| job.last_started_at.map(|last| last.to_rfc3339()))), true),
        ("fault", text(plan.iter().map(|job| job.fault.as_ref())), true),
    ])?)
}

fn tell(report: JobReport, environment: &Environment, quiet: bool) {
    let name = &report.due.pipeline;
    match report.outcome {
        JobOutcome::Failed(error) => {
            let error = anyhow::Error::from(error);
            let error = match report.due.reason {
                Reason::Freshness => error,
                _ => error.context(format!("pipeline `{name}` failed")),
            };
            report::tell(&error, color(environment));
        }
        _ if quiet => {}
        JobOutcome::Elsewhere => note(&format!("pipeline `{name}`: another process is at it")),
        JobOutcome::Ran(load) => {
            let run = &load.run;
            note(&match load.outcome {
                LoadOutcome::Loaded => format!(
                    "pipeline `{name}`: {} rows loaded, {} rejected, {} duplicates into `{}` version {}",
                    run.rows_loaded,
                    run.rows_rejected,
                    run.rows_duplicate,
                    run.table,
                    run.version.unwrap_or_default(),
                ),
                LoadOutcome::Unchanged | LoadOutcome::DryRun => format!("pipeline `{name}`: nothing new"),
            });
        }
    }
}
