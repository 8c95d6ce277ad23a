//! A message for each run that failed.

use serde_json::json;
use xiangyun_engine::catalog::{RunRecord, RunStatus};

use super::{Outbox, RunObserver};
use crate::jobs::FRESHNESS;

/// Posts `{"event": "run.failed", "text": …, "run": {…}}` for each run that failed, and with the event `table.overdue`
/// for each promise of freshness that is found broken; `text` suits chat services.
#[derive(Debug)]
pub struct FailureWebhook {
    outbox: Outbox,
}

impl FailureWebhook {
    /// Posts to `outbox`.
    pub fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }
}

impl RunObserver for FailureWebhook {
    fn started(&self, _run: &RunRecord) {}

    fn ended(&self, run: &RunRecord) {
        if run.status != RunStatus::Failed {
            return;
        }
        let error = run.error.as_deref().unwrap_or("unknown error");
        let (event, text) = if run.pipeline == FRESHNESS {
            ("table.overdue", format!("数据未按时更新 / data overdue: {error}"))
        } else {
            ("run.failed", format!("数据归集失败 / load failed: {} → {}: {error}", run.pipeline, run.table))
        };
        self.outbox.post(json!({ "event": event, "text": text, "run": run }));
    }
}
