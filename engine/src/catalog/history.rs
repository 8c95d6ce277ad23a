//! What the commits of a log say about themselves.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::log::TableLog;
use super::summary::{CommitBasis, CommitSummary, RunRecord};
use crate::error::Result;

/// Key in a data commit's `commitInfo` that holds the [`RunRecord`] as a JSON object.
pub const RUN_KEY: &str = "xiangyun.run";

/// Reads one commit.
pub(super) async fn read_commit(log: &TableLog, version: u64) -> Result<CommitSummary> {
    let bytes = log.read_commit(version).await?;
    let mut summary =
        CommitSummary { version, committed_at: None, operation: None, run: None, basis: CommitBasis::Previous };
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
    summary.basis = basis(summary.operation.as_deref(), info.get("operationParameters"));
    let run = info.get(RUN_KEY).and_then(|run| serde_json::from_value::<RunRecord>(run.clone()).ok());
    // The record was written before its commit had a version.
    summary.run = run.map(|run| RunRecord { version: Some(summary.version), ..run });
}

/// Which rows are left of those before. A replacement of a partitioned table may be one of some partitions, so that it is
/// taken for a commit that adds: rather a run too many is named than one too few.
fn basis(operation: Option<&str>, parameters: Option<&Value>) -> CommitBasis {
    let parameter = |name: &str| parameters.and_then(|parameters| parameters.get(name));
    let is_set = |name: &str| parameter(name).is_some_and(|value| !value.is_null());
    match operation {
        Some("WRITE") if parameter("mode").and_then(Value::as_str) == Some("Overwrite") => {
            if is_set("partitionBy") || is_set("predicate") { CommitBasis::Previous } else { CommitBasis::Nothing }
        }
        Some("RESTORE") => {
            let version = parameter("version");
            // Numbers among the parameters are written as numbers or as texts.
            let version = version.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
            version.map_or(CommitBasis::Previous, CommitBasis::Version)
        }
        _ => CommitBasis::Previous,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_commit_says_which_rows_it_leaves() {
        let told = |operation, parameters| basis(Some(operation), Some(&parameters));
        assert_eq!(told("WRITE", json!({"mode": "Append"})), CommitBasis::Previous);
        assert_eq!(told("WRITE", json!({"mode": "Overwrite"})), CommitBasis::Nothing);
        assert_eq!(told("WRITE", json!({"mode": "Overwrite", "partitionBy": "[\"y\"]"})), CommitBasis::Previous);
        assert_eq!(told("RESTORE", json!({"version": 3})), CommitBasis::Version(3));
        assert_eq!(told("RESTORE", json!({"version": "3"})), CommitBasis::Version(3));
        assert_eq!(told("OPTIMIZE", json!({})), CommitBasis::Previous);
    }
}
