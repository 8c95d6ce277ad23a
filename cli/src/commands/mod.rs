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
use tracing_subscriber::EnvFilter;

use crate::args::Command;
use crate::output;
use crate::report::Interrupted;
use crate::session::Session;

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
        Command::Load(args) => interruptible(&session, load::run(&session, &args)),
        Command::Quarantine(args) => interruptible(&session, quarantine::run(&session, args)),
        Command::Run(args) => block_on(&session, "warn", run::run(&session, &args)),
        Command::Table(args) => interruptible(&session, table::run(&session, args)),
        Command::Alert(args) => interruptible(&session, alert::run(&session, args)),
        Command::Metric(args) => interruptible(&session, metric::run(&session, args)),
        Command::Rollup(args) => interruptible(&session, rollup::run(&session, args)),
        Command::Sql(args) if sql::is_interactive(&args) => block_on(&session, "warn", sql::shell(&session)),
        Command::Sql(args) => interruptible(&session, sql::run(&session, args)),
        Command::Serve(args) => block_on(&session, "info", serve::run(&session, args)),
        Command::Demo(args) => block_on(&session, "warn", demo::run(&session, args)),
    }
}

/// Runs to the end or to Ctrl-C. What is dropped then is safe to drop: reads have no effect, and a load that was not
/// committed never was.
fn interruptible(session: &Session, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    block_on(session, "warn", async {
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        }
    })
}

fn block_on(session: &Session, log: &str, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    start_log(session, log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background(); // a query that was given up must not hold the process
    done
}

fn start_log(session: &Session, default: &str) -> anyhow::Result<()> {
    let wanted = session.environment.get("XIANGYUN_LOG").unwrap_or(default);
    let filter = EnvFilter::try_new(wanted).with_context(|| format!("XIANGYUN_LOG: `{wanted}` is not a log filter"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    log.with_ansi(crate::report::color(&session.environment)).init();
    Ok(())
}
