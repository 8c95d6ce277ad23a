//! Tables that another Delta writer made, and what the catalog says about tables that are not as declared.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::DeltaTable;
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::protocol::SaveMode;
use xiangyun_engine::ErrorKind;
use xiangyun_engine::catalog::{Catalog, TableDef, TableLog, TableName};
use xiangyun_engine::project::{Document, Project, SourceText};
use xiangyun_engine::storage::{Storage, StorageOptions};

fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

async fn open(folder: &Path) -> Storage {
    let url = url::Url::from_file_path(folder).unwrap().to_string();
    Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap()
}

/// A project that declares `columns` (TOML) for `table`.
fn project(table: &str, columns: &str) -> Arc<Project> {
    let text = format!(
        "version = 1\nname = \"{table}\"\nagency = \"某局\"\nowner = \"x\"\nlevel = \"general-1\"\n\
         sharing = \"unconditional\"\ntitle = {{ zh = \"表\", en = \"Table\" }}\n\
         description = {{ zh = \"表\", en = \"Table\" }}\n{columns}"
    );
    let def: TableDef = toml::from_str(&text).unwrap();
    let source = Arc::new(SourceText { path: "tables/t.toml".into(), text });
    Arc::new(Project { tables: vec![Document { source, def: Arc::new(def) }], ..Project::default() })
}

async fn session(catalog: &Catalog, table: &str) -> SessionContext {
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    catalog.register_store(&session.runtime_env()).unwrap();
    let pinned = catalog.pin(&name(table)).await.unwrap();
    session.register_table("t", pinned.provider).unwrap();
    session
}

async fn text(session: &SessionContext, sql: &str) -> Vec<String> {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    let options = FormatOptions::default().with_null("-");
    let mut lines = Vec::new();
    for batch in &batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            lines.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"));
        }
    }
    lines
}

async fn plan(session: &SessionContext, sql: &str) -> String {
    let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}

fn rows(first: i64) -> RecordBatch {
    let region = ["长春", "吉林", "长春"];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(first..first + 3))),
        ("region", Arc::new(StringArray::from(region.to_vec()))),
        ("amount", Arc::new(Decimal128Array::from(vec![1, 2, 3]).with_precision_and_scale(38, 6).unwrap())),
        ("on", Arc::new(Date32Array::from(vec![Some(17_981), None, Some(17_982)]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

/// deltalake's own writer: another tool, as far as our scan is concerned.
async fn written_by_deltalake(storage: &Storage, table: &str, properties: &[(&str, &str)]) -> DeltaTable {
    let log = TableLog::of_table(storage, &name(table));
    let schema: StructType = rows(0).schema().as_ref().try_into_kernel().unwrap();
    let created = DeltaTable::new(log.log_store().clone())
        .create()
        .with_columns(schema.fields().cloned())
        .with_partition_columns(["region"])
        .with_configuration(properties.iter().map(|(key, value)| (key.to_string(), Some(value.to_string()))))
        .await
        .unwrap();
    let once = created.write([rows(0)]).with_save_mode(SaveMode::Append).await.unwrap();
    once.write([rows(10)]).with_save_mode(SaveMode::Append).await.unwrap()
}

const ALL: &str = "select id, region, amount, \"on\" from t order by id";
const EXPECTED: [&str; 6] = [
    "0|长春|0.000001|2019-03-26",
    "1|吉林|0.000002|-",
    "2|长春|0.000003|2019-03-27",
    "10|长春|0.000001|2019-03-26",
    "11|吉林|0.000002|-",
    "12|长春|0.000003|2019-03-27",
];

#[tokio::test(flavor = "multi_thread")]
async fn another_writers_table_is_read_by_our_scan() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).await;
    written_by_deltalake(&storage, "x.foreign", &[]).await;
    let catalog = Catalog::open(storage, Arc::new(Project::default())).await.unwrap();
    let session = session(&catalog, "x.foreign").await;
    assert_eq!(text(&session, ALL).await, EXPECTED);
    assert_eq!(text(&session, "select count(*) from t where amount > 0.000002").await, ["2"]);
    let plan = plan(&session, "select id from t where region = '吉林' and id > 5").await;
    assert!(plan.contains("DataSourceExec") && plan.matches(".parquet").count() == 1, "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn column_mapping_is_left_to_deltalake() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).await;
    written_by_deltalake(&storage, "x.mapped", &[("delta.columnMapping.mode", "name")]).await;
    let catalog = Catalog::open(storage, Arc::new(Project::default())).await.unwrap();
    let session = session(&catalog, "x.mapped").await;
    assert_eq!(text(&session, ALL).await, EXPECTED);
    assert_eq!(text(&session, "select count(*) from t where id > 1").await, ["4"]);
}

const COLUMNS: &str = "[[columns]]\nname = \"id\"\ntype = \"int64\"\n[[columns]]\nname = \"region\"\ntype = \"int64\"\n\
                       nullable = true\n[[columns]]\nname = \"new\"\ntype = \"date\"\nnullable = true\n";

#[tokio::test(flavor = "multi_thread")]
async fn differences_between_contract_and_log_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).await;
    let catalog = Catalog::open(storage.clone(), project("x.foreign", COLUMNS)).await.unwrap();
    let before = catalog.summary(&name("x.foreign")).await.unwrap();
    assert_eq!((before.version, before.rows, before.drift), (None, None, Vec::new()));
    assert_eq!(catalog.history(&name("x.foreign")).await.unwrap().len(), 0);

    written_by_deltalake(&storage, "x.foreign", &[]).await;
    let after = catalog.detail(&name("x.foreign")).await.unwrap();
    assert_eq!((after.summary.version, after.summary.rows, after.summary.files), (Some(2), Some(6), Some(4)));
    assert_eq!(
        after.summary.drift,
        [
            "column `id` is declared not null and is nullable",
            "column `region` is declared as int64 and is text",
            "column `new` is declared and not in the table",
            "column `amount` is in the table and not declared",
            "column `on` is in the table and not declared",
            "partition columns are declared as none and are region",
        ]
    );
    let types: Vec<_> = after.columns.iter().map(|column| column.column_type.as_str()).collect();
    assert_eq!(types, ["int64", "text", "decimal(38,6)", "date"]);
    let history = catalog.history(&name("x.foreign")).await.unwrap();
    assert_eq!(history.iter().map(|commit| commit.version).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(history[2].operation.as_deref(), Some("CREATE TABLE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_tables_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(&folder.path().join("not there yet")).await;
    let catalog = Catalog::open(storage, project("x.people", COLUMNS)).await.unwrap();
    let error = catalog.pin(&name("x.people")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "table `x.people` is declared and not loaded yet");
    assert_eq!(error.hint(), Some("run `xiangyun load`"));
    let error = catalog.pin(&name("x.peopel")).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no table `x.peopel`");
    assert_eq!(error.hint(), Some("did you mean `x.people`?"));
    assert_eq!(catalog.names().await.unwrap().into_iter().collect::<Vec<_>>(), [name("x.people")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_data_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).await;
    written_by_deltalake(&storage, "x.foreign", &[]).await;
    let catalog = Catalog::open(storage, Arc::new(Project::default())).await.unwrap();
    let session = session(&catalog, "x.foreign").await;
    let table = folder.path().join("x/foreign");
    let partition = fs::read_dir(&table)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("region="))
        .unwrap();
    let file = fs::read_dir(partition).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    let error = session.sql("select sum(id) from t").await.unwrap().collect().await.unwrap_err();
    let error = catalog.read_failure(&error).unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.to_string().contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
    assert!(error.to_string().ends_with("is missing although the table's log lists it"), "{error}");
}

#[tokio::test]
async fn urls_that_cannot_be_a_lake_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let file = url::Url::from_file_path(&file).unwrap().to_string();
    for (url, message) in [
        ("lake", "`lake` cannot be the lake's storage: relative URL without a base"),
        ("ftp://host/x", "`ftp://host/x` cannot be the lake's storage: `ftp` is neither `file` nor `s3`"),
        (
            "file://data/lake",
            "`file://data/lake` cannot be the lake's storage: a local folder has three slashes, as in `file:///data/lake`",
        ),
        ("s3:///x", "`s3:///x` cannot be the lake's storage: the bucket is missing"),
        (
            "s3://key:secret@bucket/x",
            "`s3://bucket/x` cannot be the lake's storage: credentials do not belong into the URL",
        ),
        (file.as_str(), &format!("`{file}` is not a folder")),
    ] {
        let error = Storage::open(&StorageOptions { url: url.into(), ..StorageOptions::default() }).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidInput, message));
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
