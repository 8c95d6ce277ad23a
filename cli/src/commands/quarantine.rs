use std::path::Path;

use xiangyun_ingest::quarantine::QuarantineFilter;
use xiangyun_ingest::{Ingest, LoadOptions};

use super::load::Summary;
use crate::args::{FilterArgs, QuarantineArgs, QuarantineCommand};
use crate::output::{LoadProgress, Output};
use crate::session::{Session, open_observed};
use crate::settings::Flags;

/// Lists, exports or replays rejected rows.
pub(super) async fn run(session: &Session, args: QuarantineArgs) -> anyhow::Result<()> {
    let settings = session.settings(Flags::new())?;
    let (ingest, observers) = open_observed(&settings, &session.environment).await?;
    let done = match args.command {
        QuarantineCommand::List { filter, all } => list(session, &ingest, &wanted(filter, all)).await,
        QuarantineCommand::Export { filter } => export(session, &ingest, &wanted(filter, false)).await,
        QuarantineCommand::Replay { file, run, dry_run } => {
            let options = LoadOptions { dry_run, ..LoadOptions::default() };
            replay(session, &ingest, file.as_deref(), run.as_deref(), &options).await
        }
    };
    observers.close().await;
    done
}

fn wanted(args: FilterArgs, with_resolved: bool) -> QuarantineFilter {
    let FilterArgs { pipeline, run, reason, since } = args;
    QuarantineFilter { pipeline, run, reason, since, with_resolved }
}

async fn list(session: &Session, ingest: &Ingest, filter: &QuarantineFilter) -> anyhow::Result<()> {
    let mut output = Output::open(&session.global)?;
    output.result(ingest.quarantined(filter).await?).await?;
    output.finish()
}

async fn export(session: &Session, ingest: &Ingest, filter: &QuarantineFilter) -> anyhow::Result<()> {
    let export = ingest.export_quarantine(filter).await?;
    let mut output = Output::open(&session.global)?;
    if session.global.output.is_some() {
        output.mark_utf8()?;
    }
    let rows = output.batches(export.schema, export.batches).await?;
    output.note(&format!(
        "{rows} rejected rows; correct their columns, leave the first two as they are, and load them with `xiangyun \
         quarantine replay FILE`"
    ));
    output.finish()
}

async fn replay(
    session: &Session,
    ingest: &Ingest,
    file: Option<&Path>,
    run: Option<&str>,
    options: &LoadOptions,
) -> anyhow::Result<()> {
    let mut output = Output::open(&session.global)?;
    let progress = LoadProgress::start("quarantine", session.global.quiet);
    let reports = match (file, run) {
        (Some(file), _) => ingest.replay(file, options, progress).await?,
        (None, run) => ingest.replay_run(run.unwrap_or_default(), options, progress).await?,
    };
    let summary = Summary::told(session, reports);
    output.rows(summary.rows()?).await?;
    output.finish()
}
