//! Runs as events of OpenLineage 2-0-2: what was read, what was written, and how it ended.

use serde_json::{Value, json};
use xiangyun_engine::catalog::{RunRecord, RunStatus};
use xiangyun_engine::storage::Storage;

use super::{Outbox, RunObserver};
use crate::jobs::FRESHNESS;

const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const STATISTICS: &str = "https://openlineage.io/spec/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json";
const ERROR: &str = "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json";
const PRODUCER: &str = concat!("xiangyun/", env!("CARGO_PKG_VERSION"));

/// Posts an event when a run begins and one when it ends.
#[derive(Debug)]
pub struct OpenLineage {
    outbox: Outbox,
    /// Namespace of jobs and tables: the lake's URL.
    namespace: String,
}

impl OpenLineage {
    /// Posts to `outbox` about runs over `storage`.
    pub fn new(outbox: Outbox, storage: &Storage) -> Self {
        Self { outbox, namespace: storage.url.to_string() }
    }

    fn event(&self, kind: &str, time: chrono::DateTime<chrono::Utc>, run: &RunRecord) -> Value {
        let sources = run.sources.iter().map(|source| json!({ "namespace": "source", "name": source.path }));
        let reads = run.reads.iter().map(|read| {
            json!({ "namespace": self.namespace, "name": read.table.to_string(), "facets": { "version": {
                "_producer": PRODUCER,
                "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json",
                "datasetVersion": read.version.to_string(),
            } } })
        });
        let mut facets = json!({});
        if let Some(error) = &run.error {
            facets["errorMessage"] =
                json!({ "_producer": PRODUCER, "_schemaURL": ERROR, "message": error, "programmingLanguage": "SQL" });
        }
        let mut output = json!({ "namespace": self.namespace, "name": run.table.to_string() });
        if run.status == RunStatus::Succeeded && kind == "COMPLETE" {
            output["outputFacets"] = json!({ "outputStatistics": {
                "_producer": PRODUCER, "_schemaURL": STATISTICS, "rowCount": run.rows_loaded,
            } });
        }
        json!({
            "eventType": kind,
            "eventTime": time.to_rfc3339(),
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
            "run": { "runId": run.run_id, "facets": facets },
            "job": { "namespace": self.namespace, "name": run.pipeline },
            "inputs": sources.chain(reads).collect::<Vec<_>>(),
            "outputs": [output],
        })
    }
}

impl RunObserver for OpenLineage {
    fn started(&self, run: &RunRecord) {
        self.outbox.post(self.event("START", run.started_at, run));
    }

    fn ended(&self, run: &RunRecord) {
        if run.pipeline == FRESHNESS {
            return; // nothing was read or written
        }
        let kind = if run.status == RunStatus::Failed { "FAIL" } else { "COMPLETE" };
        self.outbox.post(self.event(kind, run.finished_at, run));
    }
}
