//! DuckDB in a process of its own, kept open, so that neither side pays for starting.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A running DuckDB.
#[derive(Debug)]
pub(crate) struct DuckDb {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl DuckDb {
    /// Starts it with as many threads as the machine has.
    pub(crate) fn start(python: &Path) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/duckdb_peer.py");
        let threads = std::thread::available_parallelism()?.to_string();
        let mut child = Command::new(python)
            .args([script, &threads])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}: `make bench` installs it", python.display()))?;
        let stdin = child.stdin.take().context("the peer has no standard input")?;
        let stdout = BufReader::new(child.stdout.take().context("the peer has no standard output")?);
        Ok(Self { child, stdin, stdout })
    }

    /// Opens the Delta tables of a lake.
    pub(crate) fn open(&mut self, lake: &Path, tables: &[String]) -> Result<()> {
        self.ask(&json!({ "lake": lake, "tables": tables })).map(drop)
    }

    /// Best seconds of a statement.
    pub(crate) fn sql(&mut self, sql: &str, repeat: usize) -> Result<f64> {
        best(&self.ask(&json!({ "sql": sql, "repeat": repeat }))?)
    }

    /// Best seconds of a metric's hand-written SQL.
    pub(crate) fn metric(
        &mut self,
        metric: &str,
        dimension: Option<&str>,
        grain: Option<&str>,
        repeat: usize,
    ) -> Result<f64> {
        best(&self.ask(&json!({ "metric": metric, "dimension": dimension, "grain": grain, "repeat": repeat }))?)
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.stdin, "{command}").context("the peer is gone")?;
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("the peer failed on {command}");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn best(answer: &Value) -> Result<f64> {
    answer["seconds"]
        .as_array()
        .and_then(|seconds| seconds.iter().filter_map(Value::as_f64).reduce(f64::min))
        .with_context(|| format!("the peer answered {answer}"))
}
