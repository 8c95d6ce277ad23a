//! What the commits of a log say about themselves.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::log::TableLog;
use super::summary::{CommitSummary, RunRecord};
use crate::error::Result;

/// Key in a data commit's `commitInfo` that holds the [`RunRecord`] as a JSON object.
pub const RUN_KEY: &str = "xiangyun.run";

/// Reads one commit.
pub(super) async fn read_commit(log: &TableLog, version: u64) -> Result<CommitSummary> {
    let bytes = log.read_commit(version).await?;
    let mut summary = CommitSummary { version, committed_at: None, operation: None, run: None };
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)) {
        let action: Line = serde_json::from_slice(line)
            .map_err(|error| log.corrupted(version, &format!("holds a line that is no action: {error}")))?;
        if let Some(info) = action.commit_info {
            describe(&mut summary, &info);
        }
    }
    Ok(summary)
}

/// Only the commit's own description is parsed; files are skipped over.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "commitInfo")]
    commit_info: Option<Map<String, Value>>,
}

fn describe(summary: &mut CommitSummary, info: &Map<String, Value>) {
    let millis = info.get("inCommitTimestamp").or_else(|| info.get("timestamp")).and_then(Value::as_i64);
    summary.committed_at = millis.and_then(DateTime::<Utc>::from_timestamp_millis);
    summary.operation = info.get("operation").and_then(Value::as_str).map(Into::into);
    let run = info.get(RUN_KEY).and_then(|run| serde_json::from_value::<RunRecord>(run.clone()).ok());
    // The record was written before its commit had a version.
    summary.run = run.map(|run| RunRecord { version: Some(summary.version), ..run });
}
