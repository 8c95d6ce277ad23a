//! A lake in a temporary folder: the project under `tests/fixture` with three small tables, one of them never loaded.
//!
//! | table | rows |
//! |---|---|
//! | `approvals.cases` | 5, with NULLs in `channel`, `decided_on`, `fee` and `filed_at` |
//! | `market.entities` | 3, with one NULL capital |
//! | `market.never_loaded` | no Delta log |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use chrono::{NaiveDate, TimeZone, Utc};
use deltalake::DeltaTable;
use tempfile::TempDir;
use url::Url;
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::clock::FixedClock;
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_engine::query::{Limits, LogQueries, QuerySink, SqlRequest};
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_engine::{Engine, EngineOptions, Error, Principal, PrincipalClass, QueryContext};

/// An engine and the folder it lives on.
pub(crate) struct Lake {
    pub(crate) engine: Engine,
    _folder: Option<TempDir>,
}

impl Lake {
    /// With the limits a server has by default.
    pub(crate) async fn open() -> Self {
        Self::with(Limits::default(), Arc::new(LogQueries)).await
    }

    pub(crate) async fn with(limits: Limits, sink: Arc<dyn QuerySink>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Self::at(folder.path(), limits, sink).await;
        Self { _folder: Some(folder), ..lake }
    }

    /// In an empty folder, which stays.
    pub(crate) async fn at(folder: &Path, limits: Limits, sink: Arc<dyn QuerySink>) -> Self {
        let project = fixture_project();
        write(folder, &project, "approvals.cases", cases()).await;
        write(folder, &project, "market.entities", entities()).await;
        let url = Url::from_directory_path(folder).unwrap().to_string();
        let storage = Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap();
        // Already the next day in China.
        let clock = Arc::new(FixedClock(Utc.with_ymd_and_hms(2024, 6, 30, 20, 0, 0).unwrap()));
        let options = EngineOptions { project: Arc::new(project), storage, limits, clock };
        let engine = Engine::open_recording(options, sink).await.unwrap();
        Self { engine, _folder: None }
    }

    pub(crate) fn analyst(&self) -> QueryContext {
        self.engine.query_as(Principal::new("li", "approvals", PrincipalClass::Analyst))
    }

    /// The error of a statement that must fail, while planned or while run.
    pub(crate) async fn error(&self, sql: &str) -> Error {
        match self.analyst().sql(SqlRequest::new(sql)).await {
            Err(error) => error,
            Ok(result) => result.collect().await.expect_err(sql),
        }
    }

    /// The rows of a statement, printed as one text a row.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let batches = self.analyst().sql(SqlRequest::new(sql)).await.unwrap().collect().await.unwrap();
        batches.iter().flat_map(cells).map(|row| row.join(" ")).collect()
    }
}

/// Every cell as text; `NULL`, and `(empty)` for a text without characters.
pub(crate) fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let text = |text: String| if text.is_empty() { "(empty)".to_owned() } else { text };
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| text(column.value(row).to_string())).collect())
        .collect()
}

pub(crate) fn fixture_project() -> Project {
    load_project(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixture"))
}

pub(crate) fn load_project(root: &Path) -> Project {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(root, &mut diagnostics);
    let faults: Vec<_> = diagnostics.iter().map(|fault| fault.message.clone()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    project
}

/// One commit of one batch, by deltalake's own writer: the engine must read what others wrote.
async fn write(root: &Path, project: &Project, name: &str, columns: Vec<ArrayRef>) {
    let name: TableName = name.parse().unwrap();
    let schema = project.table(&name).expect("the fixture declares it").def.arrow_schema();
    let batch = RecordBatch::try_new(schema, columns).unwrap();
    let folder = root.join(name.schema()).join(name.table());
    std::fs::create_dir_all(&folder).unwrap();
    let table = DeltaTable::try_from_url(Url::from_directory_path(&folder).unwrap()).await.unwrap();
    table.write([batch]).await.unwrap();
}

fn day(text: &str) -> i32 {
    let date: NaiveDate = text.parse().unwrap();
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap()
}

fn cases() -> Vec<ArrayRef> {
    let days = |days: [Option<&str>; 5]| Arc::new(Date32Array::from_iter(days.map(|date| date.map(day)))) as ArrayRef;
    let instant = Utc.with_ymd_and_hms(2024, 3, 1, 1, 30, 0).unwrap().timestamp_micros();
    vec![
        Arc::new(StringArray::from(vec!["c1", "c2", "c3", "c4", "c5"])),
        Arc::new(StringArray::from(vec![Some("online"), Some("window"), Some("online"), None, Some("online")])),
        Arc::new(StringArray::from(vec!["220102", "220102", "220203", "220000", "220203"])),
        days([Some("2024-03-01"), Some("2024-03-04"), Some("2024-03-05"), Some("2024-04-01"), Some("2024-05-06")]),
        days([Some("2024-03-04"), Some("2024-03-20"), None, Some("2024-04-02"), Some("2024-05-06")]),
        Arc::new(
            Decimal128Array::from(vec![Some(1250), None, Some(0), Some(99_999_999_999), Some(5)])
                .with_precision_and_scale(18, 2)
                .unwrap(),
        ),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(instant), None, None, None, Some(instant + 1)])
                .with_timezone("UTC"),
        ),
    ]
}

fn entities() -> Vec<ArrayRef> {
    vec![
        Arc::new(StringArray::from(vec!["长春甲公司", "吉林乙公司", "丙"])),
        Arc::new(StringArray::from(vec!["220102", "220203", "220102"])),
        Arc::new(
            Decimal128Array::from(vec![Some(1_000_000_000_000), None, Some(500_000)])
                .with_precision_and_scale(38, 6)
                .unwrap(),
        ),
    ]
}
