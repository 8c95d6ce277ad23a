//! What the tests of commits share: contracts, rows, and a session that reads a lake.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use chrono::DateTime;
use datafusion::execution::context::SessionContext;
use datafusion::prelude::SessionConfig;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{Catalog, PinnedTable, RunRecord, RunStatus, TableDef, TableName};
use xiangyun_engine::project::Project;
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_ingest::commit::{
    CommitOutcome, CommitRequest, Committer, Idempotency, StagedFiles, TableWriter, WriterOptions,
};
use xiangyun_ingest::pipeline::WriteMode;

/// A contract; each column is `name: type`, with `?` behind a type that may be missing; `extra` is TOML.
pub(crate) fn contract(name: &str, columns: &[&str], extra: &str) -> Arc<TableDef> {
    let mut text = format!(
        "version = 1\nname = \"{name}\"\nagency = \"某局\"\nowner = \"x\"\nlevel = \"general-1\"\n\
         sharing = \"unconditional\"\ntitle = {{ zh = \"表\", en = \"Table\" }}\n\
         description = {{ zh = \"表\", en = \"Table\" }}\n{extra}\n"
    );
    for column in columns {
        let (name, kind) = column.split_once(": ").unwrap();
        let nullable = kind.ends_with('?');
        let kind = kind.trim_end_matches('?');
        text.push_str(&format!("[[columns]]\nname = \"{name}\"\ntype = \"{kind}\"\nnullable = {nullable}\n"));
    }
    Arc::new(toml::from_str(&text).unwrap())
}

pub(crate) async fn open(folder: &std::path::Path) -> Storage {
    let url = url::Url::from_file_path(folder).unwrap().to_string();
    Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap()
}

/// A run that loaded `rows`.
pub(crate) fn run(table: &TableDef, run_id: &str, rows: u64) -> RunRecord {
    let at = DateTime::from_timestamp(1_553_558_400, 0).unwrap();
    RunRecord {
        run_id: run_id.into(),
        pipeline: "p".into(),
        table: table.name.clone(),
        status: RunStatus::Succeeded,
        sources: Vec::new(),
        rows_read: rows,
        rows_loaded: rows,
        rows_rejected: 0,
        rows_duplicate: 0,
        warnings: 0,
        version: None,
        started_at: at,
        finished_at: at,
        notes: Vec::new(),
        rows_updated: 0,
        rows_deleted: 0,
        redo_of: None,
        cursor: None,
        reads: Vec::new(),
        columns: Vec::new(),
        stopped_by: None,
        resolves: Vec::new(),
        trigger: None,
        due_at: None,
        error: None,
    }
}

pub(crate) async fn stage(storage: &Storage, table: &TableDef, batches: &[RecordBatch]) -> StagedFiles {
    stage_with(storage, table, batches, WriterOptions::default()).await
}

pub(crate) async fn stage_with(
    storage: &Storage,
    table: &TableDef,
    batches: &[RecordBatch],
    options: WriterOptions,
) -> StagedFiles {
    let mut writer = TableWriter::new(storage, table, options);
    for batch in batches {
        writer.write(batch.clone()).await.unwrap();
    }
    writer.finish().await.unwrap()
}

/// Commits `batch` as content called `content`; the run is called the same.
pub(crate) async fn commit(
    committer: &Committer,
    table: &Arc<TableDef>,
    mode: WriteMode,
    content: &str,
    batch: &RecordBatch,
) -> Result<CommitOutcome> {
    let files = stage(committer.storage(), table, std::slice::from_ref(batch)).await;
    let idempotency = match mode {
        WriteMode::Replace => {
            let version = content.bytes().fold(7, |hash: i64, byte| hash * 31 + i64::from(byte));
            Idempotency { app_id: "xiangyun/p".into(), version }
        }
        _ => Idempotency { app_id: format!("xiangyun/p/{content}"), version: 1 },
    };
    let run = run(table, &uuid::Uuid::now_v7().to_string(), files.rows());
    committer.commit(CommitRequest { table: table.clone(), mode, files, idempotency, run }).await
}

pub(crate) async fn append(committer: &Committer, table: &Arc<TableDef>, content: &str, batch: &RecordBatch) -> u64 {
    match commit(committer, table, WriteMode::Append, content, batch).await.unwrap() {
        CommitOutcome::Committed { version } => version,
        other => panic!("{other:?}"),
    }
}

/// Rows of `(id int64, name text)`.
pub(crate) fn people(rows: &[(i64, &str)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(id, _)| *id)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, name)| *name)));
    RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
}

/// `schema.people (id int64, name text)`.
pub(crate) fn people_table(schema: &str) -> Arc<TableDef> {
    contract(&format!("{schema}.people"), &["id: int64", "name: text"], "")
}

pub(crate) async fn catalog(storage: &Storage) -> Catalog {
    Catalog::open(storage.clone(), Arc::new(Project::default())).await.unwrap()
}

/// A session in which `t` is the newest version of `table`.
pub(crate) async fn session(catalog: &Catalog, table: &TableName) -> SessionContext {
    session_of(catalog, &catalog.pin(table).await.unwrap())
}

/// A session in which `t` is `pinned`.
pub(crate) fn session_of(catalog: &Catalog, pinned: &PinnedTable) -> SessionContext {
    // Literals as decimals, as the query path reads them: a float would not hold 20 digits.
    let config =
        SessionConfig::new().with_target_partitions(2).set_bool("datafusion.sql_parser.parse_float_as_decimal", true);
    let session = SessionContext::new_with_config(config);
    catalog.register_store(&session.runtime_env()).unwrap();
    session.register_table("t", pinned.provider.clone()).unwrap();
    session
}

pub(crate) async fn rows(session: &SessionContext, sql: &str) -> RecordBatch {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    let schema = batches.first().map(RecordBatch::schema).unwrap();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

/// The one number that `sql` gives.
pub(crate) async fn number(session: &SessionContext, sql: &str) -> i64 {
    rows(session, sql).await.column(0).as_primitive::<Int64Type>().value(0)
}

/// Rows of the newest version.
pub(crate) async fn count(storage: &Storage, table: &TableDef) -> i64 {
    number(&session(&catalog(storage).await, &table.name).await, "select count(*) from t").await
}

/// The result as text, a row a line.
pub(crate) async fn text(session: &SessionContext, sql: &str) -> Vec<String> {
    let batch = rows(session, sql).await;
    let options = arrow::util::display::FormatOptions::default().with_null("-");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let line = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(line).collect()
}

/// The physical plan as text.
pub(crate) async fn plan(session: &SessionContext, sql: &str) -> String {
    let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}
