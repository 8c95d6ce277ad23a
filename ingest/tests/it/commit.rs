//! Commits: the same suite on local files and on an S3-compatible server.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use xiangyun_engine::catalog::system::SystemTable;
use xiangyun_engine::catalog::{RunRecord, TableName};
use xiangyun_engine::storage::Storage;
use xiangyun_engine::{ErrorKind, Principal};
use xiangyun_ingest::commit::{
    CommitOutcome, CommitRequest, Committer, Idempotency, QuarantineRow, QuarantineWriter, TableWriter, WriterOptions,
};
use xiangyun_ingest::pipeline::WriteMode;

use crate::lake::{
    append, catalog, commit, contract, count, number, open, people, people_table, plan, run, session, session_of,
    stage, stage_with, text,
};
use crate::moto::Moto;

#[tokio::test(flavor = "multi_thread")]
async fn on_local_files() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("湖 1");
    suite(open(&lake).await, open(&lake).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3() {
    let Some(moto) = Moto::start("commit::on_s3").await else { return };
    let open = async || Storage::open(&moto.options("s3://lake/a/b")).await.unwrap();
    suite(open().await, open().await).await;
}

/// Every case has a schema of its own. `other` is the same lake, opened by another process.
async fn suite(storage: Storage, other: Storage) {
    storage.probe_conditional_put().await.unwrap();
    every_type_comes_back(&storage).await;
    partitions_may_be_chinese_or_missing(&storage).await;
    concurrent_appends_lose_nothing(&storage, &other).await;
    an_append_counts_once(&storage, &other).await;
    a_replacement_counts_once_in_a_row(&storage).await;
    a_pinned_reader_keeps_its_version(&storage).await;
    files_are_skipped_by_the_logs_statistics(&storage).await;
    sorted_files_spare_the_sort(&storage).await;
    a_contract_grows_by_nullable_columns_only(&storage).await;
    statistics_answer_without_reading(&storage).await;
    runs_and_quarantine_follow_the_data_commits(&storage).await;
    checkpoints_keep_everything(&storage, &other).await;
}

async fn every_type_comes_back(storage: &Storage) {
    let table = contract(
        "types.everything",
        &[
            "t: text?",
            "i: int64?",
            "f: float64?",
            "b: boolean?",
            "d: date?",
            "s: timestamp?",
            "m: decimal(38,6)?",
            "p: decimal(9,2)?",
        ],
        "",
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", Arc::new(StringArray::from(vec![Some("吉𠮷\n\"'"), Some(""), None]))),
        ("i", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(-0.5), Some(f64::NAN), None]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("d", Arc::new(Date32Array::from(vec![Some(17_981), Some(-1), None]))),
        (
            "s",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_553_558_400_123_456), Some(-1), None]).with_timezone("UTC"),
            ),
        ),
        (
            "m",
            Arc::new(
                Decimal128Array::from(vec![Some(99_999_999_999_999_999_999_999_999_999_999_999_999), Some(-1), None])
                    .with_precision_and_scale(38, 6)
                    .unwrap(),
            ),
        ),
        (
            "p",
            Arc::new(
                Decimal128Array::from(vec![Some(123_456_789), Some(0), None]).with_precision_and_scale(9, 2).unwrap(),
            ),
        ),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap();
    let committer = Committer::new(storage.clone());
    assert_eq!(append(&committer, &table, "a", &batch).await, 0);
    let session = session(&catalog(storage).await, &table.name).await;
    assert_eq!(
        text(&session, "select * from t order by i nulls last").await,
        [
            "吉𠮷\n\"'|-9223372036854775808|-0.5|true|2019-03-26|2019-03-26T00:00:00.123456Z|\
             99999999999999999999999999999999.999999|1234567.89",
            "|9223372036854775807|NaN|false|1969-12-31|1969-12-31T23:59:59.999999Z|-0.000001|0.00",
            "-|-|-|-|-|-|-|-",
        ]
    );
    assert_eq!(
        text(&session, "select max(m), min(m) from t").await,
        ["99999999999999999999999999999999.999999|-0.000001"]
    );
}

async fn partitions_may_be_chinese_or_missing(storage: &Storage) {
    let table =
        contract("parts.people", &["id: int64", "region: text?", "on: date?"], "partition_by = [\"region\", \"on\"]");
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])), false),
        (
            "region",
            Arc::new(StringArray::from(vec![Some("长春市 /%"), Some("延边州"), None, Some("长春市 /%"), Some("a=b")])),
            true,
        ),
        ("on", Arc::new(Date32Array::from(vec![Some(17_981), Some(17_981), Some(17_982), None, None])), true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    append(&Committer::new(storage.clone()), &table, "a", &batch).await;
    let session = session(&catalog(storage).await, &table.name).await;
    assert_eq!(
        text(&session, "select * from t order by id").await,
        ["1|长春市 /%|2019-03-26", "2|延边州|2019-03-26", "3|-|2019-03-27", "4|长春市 /%|-", "5|a=b|-"]
    );
    assert_eq!(text(&session, "select id from t where region = '长春市 /%' and \"on\" is null").await, ["4"]);
    assert_eq!(
        text(&session, "select region, count(region), count(*) from t group by region order by 1 nulls last").await,
        ["a=b|1|1", "延边州|1|1", "长春市 /%|2|2", "-|0|1"]
    );
    assert_eq!(number(&session, "select count(region) from t").await, 4);
    let plan = plan(&session, "select id from t where region = '延边州'").await;
    assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
}

async fn concurrent_appends_lose_nothing(storage: &Storage, other: &Storage) {
    let table = people_table("busy");
    let mut writers = tokio::task::JoinSet::new();
    // Four share a queue, the others are processes of their own.
    let shared = Committer::new(storage.clone());
    for writer in 0..8i64 {
        let committer = if writer < 4 { shared.clone() } else { Committer::new(other.clone()) };
        let table = table.clone();
        writers.spawn(async move {
            for load in 0..5i64 {
                let first = (writer * 5 + load) * 10;
                let rows: Vec<(i64, &str)> = (first..first + 10).map(|id| (id, "x")).collect();
                append(&committer, &table, &format!("{writer}/{load}"), &people(&rows)).await;
            }
        });
    }
    writers.join_all().await;
    let session = session(&catalog(storage).await, &table.name).await;
    assert_eq!(text(&session, "select count(*), count(distinct id), min(id), max(id) from t").await, ["400|400|0|399"]);
}

async fn an_append_counts_once(storage: &Storage, other: &Storage) {
    let table = people_table("once");
    let batch = people(&[(1, "张三"), (2, "李四")]);
    let committer = Committer::new(storage.clone());
    assert_eq!(append(&committer, &table, "a", &batch).await, 0);
    assert_eq!(append(&committer, &table, "b", &people(&[(3, "王五")])).await, 1);
    for committer in [committer, Committer::new(other.clone())] {
        let again = commit(&committer, &table, WriteMode::Append, "a", &batch).await.unwrap();
        assert_eq!(again, CommitOutcome::AlreadyCommitted { version: 0 });
        let idempotency = Idempotency { app_id: "xiangyun/p/a".into(), version: 1 };
        assert_eq!(committer.find(&table, &idempotency).await.unwrap(), Some(0));
        let unknown = Idempotency { app_id: "xiangyun/p/z".into(), version: 1 };
        assert_eq!(committer.find(&table, &unknown).await.unwrap(), None);
    }
    assert_eq!(count(storage, &table).await, 3);
    // The acknowledgement got lost: the same request of the same run is the commit itself.
    let request = async || CommitRequest {
        table: table.clone(),
        mode: WriteMode::Append,
        files: stage(storage, &table, &[people(&[(4, "赵六")])]).await,
        idempotency: Idempotency { app_id: "xiangyun/p/c".into(), version: 1 },
        run: run(&table, "run-c", 1),
    };
    let committer = Committer::new(storage.clone());
    for _ in 0..2 {
        let outcome = committer.commit(request().await).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed { version: 2 });
    }
    assert_eq!(count(storage, &table).await, 4);
}

async fn a_replacement_counts_once_in_a_row(storage: &Storage) {
    let table = people_table("swap");
    let committer = Committer::new(storage.clone());
    let replace = async |content: &str, rows: &[(i64, &str)]| {
        commit(&committer, &table, WriteMode::Replace, content, &people(rows)).await.unwrap()
    };
    assert_eq!(replace("a", &[(1, "a"), (2, "a")]).await, CommitOutcome::Committed { version: 0 });
    assert_eq!(replace("b", &[(9, "b")]).await, CommitOutcome::Committed { version: 1 });
    assert_eq!(replace("b", &[(9, "b")]).await, CommitOutcome::AlreadyCommitted { version: 1 });
    assert_eq!(count(storage, &table).await, 1);
    // Going back to earlier content is a change.
    assert_eq!(replace("a", &[(1, "a"), (2, "a")]).await, CommitOutcome::Committed { version: 2 });
    assert_eq!(count(storage, &table).await, 2);
}

async fn a_pinned_reader_keeps_its_version(storage: &Storage) {
    let table = people_table("pinned");
    let committer = Committer::new(storage.clone());
    commit(&committer, &table, WriteMode::Replace, "a", &people(&[(1, "old"), (2, "old")])).await.unwrap();
    let catalog = catalog(storage).await;
    let pinned = catalog.pin(&table.name).await.unwrap();
    commit(&committer, &table, WriteMode::Replace, "b", &people(&[(3, "new")])).await.unwrap();
    let newest = catalog.pin(&table.name).await.unwrap();
    assert_eq!((pinned.version, newest.version), (0, 1));
    assert!(newest.committed_at >= pinned.committed_at && pinned.committed_at.is_some());
    assert_eq!(text(&session_of(&catalog, &pinned), "select id, name from t order by id").await, ["1|old", "2|old"]);
    assert_eq!(text(&session_of(&catalog, &newest), "select id, name from t").await, ["3|new"]);
}

async fn files_are_skipped_by_the_logs_statistics(storage: &Storage) {
    let table = contract("skip.money", &["id: int64", "name: text", "amount: decimal(38,6)?"], "");
    let committer = Committer::new(storage.clone());
    let million = 1_000_000i128;
    let long = "长".repeat(40);
    for (content, ids, name, amount) in [
        ("a", [1, 2], "甲", 12_345_678_901_234_567_890 * million + 1),
        ("b", [3, 4], "乙", 12_345_678_901_234_567_890 * million + 2),
        ("c", [5, 6], long.as_str(), 5 * million),
    ] {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from(ids.to_vec()))),
            ("name", Arc::new(StringArray::from(vec![name; 2]))),
            ("amount", Arc::new(Decimal128Array::from(vec![amount; 2]).with_precision_and_scale(38, 6).unwrap())),
        ];
        append(&committer, &table, content, &RecordBatch::try_from_iter(columns).unwrap()).await;
    }
    let session = session(&catalog(storage).await, &table.name).await;
    for (filter, files, rows) in [
        ("id = 3", 1, 1),
        ("id > 2", 2, 4),
        ("id between 2 and 3", 2, 2),
        ("name = '乙'", 1, 2),
        ("name = '丁'", 0, 0),
        ("amount = 12345678901234567890.000002", 1, 2),
        ("amount < 6", 1, 2),
        ("amount is null", 0, 0),
        ("id = 1 or id = 6", 2, 2),
    ] {
        let sql = format!("select * from t where {filter}");
        let plan = plan(&session, &sql).await;
        assert_eq!(plan.matches(".parquet").count(), files, "{filter}: {plan}");
        let count = number(&session, &format!("select count(*) from t where {filter}")).await;
        assert_eq!(count, rows, "{filter}");
    }
    // A text that the log cuts still finds its rows.
    assert_eq!(number(&session, &format!("select count(*) from t where name = '{long}'")).await, 2);
}

async fn sorted_files_spare_the_sort(storage: &Storage) {
    let table = contract("sorted.people", &["id: int64", "name: text"], "sort_by = [\"id\"]");
    let committer = Committer::new(storage.clone());
    append(&committer, &table, "a", &people(&[(3, "c"), (1, "a"), (2, "b")])).await;
    append(&committer, &table, "b", &people(&[(6, "f"), (4, "d"), (5, "e")])).await;
    let session = session(&catalog(storage).await, &table.name).await;
    let sql = "select id from t order by id";
    let plan = plan(&session, sql).await;
    assert!(!plan.contains("SortExec"), "{plan}");
    assert_eq!(text(&session, sql).await, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(text(&session, "select id from t order by id desc limit 2").await, ["6", "5"]);
    // Files that overlap are merged.
    append(&committer, &table, "c", &people(&[(0, "z"), (9, "z")])).await;
    let session = crate::lake::session(&catalog(storage).await, &table.name).await;
    assert_eq!(text(&session, sql).await, ["0", "1", "2", "3", "4", "5", "6", "9"]);
}

async fn a_contract_grows_by_nullable_columns_only(storage: &Storage) {
    let committer = Committer::new(storage.clone());
    let before = contract("grow.people", &["id: int64", "name: text"], "");
    append(&committer, &before, "a", &people(&[(1, "a")])).await;

    let grown = contract("grow.people", &["id: int64", "born: date?", "name: text"], "");
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("name", Arc::new(StringArray::from(vec!["b"])), false),
        ("born", Arc::new(Date32Array::from(vec![0])), true),
        ("id", Arc::new(Int64Array::from(vec![2])), false),
    ];
    append(&committer, &grown, "b", &RecordBatch::try_from_iter_with_nullable(columns).unwrap()).await;
    // The older contract may still write.
    append(&committer, &before, "c", &people(&[(3, "c")])).await;
    let session = session(&catalog(storage).await, &before.name).await;
    assert_eq!(text(&session, "select id, name, born from t order by id").await, ["1|a|-", "2|b|1970-01-01", "3|c|-"]);
    assert_eq!(text(&session, "select id from t where born is null order by id").await, ["1", "3"]);
    assert_eq!(number(&session, "select count(born) from t").await, 1);

    for (columns, extra, message) in [
        (vec!["id: text", "name: text"], "", "column `id` is Int64, the contract says Utf8"),
        (vec!["id: int64", "name: text", "x: text"], "", "new column `x` must be nullable: older rows have no value"),
        (vec!["id: int64"], "", "column `name` may not be missing and is no longer declared"),
        (vec!["id: int64", "name: text?"], "", "column `name` may not be missing, the contract says it may"),
        (
            vec!["id: int64", "name: text"],
            "partition_by = [\"name\"]",
            "it is partitioned by [], the contract says [name]",
        ),
    ] {
        let table = contract("grow.people", &columns, extra);
        let files = TableWriter::new(storage, &table, WriterOptions::default()).finish().await.unwrap();
        let idempotency = Idempotency { app_id: "xiangyun/p/never".into(), version: 1 };
        let run = run(&table, "never", 0);
        let request = CommitRequest { table, mode: WriteMode::Append, files, idempotency, run };
        let error = committer.commit(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), format!("the contract of `grow.people` no longer fits the table: {message}"));
    }
}

async fn statistics_answer_without_reading(storage: &Storage) {
    let table = people_table("counted");
    let committer = Committer::new(storage.clone());
    append(&committer, &table, "a", &people(&[(7, "a"), (-3, "z")])).await;
    let session = session(&catalog(storage).await, &table.name).await;
    let sql = "select count(*), min(id), max(id), min(name) from t";
    let plan = plan(&session, sql).await;
    assert!(!plan.contains(".parquet"), "{plan}");
    assert_eq!(text(&session, sql).await, ["2|-3|7|a"]);
    // A table whose rows are all gone, and one that never had any.
    commit(&committer, &table, WriteMode::Replace, "none", &people(&[])).await.unwrap();
    assert_eq!(count(storage, &table).await, 0);
}

async fn runs_and_quarantine_follow_the_data_commits(storage: &Storage) {
    let table = people_table("watched");
    let committer = Committer::new(storage.clone());
    let reject = async |run_id: &str, line: u64| {
        let mut writer = QuarantineWriter::new(&committer, run_id, "p", &table.name);
        let row = QuarantineRow {
            file: "企业.csv".into(),
            line: Some(line),
            column: Some("id".into()),
            rule: None,
            reason: "TYPE".into(),
            message: "`x` is no int64".into(),
            raw: Some("x,张三".into()),
        };
        writer.write(&[row], run(&table, run_id, 0).started_at).await.unwrap();
        assert_eq!(writer.commit(&committer).await.unwrap(), 1);
    };
    let data = async |run_id: &str| -> RunRecord {
        let run = RunRecord { rows_rejected: 1, rows_read: 2, ..run(&table, run_id, 1) };
        let files = stage(storage, &table, &[people(&[(1, "a")])]).await;
        let idempotency = Idempotency { app_id: format!("xiangyun/p/{run_id}"), version: 1 };
        let request =
            CommitRequest { table: table.clone(), mode: WriteMode::Append, files, idempotency, run: run.clone() };
        let CommitOutcome::Committed { version } = committer.commit(request).await.unwrap() else { panic!() };
        RunRecord { version: Some(version), ..run }
    };
    // Whole; died before its run record; died before its data commit.
    reject("whole", 2).await;
    let whole = data("whole").await;
    committer.append_run(&whole).await.unwrap();
    committer.append_run(&whole).await.unwrap();
    reject("no-record", 3).await;
    data("no-record").await;
    reject("no-data", 4).await;

    let catalog = catalog(storage).await;
    let session = async |table| {
        let session = session(&catalog, &TableName::try_new("watched", "people").unwrap()).await;
        session.register_table("s", catalog.system_table(table, &Principal::system(), &[]).await.unwrap()).unwrap();
        session
    };
    let runs = session(SystemTable::Runs).await;
    assert_eq!(
        text(&runs, "select run_id, status, rows_read, rows_loaded, rows_rejected, version, started_at from s where table_name = 'watched.people' order by run_id").await,
        [
            "no-record|succeeded|2|1|1|1|2019-03-26T00:00:00Z",
            "whole|succeeded|2|1|1|0|2019-03-26T00:00:00Z"
        ]
    );
    let quarantine = session(SystemTable::Quarantine).await;
    assert_eq!(
        text(&quarantine, "select run_id, file, line, reason, raw from s order by line").await,
        ["whole|企业.csv|2|TYPE|x,张三", "no-record|企业.csv|3|TYPE|x,张三"]
    );
    let snapshots = session(SystemTable::Snapshots).await;
    assert_eq!(
        text(&snapshots, "select version, operation, run_id from s where schema_name = 'watched' order by version")
            .await,
        ["0|WRITE|whole", "1|WRITE|no-record"]
    );
    let tables = session(SystemTable::Tables).await;
    assert_eq!(
        text(&tables, "select table_name, kind, version, rows, files, drift from s where schema_name = 'watched'")
            .await,
        ["people|table|1|2|2|the table is in the lake and not declared"]
    );
    let columns = session(SystemTable::Columns).await;
    assert_eq!(
        text(
            &columns,
            "select position, column_name, data_type, nullable from s where schema_name = 'watched' order by position"
        )
        .await,
        ["1|id|int64|false", "2|name|text|false"]
    );
}

async fn checkpoints_keep_everything(storage: &Storage, other: &Storage) {
    let table = contract("long.people", &["id: int64", "name: text"], "sort_by = [\"id\"]");
    let committer = Committer::new(storage.clone());
    for id in 0..25 {
        append(&committer, &table, &id.to_string(), &people(&[(id, "x")])).await;
    }
    let log = storage.table_path(&table.name).join("_delta_log");
    let files = storage.store.list_with_delimiter(Some(&log)).await.unwrap().objects;
    assert!(files.iter().any(|file| file.location.as_ref().ends_with(".checkpoint.parquet")), "no checkpoint");
    // A fresh reader and a fresh writer start from the checkpoint.
    let session = session(&catalog(other).await, &table.name).await;
    assert_eq!(text(&session, "select count(*), sum(id) from t").await, ["25|300"]);
    assert!(!plan(&session, "select id from t where id < 2 order by id").await.contains("SortExec"));
    let again = commit(&Committer::new(other.clone()), &table, WriteMode::Append, "3", &people(&[(3, "x")])).await;
    assert_eq!(again.unwrap(), CommitOutcome::AlreadyCommitted { version: 3 });
}

/// Rows that need no sorting are encoded as they come: a small load has one file, a large one files of the size that is
/// wanted, and which row is in which file depends on no clock.
#[tokio::test(flavor = "multi_thread")]
async fn rows_as_they_come_become_files_of_a_size() {
    let table = contract("streamed.people", &["id: int64", "name: text"], "");
    let names: Vec<String> = (0..300_000).map(|row| format!("{:x}", row * 2_654_435_761_u64)).collect();
    let rows: Vec<(i64, &str)> = names.iter().enumerate().map(|(row, name)| (row as i64, name.as_str())).collect();
    let batches: Vec<RecordBatch> = rows.chunks(8_192).map(people).collect();
    let options = || WriterOptions { file_bytes: 500_000, parallel_files: 2, ..WriterOptions::default() };
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let storage = open(folder.path()).await;
        let small = stage_with(&storage, &table, &batches[..4], options()).await;
        assert_eq!((small.rows(), small.files()), (32_768, 1));
        let files = stage_with(&storage, &table, &batches, options()).await;
        assert!(files.rows() == 300_000 && files.files() >= 4, "{} files", files.files());
        assert!(files.size_bytes() / files.files() as u64 <= 700_000, "{} bytes", files.size_bytes());
        sizes.push((files.files(), files.size_bytes()));
        let run = run(&table, "r", files.rows());
        let idempotency = Idempotency { app_id: "a".into(), version: 1 };
        let request = CommitRequest { table: table.clone(), mode: WriteMode::Append, files, idempotency, run };
        Committer::new(storage.clone()).commit(request).await.unwrap();
        let session = session(&catalog(&storage).await, &table.name).await;
        let sql = "select count(*), count(distinct id), count(distinct name), sum(id) from t";
        assert_eq!(text(&session, sql).await, ["300000|300000|300000|44999850000"]);
    }
    assert_eq!(sizes[0], sizes[1]);
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).await;
    let table = people_table("fit");
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let missing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    for (columns, message) in [
        (vec![("id", number.clone())], "column `name` is missing"),
        (vec![("id", text.clone()), ("name", text.clone())], "column `id` is Utf8 and not Int64"),
        (vec![("id", number.clone()), ("name", missing)], "column `name` has missing values and may not"),
        (vec![("id", number), ("name", text.clone()), ("x", text)], "column `x` is not in the contract"),
    ] {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = TableWriter::new(&storage, &table, WriterOptions::default());
        let error = writer.write(batch).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write to `fit.people`: {message}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_become_many_files_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(folder.path()).await;
    let table = contract("many.people", &["id: int64", "name: text"], "sort_by = [\"name\", \"id\"]");
    let batches: Vec<RecordBatch> = (0..50i64)
        .map(|batch| {
            let rows: Vec<(i64, &str)> = (0..1000).map(|row| (batch * 1000 + row, "同名")).collect();
            people(&rows)
        })
        .collect();
    // A row has 8 bytes of id, 6 of text, 4 of offset, and 4 + 4 + 8 of the hidden columns: run, file and line.
    let options = WriterOptions { file_memory_bytes: 10 * 34_000, ..WriterOptions::default() };
    let files = stage_with(&storage, &table, &batches, options).await;
    assert_eq!((files.rows(), files.files()), (50_000, 5));
    let run = run(&table, "r", files.rows());
    let idempotency = Idempotency { app_id: "a".into(), version: 1 };
    let request = CommitRequest { table: table.clone(), mode: WriteMode::Append, files, idempotency, run };
    Committer::new(storage.clone()).commit(request).await.unwrap();
    let session = session(&catalog(&storage).await, &table.name).await;
    assert_eq!(text(&session, "select count(*), count(distinct id), sum(id) from t").await, ["50000|50000|1249975000"]);
}
