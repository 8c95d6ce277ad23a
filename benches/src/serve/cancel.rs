//! How long after a query was taken back, or its client went away, is the server idle again?

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::Setting;
use super::daemon::Daemon;
use super::http::{self, Caller, Times};
use super::random::Random;
use super::site::{ANALYST, OPERATOR, Site};
use crate::process::TICK;
use crate::report;

/// Queries that take longer than the moments at which they are cancelled.
pub(super) const KINDS: [(&str, &str); 6] = [
    ("scan", "SELECT id, sha512(concat(enterprise, id, amount)) AS hash FROM bench.trades"),
    ("sort", "SELECT * FROM bench.trades ORDER BY enterprise, amount DESC, id"),
    (
        "aggregate",
        "SELECT enterprise, day, sum(amount) AS amount, count(DISTINCT channel) AS channels FROM bench.trades \
         GROUP BY enterprise, day",
    ),
    (
        "join",
        "SELECT count(*) AS pairs, sum(a.amount) AS amount FROM bench.trades a \
         JOIN bench.trades b ON a.region = b.region AND a.channel = b.channel AND a.rate < b.rate",
    ),
    (
        "cross join",
        "SELECT count(*) AS pairs FROM bench.trades a CROSS JOIN bench.trades b WHERE a.rate + b.rate > 1.9999",
    ),
    ("window", "SELECT id, sum(amount) OVER (PARTITION BY enterprise ORDER BY day, id) AS running FROM bench.trades"),
];

/// Sorts and groups of the usual rows do not fit: some of what is cancelled has written temporary files.
const LITTLE_MEMORY: &str = "limits.memory_bytes=402653184";

/// The moments: up to so long after a query was sent.
const LATEST: Duration = Duration::from_millis(500);

/// A server that is not idle by then counts with this time.
const AT_MOST: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(5);

/// Processor time stands still where it grows by no more than a tick within this time.
const STILL: Duration = Duration::from_millis(100);

/// Cancels as many queries as were asked for, half of them each way.
pub(super) async fn measure(setting: &Setting<'_>, site: &Site) -> Result<()> {
    let server = site.serve(&[LITTLE_MEMORY])?;
    let bench = Bench {
        analyst: Caller::new(&server, ANALYST)?,
        operator: Caller::new(&server, OPERATOR)?,
        scratch: &site.scratch(),
        server: &server,
    };
    ensure!(bench.idle_after(Instant::now()).await? < AT_MOST, "the server is not idle before anything was asked");
    let mut random = Random::new(setting.arguments.seed);
    let (mut deleted, mut closed, mut ended) = (Vec::new(), Vec::new(), BTreeMap::<String, f64>::new());
    for number in 0..setting.arguments.cancels {
        let (kind, sql) = KINDS[random.below(KINDS.len() as u64) as usize];
        let moment = LATEST.mul_f64(random.below(1_000) as f64 / 1_000.0);
        let (times, by_delete) = if number % 2 == 0 { (&mut deleted, true) } else { (&mut closed, false) };
        match bench.cancel(sql, moment, by_delete).await.with_context(|| format!("{kind}, query {number}"))? {
            Course::Cancelled(time) => times.push(time),
            Course::Otherwise(state) => *ended.entry(format!("  {kind}: {state} before that")).or_default() += 1.0,
        }
    }
    let late = deleted.iter().chain(&closed).filter(|time| **time >= AT_MOST).count();
    let (cancelled, all) = (deleted.len() + closed.len(), [deleted.clone(), closed.clone()].concat());
    report::heading_against(
        &format!("{cancelled} queries over {} rows cancelled: ms until the server is idle", site.rows),
        "DELETE",
        "closed",
    );
    let (deleted, closed) = (Times::new(deleted), Times::new(closed));
    for percent in [50, 99, 100] {
        let name = if percent == 100 { "the longest".to_owned() } else { format!("p{percent}") };
        report::compare(&name, deleted.percentile_ms(percent), closed.percentile_ms(percent), false);
    }
    report::alone("p99 of both", Times::new(all).percentile_ms(99));
    report::alone(&format!("not idle after {} s", AT_MOST.as_secs()), late as f64);
    for (what, count) in ended {
        report::alone(&what, count);
    }
    report::alone("  memory that operators hold at the end, bytes", bench.reserved().await?);
    report::alone("  temporary files at the end", files_below(&site.scratch())? as f64);
    Ok(())
}

/// What became of a query.
enum Course {
    /// It was cancelled, and the server was idle after this time.
    Cancelled(Duration),
    /// It was in this state already.
    Otherwise(String),
}

struct Bench<'a> {
    analyst: Caller,
    operator: Caller,
    scratch: &'a Path,
    server: &'a Daemon,
}

impl Bench<'_> {
    /// Sends a query and cancels it at its moment.
    async fn cancel(&self, sql: &str, moment: Duration, by_delete: bool) -> Result<Course> {
        let id = Uuid::new_v4().to_string();
        let mut connection = http::submit(self.server.address, sql, &id, ANALYST).await?;
        let reading = tokio::spawn(async move { http::read_to_end(&mut connection).await });
        sleep(moment).await;
        let cancelled_at = Instant::now();
        let path = format!("/v1/queries/{id}");
        let mut state = None;
        if reading.is_finished() {
            state = Some(self.state(&path).await?);
        } else if by_delete {
            // A query that was sent just now may not be known yet.
            while state.is_none() {
                ensure!(cancelled_at.elapsed() < AT_MOST, "the server does not know of the query");
                let reply = self.analyst.send(Method::DELETE, &path).await?;
                match reply.status() {
                    StatusCode::NOT_FOUND => sleep(PAUSE).await,
                    StatusCode::OK => state = Some(self.state(&path).await?),
                    status => bail!("DELETE {path} was answered {status}: {}", reply.text().await?),
                }
            }
        } else {
            reading.abort();
        }
        let time = self.idle_after(cancelled_at).await?;
        // The reply's end, which is cut or tells of the cancelling; whoever closed has none.
        drop(tokio::time::timeout(AT_MOST, reading).await.context("the reply to a cancelled query does not end")?);
        let state = match state {
            Some(state) if state != "running" && state != "pending" => state,
            _ => self.state(&path).await?,
        };
        // What was closed before it was read never was a query.
        Ok(if matches!(state.as_str(), "cancelled" | "unknown") {
            Course::Cancelled(time)
        } else {
            Course::Otherwise(state)
        })
    }

    async fn state(&self, path: &str) -> Result<String> {
        let reply = self.analyst.send(Method::GET, path).await?;
        if reply.status() == StatusCode::NOT_FOUND {
            return Ok("unknown".into());
        }
        let query: Value = serde_json::from_slice(&reply.error_for_status()?.bytes().await?)?;
        Ok(query["state"].as_str().context("a query has no state")?.to_owned())
    }

    /// The time from `cancelled_at` until nothing runs, nothing is held and no processor is used.
    async fn idle_after(&self, cancelled_at: Instant) -> Result<Duration> {
        while !self.holds_nothing().await? {
            if cancelled_at.elapsed() > AT_MOST {
                return Ok(AT_MOST);
            }
            sleep(PAUSE).await;
        }
        let process = self.server.process();
        loop {
            // From here on nobody asks the server anything.
            let (idle, before) = (cancelled_at.elapsed(), process.cpu()?);
            if idle > AT_MOST {
                return Ok(AT_MOST);
            }
            sleep(STILL).await;
            if process.cpu()?.saturating_sub(before) <= TICK {
                return Ok(idle);
            }
        }
    }

    async fn holds_nothing(&self) -> Result<bool> {
        let queries = self.operator.json("/v1/queries").await?;
        let queries = queries["queries"].as_array().context("a list of queries has none")?;
        let runs = queries.iter().any(|query| matches!(query["state"].as_str(), Some("running" | "pending")));
        Ok(!runs && self.reserved().await? == 0.0 && files_below(self.scratch)? == 0)
    }

    /// Bytes that the operators of running queries hold.
    async fn reserved(&self) -> Result<f64> {
        let text = self.operator.get("/metrics").await?.text().await?;
        let value = text.lines().find_map(|line| line.strip_prefix("xiangyun_memory_pool_reserved_bytes "));
        Ok(value.context("/metrics does not tell what operators hold")?.trim().parse()?)
    }
}

/// Temporary files with anything in them; folders, and the lock beside them, last as long as the server.
fn files_below(folder: &Path) -> Result<usize> {
    let mut count = 0;
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(0) };
    for entry in entries.flatten() {
        // What goes meanwhile is gone.
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            count += files_below(&entry.path())?;
        } else if found.len() > 0 {
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_counted_and_locks_are_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("xiangyun-1/datafusion-2")).unwrap();
        std::fs::write(folder.path().join("xiangyun-1.lock"), "").unwrap();
        assert_eq!(files_below(folder.path()).unwrap(), 0);
        std::fs::write(folder.path().join("xiangyun-1/datafusion-2/spill"), "x").unwrap();
        assert_eq!(files_below(folder.path()).unwrap(), 1);
        assert_eq!(files_below(&folder.path().join("gone")).unwrap(), 0);
    }
}
