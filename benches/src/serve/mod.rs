//! How does the server serve: replies a second, large results, cancelling, fairness, idle connections, rollups?
//!
//! A project of one table is made of a seed, loaded by the binary and served by it on a free port. Servers and peers are
//! processes of their own, which end with the figure that started them, whether or not it succeeds.

mod bare;
mod cached;
mod cancel;
mod daemon;
mod heavy;
mod http;
mod idle;
mod random;
mod roapi;
mod rollup;
mod rows;
mod site;
mod stream;
mod wrk;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::peer::DuckDb;
use site::Site;

pub(crate) use bare::serve as serve_bare;

/// A metric by its nine regions: what a dashboard asks.
const METRIC: &str = "/v1/metrics/amount?by=region";

/// One question about serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Figure {
    /// A metric from the cache against a bare handler and ROAPI
    Cached,
    /// The same metric from Parquet against ROAPI from memory
    Uncached,
    /// A large result as Arrow, CSV and JSON
    Stream,
    /// From cancelling to an idle server
    Cancel,
    /// A dashboard beside heavy queries
    Heavy,
    /// Memory of idle connections
    Idle,
    /// A metric over a rollup; only where it is named
    Rollup,
}

impl Figure {
    /// Those that are measured where none is named: the rows of a rollup take minutes and gigabytes.
    const USUAL: [Self; 6] = [Self::Cached, Self::Uncached, Self::Stream, Self::Cancel, Self::Heavy, Self::Idle];

    fn default_rows(self) -> u64 {
        match self {
            Self::Cached | Self::Uncached | Self::Heavy | Self::Idle => 1_000_000,
            Self::Cancel => 4_000_000,
            Self::Stream => 10_000_000,
            Self::Rollup => 100_000_000,
        }
    }
}

/// What `serve` wants to know.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Figures of `serve`; all but `rollup` unless said
    #[arg(long, value_enum, value_delimiter = ',')]
    figure: Vec<Figure>,
    /// Seconds of each measurement of `cached`, `uncached` and `heavy`
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Connections of wrk for `cached` and `uncached`
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    connections: Vec<usize>,
    /// Queries that `cancel` takes back
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    cancels: u64,
    /// Seed of the kinds and moments of `cancel`
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Idle connections of `idle`
    #[arg(long, default_value_t = 1_000)]
    idle: usize,
    /// ROAPI; beside the Python of the peers unless said
    #[arg(long)]
    roapi: Option<PathBuf>,
    /// What the bare handler answers
    #[arg(long, hide = true)]
    pub(crate) body: Option<PathBuf>,
}

/// What all figures are given.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    /// The figures' own arguments.
    pub(crate) arguments: &'a ServeArguments,
    /// The server's binary.
    pub(crate) binary: PathBuf,
    /// Python with the peers.
    pub(crate) python: PathBuf,
    /// Rows, where they were named.
    pub(crate) rows: Option<u64>,
    /// Runs of a large result; the best counts.
    pub(crate) repeat: usize,
}

impl Setting<'_> {
    fn seconds(&self) -> Duration {
        Duration::from_secs(self.arguments.seconds)
    }

    fn roapi(&self) -> PathBuf {
        self.arguments.roapi.clone().unwrap_or_else(|| roapi::beside(&self.python))
    }
}

/// Measures the figures that were named, one behind the other. Those that want the same rows share them.
pub(crate) async fn measure(peer: &mut DuckDb, setting: &Setting<'_>) -> Result<()> {
    let named = &setting.arguments.figure;
    let figures = if named.is_empty() { &Figure::USUAL[..] } else { named };
    let mut loaded: Option<Site> = None;
    for &figure in figures {
        let rows = setting.rows.unwrap_or(figure.default_rows()).max(1);
        if figure == Figure::Rollup {
            drop(loaded.take());
            rollup::measure(peer, setting, rows).await?;
            continue;
        }
        let site = match loaded.take().filter(|site| site.rows == rows) {
            Some(site) => site,
            None => Site::load(&setting.binary, rows, false)?,
        };
        match figure {
            Figure::Cached => cached::measure(setting, &site).await?,
            Figure::Uncached => cached::measure_uncached(setting, &site).await?,
            Figure::Stream => stream::measure(peer, setting, &site).await?,
            Figure::Cancel => cancel::measure(setting, &site).await?,
            Figure::Heavy => heavy::measure(setting, &site).await?,
            Figure::Idle => idle::measure(setting, &site).await?,
            Figure::Rollup => {}
        }
        loaded = Some(site);
    }
    Ok(())
}
