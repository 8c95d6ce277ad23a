//! Small files, old files and old versions of tables.

mod compaction;
mod fence;
mod retention;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use chrono::{DateTime, TimeDelta, Utc};
use xiangyun_engine::catalog::{TableDef, TableName};
use xiangyun_engine::clock::Clock;
use xiangyun_ingest::commit::Committer;
use xiangyun_ingest::maintain::{DEFAULT_RETENTION, Maintenance, Pick, Subject};
use xiangyun_ingest::pipeline::WriteMode;

use crate::lake::{append, commit, count};
use crate::workspace::Lake;

const TABLE: &str = r#"version = 1
name = "market.trades"
agency = "某局"
owner = "x"
level = "general-1"
sharing = "unconditional"
title = { zh = "表", en = "Table" }
description = { zh = "表", en = "Table" }
partition_by = ["region"]
sort_by = ["id"]
optimize = { min_files = 4 }
[[columns]]
name = "id"
type = "int64"
[[columns]]
name = "region"
type = "text"
nullable = true
[[columns]]
name = "code"
type = "text"
lookup = true
"#;

/// Days after the real time, at which everything that was just written is old.
#[derive(Debug)]
struct Ahead(Mutex<TimeDelta>);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + *self.0.lock().unwrap()
    }
}

struct Setting {
    lake: Lake,
    clock: Arc<Ahead>,
    committer: Committer,
    table: Arc<TableDef>,
}

impl Setting {
    async fn new() -> Self {
        let clock = Arc::new(Ahead(Mutex::new(TimeDelta::zero())));
        let lake = Lake::open_at(&[("tables/t.toml", TABLE.as_bytes())], clock.clone()).await;
        let committer = Committer::new(lake.ingest.engine().storage().clone());
        let table = Arc::clone(&lake.ingest.engine().project().tables[0].def);
        Self { lake, clock, committer, table }
    }

    fn maintenance(&self) -> Maintenance {
        self.lake.ingest.maintenance()
    }

    fn subject(&self) -> Subject {
        Subject::Table(Arc::clone(&self.table))
    }

    fn name(&self) -> &TableName {
        &self.table.name
    }

    fn days_pass(&self, days: i64) {
        *self.clock.0.lock().unwrap() += TimeDelta::days(days);
    }

    async fn append(&self, content: &str, rows: &[(i64, Option<&str>)]) -> u64 {
        append(&self.committer, &self.table, content, &trades(rows)).await
    }

    async fn replace(&self, content: &str, rows: &[(i64, Option<&str>)]) -> u64 {
        commit(&self.committer, &self.table, WriteMode::Replace, content, &trades(rows)).await.unwrap().version()
    }

    fn folder(&self) -> PathBuf {
        self.lake.root().join("lake/market/trades")
    }

    /// The data files on the disk, within the table's folder.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.folder(), &mut found);
        let within = |path: PathBuf| path.strip_prefix(self.folder()).unwrap().to_str().unwrap().to_owned();
        let mut found: Vec<String> = found.into_iter().map(within).filter(|path| !path.starts_with('_')).collect();
        found.sort();
        found
    }

    fn commit_text(&self, version: u64) -> String {
        fs::read_to_string(self.folder().join(format!("_delta_log/{version:020}.json"))).unwrap()
    }

    async fn rows(&self) -> Vec<Vec<String>> {
        self.lake.sql("select id, region, code from market.trades order by id").await
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { walk(&entry, found) } else { found.push(entry) }
    }
}

fn trades(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(id, _)| *id)));
    let regions: ArrayRef = Arc::new(rows.iter().map(|(_, region)| *region).collect::<StringArray>());
    let codes: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|(id, _)| format!("c{id}"))));
    RecordBatch::try_from_iter([("id", ids), ("region", regions), ("code", codes)]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_written_and_no_run_is_forgotten() {
    let setting = Setting::new().await;
    for load in 0..45 {
        setting.append(&format!("load {load}"), &[(load, Some("长春"))]).await;
        if load % 15 == 14 {
            setting.maintenance().optimize(&setting.subject(), Pick::All).await.unwrap();
        }
    }
    let log = setting.folder().join("_delta_log");
    for version in [19, 39] {
        assert!(log.join(format!("{version:020}.checkpoint.parquet")).exists(), "no checkpoint at {version}");
    }
    let last = fs::read_to_string(log.join("_last_checkpoint")).unwrap();
    assert!(last.contains("\"version\":39"), "{last}");
    setting.days_pass(400);
    let plan = setting.maintenance().plan_vacuum(&setting.subject(), DEFAULT_RETENTION, false).await.unwrap().unwrap();
    setting.maintenance().vacuum(&setting.subject(), DEFAULT_RETENTION, false, &plan).await.unwrap();
    assert_eq!(setting.files().len(), 1);
    let history = setting.lake.ingest.engine().catalog().history(setting.name()).await.unwrap();
    assert_eq!(history.iter().filter(|commit| commit.run.is_some()).count(), 45);
    assert_eq!(count(setting.committer.storage(), &setting.table).await, 45);
}
