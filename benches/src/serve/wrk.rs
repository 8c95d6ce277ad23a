//! `wrk`, which sends as many requests as a server answers.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Long enough for caches and branch predictors; a server on two processors needs no more.
const WARM_UP: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The address.
    pub(super) url: String,
    /// The caller's token.
    pub(super) token: Option<&'static str>,
    /// What is posted; without it the request is a GET.
    pub(super) body: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Replies a second.
    pub(super) per_second: f64,
    /// Milliseconds within which 99 of 100 came.
    pub(super) p99_ms: f64,
}

/// Asks by one thread on so many connections, after a warm-up. Replies other than 2xx and 3xx are an error.
pub(super) fn measure(request: &Request, connections: usize, duration: Duration) -> Result<Rate> {
    run(request, connections, WARM_UP)?;
    run(request, connections, duration)
}

fn run(request: &Request, connections: usize, duration: Duration) -> Result<Rate> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/wrk.lua");
    let mut command = Command::new("wrk");
    command.args(["--threads", "1", "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{}s", duration.as_secs().max(1)), "--timeout", "30s", "--script", script]);
    if let Some(token) = request.token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.arg(&request.url).arg("--").args(&request.body);
    let done = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("`wrk` is not installed: `apt-get install wrk`, or build it from https://github.com/wg/wrk")
        }
        done => done.context("cannot run wrk")?,
    };
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "wrk failed: {complained}{said}");
    rate(&said).with_context(|| format!("wrk said of {}:\n{said}", request.url))
}

/// Reads the line that `wrk.lua` prints.
fn rate(said: &str) -> Result<Rate> {
    let line = said.lines().find(|line| line.starts_with('{')).context("no line of figures")?;
    let figures: Value = serde_json::from_str(line)?;
    let figure = |name: &str| figures[name].as_f64().with_context(|| format!("no figure `{name}`"));
    ensure!(figure("failed")? == 0.0, "{} requests failed", figures["failed"]);
    ensure!(figure("requests")? > 0.0, "no request was answered");
    Ok(Rate { per_second: figure("requests")? / (figure("duration_us")? / 1e6), p99_ms: figure("p99_us")? / 1e3 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::rate as read;

    #[test]
    fn figures_are_read_and_failures_are_none() {
        let line = |failed: u64| {
            format!(
                "Running 1s test\n{{\"requests\": 500, \"duration_us\": 2000000, \"failed\": {failed}, \
                 \"p50_us\": 900, \"p99_us\": 1500}}\n"
            )
        };
        let rate = read(&line(0)).unwrap();
        assert_eq!((rate.per_second, rate.p99_ms), (250.0, 1.5));
        assert!(read(&line(3)).is_err());
        assert!(read("Running 1s test\n").is_err());
    }
}
