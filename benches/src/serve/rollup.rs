//! How long does a metric over a rollup take, computed each time, however many rows its table has?

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::cached::NO_CACHE;
use super::http::Caller;
use super::site::{DASHBOARD, Site};
use crate::peer::DuckDb;
use crate::report;

/// What is asked, and the same by hand for DuckDB.
const ASKED: [(&str, &str, &str); 2] = [
    ("by region", "/v1/metrics/amount?by=region", "SELECT region, sum(amount) FROM {} GROUP BY region"),
    (
        "by region and channel per month",
        "/v1/metrics/amount?by=region,channel&grain=month",
        "SELECT region, channel, date_trunc('month', day) AS month, sum(amount) FROM {} GROUP BY ALL",
    ),
];

/// A p99 of fewer is the longest.
const SAMPLES: usize = 200;

/// Loads the rows with a rollup by day, and asks.
pub(super) async fn measure(peer: &mut DuckDb, setting: &Setting<'_>, rows: u64) -> Result<()> {
    let site = Site::load(&setting.binary, rows, true).context("the rollup needs a binary that keeps rollups")?;
    let server = site.serve(&[NO_CACHE])?;
    let dashboard = Caller::new(&server, DASHBOARD)?;
    report::heading_against(
        &format!("a metric over a rollup of {rows} rows, uncached, ms; DuckDB reads the rows"),
        "ours",
        "DuckDB",
    );
    for (name, path, sql) in ASKED {
        let reply = dashboard.get(path).await?;
        ensure!(reply.headers().contains_key("x-xiangyun-rollups"), "{path} was not answered from the rollup");
        let times = dashboard.times(path, SAMPLES, setting.seconds()).await?;
        let table = format!("read_parquet('{}')", site.files());
        let theirs = peer.sql(&sql.replace("{}", &table), setting.repeat.max(1))? * 1e3;
        report::compare(&format!("{name}, p50"), times.percentile_ms(50), theirs, false);
        report::compare(&format!("{name}, p99"), times.percentile_ms(99), theirs, false);
    }
    Ok(())
}
