//! Xiangyun against DuckDB: the same work in the same run on the same machine, and the ratio.
//!
//! Every figure is the best of several runs; under 1.3 times either way is a tie on a shared machine.

mod lake;
mod load;
mod memory;
mod metrics;
mod peer;
mod report;
mod start;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Xiangyun against DuckDB.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything unless said.
    #[arg(value_parser = ["load", "metrics", "start"])]
    only: Vec<String>,
    /// Rows of the CSV file to load.
    #[arg(long, default_value_t = 500_000)]
    rows: u64,
    /// Scale of the example for the metrics.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Runs of each query; the best counts.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Python with DuckDB.
    #[arg(long, env = "PYTHON", default_value = ".venv/bin/python")]
    python: PathBuf,
    /// The release binary, for its start-up time.
    #[arg(long, default_value = "target/release/xiangyun")]
    binary: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut peer = peer::DuckDb::start(&arguments.python)?;
        if wanted("load") {
            load::measure(&mut peer, arguments.rows, arguments.repeat).await?;
        }
        if wanted("metrics") || wanted("start") {
            let example = lake::example(arguments.scale).await?;
            if wanted("metrics") {
                metrics::measure(&mut peer, &example, arguments.repeat).await?;
            }
            if wanted("start") {
                start::measure(&arguments.binary, &example, arguments.repeat)?;
            }
        }
        Ok(())
    })
}
