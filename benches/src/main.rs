//! Xiangyun against DuckDB, and its server against others: the same work in the same run on the same machine, and the
//! ratio.
//!
//! Every figure is the best of several runs; under 1.3 times either way is a tie on a shared machine.

mod lake;
mod load;
mod metrics;
mod peer;
mod process;
mod report;
mod serve;
mod start;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};

use serve::{ServeArguments, Setting};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Loading CSV
    Load,
    /// Metrics of the example
    Metrics,
    /// Starting the binary
    Start,
    /// The server; `--figure` names single figures
    Serve,
    /// A peer of `serve`, in a process of its own.
    #[value(hide = true)]
    Bare,
}

/// Measures Xiangyun against its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything unless said
    #[arg(value_enum)]
    only: Vec<Target>,
    /// Rows of the CSV file to load (500000), or of the table that is served (each figure has its own)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    /// Scale of the example for the metrics
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Runs of each query and large result; the best counts
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Python with DuckDB
    #[arg(long, env = "PYTHON", default_value = ".venv/bin/python")]
    python: PathBuf,
    /// The release binary, for its start-up time and as the server
    #[arg(long, default_value = "target/release/xiangyun")]
    binary: PathBuf,
    #[command(flatten)]
    serve: ServeArguments,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if arguments.only == [Target::Bare] {
        let body = arguments.serve.body.as_deref().context("`--body` is missing")?;
        return runtime.block_on(serve::serve_bare(body));
    }
    // Whoever is interrupted ends the servers and removes the lakes too.
    runtime.block_on(async {
        tokio::select! {
            done = Box::pin(measure(&arguments)) => done,
            () = interrupted() => bail!("interrupted"),
        }
    })
}

/// Ctrl-C, or where it is asked to end.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let wanted = |target| arguments.only.is_empty() || arguments.only.contains(&target);
    let mut peer = peer::DuckDb::start(&arguments.python)?;
    if wanted(Target::Load) {
        load::measure(&mut peer, arguments.rows.unwrap_or(500_000), arguments.repeat).await?;
    }
    if wanted(Target::Metrics) || wanted(Target::Start) {
        let example = lake::example(arguments.scale).await?;
        if wanted(Target::Metrics) {
            metrics::measure(&mut peer, &example, arguments.repeat).await?;
        }
        if wanted(Target::Start) {
            start::measure(&arguments.binary, &example, arguments.repeat)?;
        }
    }
    if wanted(Target::Serve) {
        let setting = Setting {
            arguments: &arguments.serve,
            binary: arguments.binary.clone(),
            python: arguments.python.clone(),
            rows: arguments.rows,
            repeat: arguments.repeat,
        };
        serve::measure(&mut peer, &setting).await?;
    }
    Ok(())
}
