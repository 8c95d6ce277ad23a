//! `xiangyun demo`: the example project, loaded, asked and served.

mod folder;

use anyhow::Context;
use xiangyun_api::Telemetry;
use xiangyun_engine::semantic::{MetricQuery, TimeGrain};
use xiangyun_engine::{Error, ErrorKind, Principal};
use xiangyun_ingest::{Ingest, LoadOptions, LoadOutcome};

use super::load::{follow, load_all};
use super::metric;
use super::serve::Door;
use crate::args::DemoArgs;
use crate::output::{Output, note};
use crate::report::{AlreadyTold, Interrupted, plural};
use crate::session::{Session, open_serving};
use crate::settings::{SERVER_LISTEN, Settings};

/// Creates the example, loads what is not loaded, asks three metrics and serves until Ctrl-C.
pub(super) async fn run(session: &Session, args: DemoArgs) -> anyhow::Result<()> {
    if session.global.project.is_some() {
        let error = Error::new(ErrorKind::InvalidInput, "`demo` makes a project of its own");
        return Err(error.with_hint("name its folder by `--dir DIR`").into());
    }
    let scale = folder::prepare(&args.dir, args.scale)?;
    let root = args.dir.canonicalize().with_context(|| format!("cannot open {}", args.dir.display()))?;
    let listen = args.listen.clone().map(|address| (&SERVER_LISTEN, "--listen", address));
    let mut flags = session.set_flags()?;
    flags.extend(listen);
    let settings = Settings::resolve(root, &session.environment, &flags)?;
    let door = Door::open(&settings)?;
    let (ingest, observers) = open_serving(&settings, session).await?;
    let loaded = tokio::select! {
        loaded = load_and_ask(session, &settings, &ingest, scale) => loaded,
        _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
    };
    let served = match loaded {
        Ok(()) => serve(&args, &settings, &ingest, door, observers.telemetry()).await,
        Err(error) => Err(error),
    };
    observers.close().await;
    served
}

async fn serve(
    args: &DemoArgs,
    settings: &Settings,
    ingest: &Ingest,
    door: Door,
    telemetry: &Telemetry,
) -> anyhow::Result<()> {
    let dir = args.dir.display().to_string();
    super::serve::until_stopped(ingest, door, settings, telemetry, |url| {
        note(&format!("the server listens on {url}, Ctrl-C stops it; next, from another terminal:"));
        note(&format!("  curl '{url}/v1/metrics/startup_median_days?by=region.prefecture&regions=as_is'"));
        note(&format!("  xiangyun sql --project {dir} -c 'SELECT * FROM system.runs'"));
        note(&format!("  xiangyun sql --project {dir}"));
        note(&format!("  {url}/ in a browser"));
    })
    .await
}

async fn load_and_ask(session: &Session, settings: &Settings, ingest: &Ingest, scale: f64) -> anyhow::Result<()> {
    let run = ingest.pipelines().iter().filter(|pipeline| !pipeline.def.source.is_push());
    let names: Vec<String> = run.map(|pipeline| pipeline.def.name.clone()).collect();
    note(&format!("loading {} into {}", plural(names.len(), "table"), settings.storage().url));
    let options = LoadOptions { scale: Some(scale), ..LoadOptions::default() };
    let summary = load_all(session, ingest, &names, &options, 0).await;
    follow(session, &ingest.maintenance()).await;
    let mut output = Output::open(&session.global)?;
    output.rows(summary.rows()?).await?;
    if let Some(exit) = summary.failure {
        return Err(AlreadyTold(exit).into());
    }
    if summary.reports.iter().all(|report| report.outcome == LoadOutcome::Unchanged) {
        output.note("everything had been loaded before");
    }
    let queries = ingest.engine().query_as(Principal::local());
    for question in questions() {
        metric::ask(&queries, &mut output, question).await?;
    }
    output.finish()?;
    Ok(())
}

/// Three figures that a governor asks for.
fn questions() -> [MetricQuery; 3] {
    let by_prefecture = MetricQuery {
        metric: "startup_share_within_limit".into(),
        by: vec!["region.prefecture".into()],
        ..MetricQuery::default()
    };
    let yearly =
        |metric: &str| MetricQuery { metric: metric.into(), grain: Some(TimeGrain::Year), ..MetricQuery::default() };
    [by_prefecture, yearly("project_median_working_days"), yearly("private_enterprise_growth")]
}
