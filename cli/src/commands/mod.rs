//! One file per verb. A verb reads its arguments, calls the libraries and prints through `output`.

mod alert;
mod check;
mod completions;
mod config;
mod demo;
mod infer;
mod init;
mod load;
mod metric;
mod quarantine;
mod rollup;
mod run;
mod serve;
mod sql;
mod table;

use std::future::Future;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::args::Command;
use crate::log;
use crate::output;
use crate::report::Interrupted;
use crate::session::Session;
use crate::settings::Flags;
use crate::traces::Traces;

pub(crate) use table::{columns as table_columns, facts as table_facts, list as tables_as_rows};

/// Runs a verb. Nothing is started that the verb does not need: the plain ones have no runtime.
pub(crate) fn run(session: Session, command: Command) -> anyhow::Result<()> {
    for (name, meant) in session.environment.slips() {
        output::note(&format!("warning: the environment variable {name} is unknown, did you mean {meant}?"));
    }
    match command {
        Command::Init(args) => init::run(&session, &args),
        Command::Config(args) => config::run(&session, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Infer(args) => interruptible(&session, infer::run(&session, &args)),
        Command::Check => interruptible(&session, check::run(&session)),
        Command::Load(args) => traced(&session, "warn", or_interrupted(load::run(&session, &args))),
        Command::Quarantine(args) => interruptible(&session, quarantine::run(&session, args)),
        Command::Run(args) => traced(&session, "warn", run::run(&session, &args)),
        Command::Table(args) => interruptible(&session, table::run(&session, args)),
        Command::Alert(args) => interruptible(&session, alert::run(&session, args)),
        Command::Metric(args) => interruptible(&session, metric::run(&session, args)),
        Command::Rollup(args) => interruptible(&session, rollup::run(&session, args)),
        Command::Sql(args) if sql::is_interactive(&args) => block_on(&session, "warn", sql::shell(&session)),
        Command::Sql(args) => interruptible(&session, sql::run(&session, args)),
        Command::Serve(args) => traced(&session, "info", serve::run(&session, args)),
        Command::Demo(args) => block_on(&session, "warn", demo::run(&session, args)),
    }
}

/// Runs to the end or to Ctrl-C. What is dropped then is safe to drop: reads have no effect, and a load that was not
/// committed never was.
async fn or_interrupted(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
    }
}

fn interruptible(session: &Session, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    block_on(session, "warn", or_interrupted(work))
}

fn block_on(session: &Session, level: &str, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    log::start(session, level, None)?;
    finish(start_threads()?, work)
}

/// As [`block_on`]; the spans of what is done go where the project's settings say.
fn traced(session: &Session, level: &str, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let Some(otlp) = session.settings(Flags::new())?.otlp(&session.environment) else {
        return block_on(session, level, work);
    };
    let runtime = start_threads()?;
    let traces = session.traces.get_or_init({
        let opened = Traces::open(&otlp, runtime.handle().clone())?;
        || opened
    });
    log::start(session, level, Some(traces))?;
    let flushed = async {
        let done = work.await;
        let traces = traces.clone();
        // It waits for the requests that the runtime makes.
        let _ = tokio::task::spawn_blocking(move || traces.close()).await;
        done
    };
    finish(runtime, flushed)
}

fn start_threads() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("cannot start threads")
}

fn finish(runtime: Runtime, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let done = runtime.block_on(work);
    runtime.shutdown_background(); // a query that was given up must not hold the process
    done
}
