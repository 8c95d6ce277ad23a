//! How many small replies a second: a metric from the cache against a handler that does nothing, and from the cache and
//! from Parquet against ROAPI, which computes from memory.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::daemon::Daemon;
use super::http::{Caller, encoded};
use super::site::{DASHBOARD, Site, TABLE};
use super::wrk::{self, Request};
use super::{METRIC, Setting, bare, roapi};
use crate::report;

/// No cache of results.
pub(super) const NO_CACHE: &str = "limits.cache_bytes=0";

/// Metric and ten rows from the cache.
pub(super) async fn measure(setting: &Setting<'_>, site: &Site) -> Result<()> {
    let server = site.serve(&[])?;
    let ten = format!("/v1/query?sql={}", encoded(&format!("SELECT * FROM {TABLE} LIMIT 10")));
    let body = kept(&server, METRIC).await?;
    kept(&server, &ten).await?;
    let file = NamedTempFile::new()?;
    std::fs::write(file.path(), &body)?;
    let bare = bare::start(file.path())?;
    report::heading_against(
        &format!("a cached metric of {} rows, {} bytes, against a bare axum handler", site.rows, body.len()),
        "ours",
        "bare axum",
    );
    compare(setting, "metric by region", &ours(&server, METRIC), &get(bare.url("/")))?;
    drop(bare);
    let peer = roapi::start(&setting.roapi(), site)?;
    same_figures(&server, &peer).await?;
    report::heading_against("a cached metric and ten cached rows against ROAPI from memory", "ours", "ROAPI");
    compare(setting, "metric by region", &ours(&server, METRIC), &sum_by_region(&peer))?;
    let theirs = get(peer.url(&format!("/api/tables/{}?limit=10", roapi::TABLE)));
    compare(setting, "ten rows", &ours(&server, &ten), &theirs)
}

/// The metric, computed from Parquet each time.
pub(super) async fn measure_uncached(setting: &Setting<'_>, site: &Site) -> Result<()> {
    let server = site.serve(&[NO_CACHE])?;
    let peer = roapi::start(&setting.roapi(), site)?;
    same_figures(&server, &peer).await?;
    ensure!(!is_hit(&server, METRIC).await?, "the reply comes from a cache, though there should be none");
    report::heading_against(
        &format!("an uncached metric of {} rows, from Parquet, against ROAPI from memory", site.rows),
        "ours",
        "ROAPI",
    );
    compare(setting, "metric by region", &ours(&server, METRIC), &sum_by_region(&peer))
}

fn ours(server: &Daemon, path: &str) -> Request {
    Request { url: server.url(path), token: Some(DASHBOARD), body: None }
}

fn get(url: String) -> Request {
    Request { url, token: None, body: None }
}

fn sum_by_region(peer: &Daemon) -> Request {
    let body = format!("SELECT region, sum(amount) AS value FROM {} GROUP BY region", roapi::TABLE);
    Request { url: peer.url("/api/sql"), token: None, body: Some(body) }
}

/// Both by each number of connections.
fn compare(setting: &Setting<'_>, name: &str, ours: &Request, theirs: &Request) -> Result<()> {
    for &connections in &setting.arguments.connections {
        let ours = wrk::measure(ours, connections, setting.seconds())?;
        let theirs = wrk::measure(theirs, connections, setting.seconds())?;
        report::compare(&format!("{name}, {connections} open, requests/s"), ours.per_second, theirs.per_second, true);
        report::compare(&format!("{name}, {connections} open, p99 ms"), ours.p99_ms, theirs.p99_ms, false);
    }
    Ok(())
}

/// The reply, once it comes from the cache.
async fn kept(server: &Daemon, path: &str) -> Result<Vec<u8>> {
    let body = Caller::new(server, DASHBOARD)?.get(path).await?.bytes().await?;
    ensure!(is_hit(server, path).await?, "the second reply to {path} does not come from the cache");
    Ok(body.to_vec())
}

async fn is_hit(server: &Daemon, path: &str) -> Result<bool> {
    let reply = Caller::new(server, DASHBOARD)?.get(path).await?;
    Ok(reply.headers().get("cache-status").is_some_and(|status| status == "xiangyun; hit"))
}

/// Figures that differ are not worth comparing.
async fn same_figures(server: &Daemon, peer: &Daemon) -> Result<()> {
    let ours = Caller::new(server, DASHBOARD)?.json(METRIC).await?;
    let request = sum_by_region(peer);
    let posted = reqwest::Client::builder().no_proxy().build()?.post(&request.url);
    let theirs = posted.body(request.body.unwrap_or_default()).send().await?.error_for_status()?.bytes().await?;
    let (ours, theirs) = (by_region(&ours["rows"])?, by_region(&serde_json::from_slice(&theirs)?)?);
    ensure!(!ours.is_empty() && ours == theirs, "the server says {ours:?}, ROAPI {theirs:?}");
    Ok(())
}

/// Sums in cents by region, whether they are written as numbers or as texts.
fn by_region(rows: &Value) -> Result<BTreeMap<String, i64>> {
    let mut sums = BTreeMap::new();
    for row in rows.as_array().context("a reply has no rows")? {
        let region = row["region"].as_str().context("a row has no region")?;
        let sum: f64 = match &row["value"] {
            Value::String(text) => text.parse()?,
            Value::Number(number) => number.as_f64().context("a sum is no number")?,
            other => bail!("the sum of {region} is {other}"),
        };
        sums.insert(region.to_owned(), (sum * 100.0).round() as i64);
    }
    Ok(sums)
}
