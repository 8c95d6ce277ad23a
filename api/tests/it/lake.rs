//! A project with one table of seven cases, committed for real, and a server over it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::DateTime;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;
use xiangyun_api::auth::Auth;
use xiangyun_api::{AppState, Telemetry, router};
use xiangyun_engine::catalog::{RunRecord, RunStatus, TableDef};
use xiangyun_engine::clock::FixedClock;
use xiangyun_engine::project::{Diagnostics, Project, render};
use xiangyun_engine::query::{Limits, QueryRecord, QuerySink};
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_engine::{Engine, EngineOptions};
use xiangyun_ingest::commit::{CommitRequest, Committer, Idempotency, TableWriter, WriterOptions};
use xiangyun_ingest::pipeline::WriteMode;

const TABLE: &str = r#"version = 1
name = "approvals.cases"
agency = "政务服务局"
title = { zh = "审批办件", en = "Approval cases" }
description = { zh = "一件一行。", en = "One row a case." }
synthetic = true
owner = "data office"
level = "general-1"
sharing = "unconditional"
primary_key = ["case_id"]

[[columns]]
name = "case_id"
type = "int64"

[[columns]]
name = "channel"
type = "text"
nullable = true

[[columns]]
name = "accepted_on"
type = "date"

[[columns]]
name = "decided_at"
type = "timestamp"

[[columns]]
name = "fee"
type = "decimal(38,6)"
"#;

const METRICS: &str = r#"version = 1
table = "approvals.cases"
time_dimension = "accepted_on"
dimensions.channel = { title = { zh = "渠道", en = "Channel" } }
measures.cases.expr = "count(*)"
measures.fees.expr = "sum(fee)"
measures.online.expr = "count(channel)"

[metrics.cases]
title = { zh = "办件量", en = "Cases" }
description = { zh = "全部办件。", en = "All cases." }
owner = "data office"
type = "simple"
measure = "cases"

[metrics.fees]
title = { zh = "收费", en = "Fees" }
description = { zh = "全部收费。", en = "All fees." }
owner = "data office"
type = "simple"
measure = "fees"

[metrics.share]
title = { zh = "网办率", en = "Share online" }
description = { zh = "网上办件的比例。", en = "Cases that came online over all cases." }
owner = "data office"
type = "ratio"
numerator = "online"
denominator = "cases"
"#;

const DASHBOARD: &str = r#"version = 1
name = "counter"
title = { zh = "窗口", en = "Counter" }
description = { zh = "办件。", en = "Cases." }
filters = [{ name = "way", title = { zh = "渠道", en = "Channel" }, dimension = "channel" }]

[[tiles]]
name = "all"
metric = "cases"
kind = "number"

[[tiles]]
name = "by_month"
metric = "cases"
kind = "line"
grain = "month"
range = { last = "2 months", until = "data" }
size = { width = 12, height = 3 }

[[tiles]]
name = "fixed"
metric = "cases"
kind = "number"
range = { from = "2019-03-01", to = "2019-03-31" }
"#;

const ALERT: &str = r#"version = 1
name = "cases"
title = { zh = "办件偏多", en = "Many cases" }
metric = "cases"
by = ["channel"]
rule = { kind = "threshold", above = 3 }
severity = "critical"
owner = "data office"
"#;

/// Keeps the records of queries for a test to look at.
#[derive(Debug, Default)]
pub(crate) struct Records(pub(crate) Mutex<Vec<QueryRecord>>);

impl QuerySink for Records {
    fn record(&self, record: QueryRecord) {
        self.0.lock().unwrap().push(record);
    }
}

/// A server over a lake of its own.
pub(crate) struct Lake {
    pub(crate) records: Arc<Records>,
    pub(crate) state: AppState,
    options: EngineOptions,
    storage: Storage,
    table: Arc<TableDef>,
    folder: TempDir,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Lake {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "tables/cases.toml", TABLE);
        write(folder.path(), "metrics/cases.toml", METRICS);
        write(folder.path(), "dashboards/counter.toml", DASHBOARD);
        write(folder.path(), "alerts/cases.toml", ALERT);
        let mut diagnostics = Diagnostics::default();
        let project = Project::load(folder.path(), &mut diagnostics);
        let faults: Vec<_> = diagnostics.iter().map(|fault| render(fault, false)).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let url = url::Url::from_directory_path(folder.path().join("lake")).unwrap().to_string();
        std::fs::create_dir(folder.path().join("lake")).unwrap();
        let storage = Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap();
        let table = Arc::clone(&project.tables[0].def);
        let records = Arc::new(Records::default());
        let options = EngineOptions {
            project: Arc::new(project),
            storage: storage.clone(),
            // One partition: batches come in order, so that a failure at a row is behind the rows before it.
            limits: Limits { target_partitions: 1, ..Limits::default() },
            clock: Arc::new(FixedClock(DateTime::from_timestamp(1_553_558_400, 0).unwrap())),
        };
        let telemetry = Telemetry::new();
        let sink = telemetry.counting(Arc::clone(&records) as Arc<dyn QuerySink>);
        let engine = Engine::open_recording(options.clone(), sink).await.unwrap();
        let state = AppState { telemetry, ..AppState::new(engine, Auth::Loopback) };
        let lake = Self { records, state, options, storage, table, folder };
        lake.append(1..=7).await;
        lake
    }

    /// The same lake, opened by an engine that has read nothing of it yet.
    pub(crate) async fn reopened(mut self) -> Self {
        self.state.engine = Engine::open(self.options.clone()).await.unwrap();
        self
    }

    /// The same lake under other limits.
    pub(crate) async fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.options.limits);
        self.reopened().await
    }

    /// Commits cases with these ids.
    pub(crate) async fn append(&self, ids: std::ops::RangeInclusive<i64>) {
        let mut writer = TableWriter::new(&self.storage, &self.table, WriterOptions::default());
        let ids: Vec<i64> = ids.collect();
        writer.write(cases(&self.table, &ids)).await.unwrap();
        let files = writer.finish().await.unwrap();
        let now = DateTime::from_timestamp(1_553_558_400, 0).unwrap();
        let name = format!("test-{}", ids[0]);
        let run = RunRecord {
            run_id: name.clone(),
            pipeline: "test".into(),
            table: self.table.name.clone(),
            status: RunStatus::Succeeded,
            sources: Vec::new(),
            rows_read: files.rows(),
            rows_loaded: files.rows(),
            rows_rejected: 0,
            rows_duplicate: 0,
            warnings: 0,
            version: None,
            started_at: now,
            finished_at: now,
            notes: Vec::new(),
            rows_updated: 0,
            rows_deleted: 0,
            redo_of: None,
            cursor: None,
            columns: Vec::new(),
            stopped_by: None,
            resolves: Vec::new(),
            reads: Vec::new(),
            trigger: None,
            due_at: None,
            error: None,
        };
        let idempotency = Idempotency { app_id: name, version: 1 };
        let table = Arc::clone(&self.table);
        let request = CommitRequest { table, mode: WriteMode::Append, files, idempotency, run };
        Committer::new(self.storage.clone()).commit(request).await.unwrap();
    }

    pub(crate) fn router(&self) -> Router {
        router(self.state.clone())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_accepting(&self, path: &str, accept: &str) -> Reply {
        self.send(Request::get(path).header("accept", accept).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }
}

/// Percent-encodes a text for a query string.
pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// Case `n`: odd cases came online and even ones have no channel, accepted on 26 March 2019 plus n days (day 17981 of
/// the epoch plus n), decided n seconds after midnight UTC of that 26 March, at a fee of n yuan and a half.
fn cases(table: &TableDef, ids: &[i64]) -> RecordBatch {
    let channel: StringArray = ids.iter().map(|id| (id % 2 == 1).then_some("e窗通, \"网上\"")).collect();
    let days: Date32Array = ids.iter().map(|id| Some(17_981 + *id as i32)).collect();
    let decided = ids.iter().map(|id| Some((1_553_558_400 + id) * 1_000_000));
    let fees = ids.iter().map(|id| Some(i128::from(*id) * 1_000_000 + 500_000));
    RecordBatch::try_new(
        table.arrow_schema(),
        vec![
            Arc::new(Int64Array::from(ids.to_vec())),
            Arc::new(channel),
            Arc::new(days),
            Arc::new(decided.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            Arc::new(fees.collect::<Decimal128Array>().with_precision_and_scale(38, 6).unwrap()),
        ],
    )
    .unwrap()
}
