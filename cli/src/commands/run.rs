//! `xiangyun run`: works the schedule without a server.

use std::future::Future;

use arrow::array::RecordBatch;
use futures::FutureExt;
use xiangyun_ingest::alert::{AlertOptions, AlertReport, Alerts};
use xiangyun_ingest::jobs::{JobOptions, JobOutcome, JobReport, Jobs, Planned, Reason};
use xiangyun_ingest::maintain::Upkeep;
use xiangyun_ingest::{Ingest, LoadOutcome};

use super::alert::shown;
use super::serve::stopped;
use crate::args::RunArgs;
use crate::output::{Output, note, text};
use crate::report::{self, AlreadyTold, Exit, color};
use crate::session::{OBSERVERS_TIMEOUT, Observers, Session, open_observed};
use crate::settings::{Environment, Flags, Settings};

/// Works the schedule until Ctrl-C, or once.
pub(super) async fn run(session: &Session, args: &RunArgs) -> anyhow::Result<()> {
    let settings = session.settings(Flags::new())?;
    let (ingest, observers) = open_observed(&settings, &session.environment).await?;
    let maintenance = ingest.maintenance().optimizing(settings.optimizes());
    let alerts = watch(&ingest, &observers)?;
    let jobs = open(ingest, &settings)?;
    if jobs.is_empty() && alerts.is_empty() {
        note(
            "no pipeline has a schedule, no table promises freshness and no alert is declared: declare [schedule] in \
             pipelines/*.toml",
        );
        return Ok(());
    }
    let done = if args.plan {
        plan(session, &jobs).await
    } else if args.once {
        let done = once(session, &jobs, &alerts).await;
        super::load::catch_up(session, &maintenance).await;
        done
    } else {
        note("the schedule is worked, Ctrl-C stops it");
        let upkeep = Upkeep::start(maintenance);
        let done = work(&jobs, &alerts, &session.environment, session.global.quiet, stopped()).await;
        upkeep.close().await;
        done
    };
    alerts.close(OBSERVERS_TIMEOUT).await;
    observers.close().await;
    done
}

/// The project's alerts, told to the endpoints that they and the settings name.
pub(super) fn watch(ingest: &Ingest, observers: &Observers) -> anyhow::Result<Alerts> {
    let options = AlertOptions { webhook: observers.webhook().cloned(), ..AlertOptions::default() };
    Ok(Alerts::open(ingest.clone(), options)?)
}

/// The project's jobs as the settings say.
pub(super) fn open(ingest: Ingest, settings: &Settings) -> anyhow::Result<Jobs> {
    let options = JobOptions { parallel: settings.parallel_jobs(), ..JobOptions::default() };
    Ok(Jobs::try_new(ingest, options)?)
}

/// Works the schedule and watches the alerts until `stop`, telling each job as it ends and what alerts find.
pub(super) async fn work(
    jobs: &Jobs,
    alerts: &Alerts,
    environment: &Environment,
    quiet: bool,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let stop = stop.shared();
    let jobs = jobs.work(stop.clone(), |report| tell(report, environment, quiet));
    let alerts = async {
        match alerts.is_empty() {
            true => Ok(()),
            false => alerts.work(stop, |report| tell_alert(report, environment, quiet)).await,
        }
    };
    let (worked, watched) = tokio::join!(jobs, alerts);
    Ok(worked.and(watched)?)
}

async fn once(session: &Session, jobs: &Jobs, alerts: &Alerts) -> anyhow::Result<()> {
    let mut failure: Option<Exit> = None;
    jobs.run_due(|report| {
        if let JobOutcome::Failed(error) = &report.outcome {
            failure.get_or_insert(error.kind().into());
        }
        tell(report, &session.environment, session.global.quiet);
    })
    .await?;
    alerts
        .look(|report| {
            if let Some(error) = &report.error {
                failure.get_or_insert(error.kind().into());
            }
            tell_alert(report, &session.environment, session.global.quiet);
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

fn tell_alert(report: AlertReport, environment: &Environment, quiet: bool) {
    let alert = &report.alert;
    if let Some(error) = report.error {
        let error = anyhow::Error::from(error).context(format!("alert `{}` cannot be evaluated", alert.name));
        return report::tell(&error, color(environment));
    }
    if quiet {
        return;
    }
    for (groups, word) in [(&report.turn.began, "firing"), (&report.turn.ended, "resolved")] {
        for group in groups {
            let of = match group.group.is_empty() {
                true => String::new(),
                false => format!(" for {}", shown(&group.group)),
            };
            let value = group.last.value.as_deref().or(group.last.reason.as_deref()).unwrap_or("no figure");
            note(&format!("alert `{}`: {word}{of}: {value} ({})", alert.name, alert.rule.words().en));
        }
    }
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
