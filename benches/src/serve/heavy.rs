//! How much longer does a dashboard wait while analysts keep the machine busy?

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::cached::NO_CACHE;
use super::cancel::KINDS;
use super::http::{self, Caller};
use super::site::{ANALYST, DASHBOARD, OPERATOR, Site};
use super::{METRIC, Setting};
use crate::report;

/// As many as the usual limits let analysts run at one time.
const QUERIES: usize = 8;

/// A p99 of fewer is the longest.
const SAMPLES: usize = 200;

/// By then all of them run.
const STARTED: Duration = Duration::from_secs(30);

/// A metric that is computed each time, alone and beside heavy queries.
pub(super) async fn measure(setting: &Setting<'_>, site: &Site) -> Result<()> {
    let server = site.serve(&[NO_CACHE])?;
    let dashboard = Caller::new(&server, DASHBOARD)?;
    dashboard.times(METRIC, 10, Duration::from_secs(1)).await?;
    let alone = dashboard.times(METRIC, SAMPLES, setting.seconds()).await?;
    let mut analysts = JoinSet::new();
    for number in 0..QUERIES {
        let (_, sql) = KINDS[number % KINDS.len()];
        analysts.spawn(again_and_again(server.address, sql));
    }
    let operator = Caller::new(&server, OPERATOR)?;
    let started = Instant::now();
    while running(&operator).await? < QUERIES {
        failed(&mut analysts)?;
        ensure!(started.elapsed() < STARTED, "the heavy queries do not run together");
        sleep(Duration::from_millis(50)).await;
    }
    let beside = dashboard.times(METRIC, SAMPLES, setting.seconds()).await?;
    failed(&mut analysts)?;
    analysts.shutdown().await;
    report::heading_against(
        &format!("an uncached metric of {} rows, ms, beside {QUERIES} heavy queries", site.rows),
        "beside",
        "alone",
    );
    for percent in [50, 99] {
        report::compare(&format!("p{percent}"), beside.percentile_ms(percent), alone.percentile_ms(percent), false);
    }
    Ok(())
}

/// Sends a statement as soon as the last one has ended; ends with the first that fails.
async fn again_and_again(address: SocketAddr, sql: &'static str) -> Result<()> {
    loop {
        let mut connection = http::submit(address, sql, &Uuid::new_v4().to_string(), ANALYST).await?;
        let (bytes, complete) = http::read_to_end(&mut connection).await?;
        ensure!(complete, "a heavy query was cut after {bytes} bytes: {sql}");
    }
}

/// The error of a heavy query that has failed: without it the machine is not as busy as is said.
fn failed(analysts: &mut JoinSet<Result<()>>) -> Result<()> {
    match analysts.try_join_next() {
        Some(ended) => ended?.context("a heavy query failed"),
        None => Ok(()),
    }
}

async fn running(operator: &Caller) -> Result<usize> {
    let queries = operator.json("/v1/queries").await?;
    let queries = queries["queries"].as_array().context("a list of queries has none")?;
    Ok(queries.iter().filter(|query| query["state"] == "running").count())
}
