use arrow::array::RecordBatch;
use xiangyun_engine::query::RollupFacts;
use xiangyun_engine::semantic::TimeGrain;
use xiangyun_ingest::maintain::Refreshed;

use crate::args::{RollupArgs, RollupCommand};
use crate::output::{Output, count, note, text};
use crate::report::{AlreadyTold, Exit};
use crate::session::{Session, open_observed};
use crate::settings::Flags;

/// Looks at rollups and brings them up to date.
pub(super) async fn run(session: &Session, args: RollupArgs) -> anyhow::Result<()> {
    let settings = session.settings(Flags::new())?;
    let (ingest, _) = open_observed(&settings, &session.environment).await?;
    let maintenance = ingest.maintenance();
    let mut output = Output::open(&session.global)?;
    let mut failure: Option<Exit> = None;
    match args.command {
        RollupCommand::List => output.rows(list(&maintenance.rollups().await?)?).await?,
        RollupCommand::Refresh { names, anew } => {
            let declared = maintenance.rollups().await?.into_iter().map(|facts| facts.summary.name);
            let names = if names.is_empty() { declared.collect() } else { names };
            if names.is_empty() {
                note("the project has no rollups: declare one in metrics/*.toml, or ask `xiangyun metric advise`");
            }
            let mut done = Vec::new();
            for name in names {
                match maintenance.refresh_rollup(&name, anew).await {
                    Ok(refreshed) => done.push(refreshed),
                    // One that fails does not stop the others.
                    Err(error) => {
                        failure.get_or_insert(error.kind().into());
                        let error = anyhow::Error::from(error).context(format!("rollup `{name}` was not refreshed"));
                        crate::report::tell(&error, crate::report::color(&session.environment));
                    }
                }
            }
            output.rows(refreshed(&done)?).await?;
        }
    }
    output.finish()?;
    failure.map_or(Ok(()), |exit| Err(AlreadyTold(exit).into()))
}

fn list(rollups: &[RollupFacts]) -> anyhow::Result<RecordBatch> {
    let summaries = || rollups.iter().map(|facts| &facts.summary);
    let state = |facts: &RollupFacts| match (facts.version, facts.is_current) {
        (None, _) => "not made yet",
        (Some(_), true) => "current",
        (Some(_), false) => "behind",
    };
    let table = summaries().map(|summary| Some(summary.table.to_string()));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(summaries().map(|summary| Some(&summary.name))), false),
        ("table", text(table), true),
        ("dimensions", text(summaries().map(|summary| Some(summary.dimensions.join(", ")))), false),
        ("grain", text(summaries().map(|summary| summary.grain.map(TimeGrain::name))), true),
        ("measures", text(summaries().map(|summary| Some(summary.measures.join(", ")))), false),
        ("state", text(rollups.iter().map(|facts| Some(state(facts)))), false),
        ("rows", count(rollups.iter().map(|facts| facts.rows)), true),
        ("source_rows", count(rollups.iter().map(|facts| facts.source_rows)), true),
        ("version", count(rollups.iter().map(|facts| facts.version)), true),
    ])?)
}

fn refreshed(done: &[Refreshed]) -> anyhow::Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(done.iter().map(|done| Some(&done.name))), false),
        ("outcome", text(done.iter().map(|done| Some(done.outcome.name()))), false),
        ("rows_written", count(done.iter().map(|done| Some(done.rows))), true),
        ("version", count(done.iter().map(|done| done.version)), true),
    ])?)
}
