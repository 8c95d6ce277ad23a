//! Small files, old files and old versions of tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use chrono::{DateTime, TimeDelta, Utc};
use parquet::file::reader::{FileReader, SerializedFileReader};
use xiangyun_engine::ErrorKind;
use xiangyun_engine::catalog::{TableDef, TableName};
use xiangyun_engine::clock::Clock;
use xiangyun_ingest::commit::Committer;
use xiangyun_ingest::maintain::{DEFAULT_RETENTION, Maintenance, Pick, Subject};
use xiangyun_ingest::pipeline::WriteMode;

use crate::lake::{append, catalog, commit, count, session_of, text};
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
async fn small_files_of_a_partition_become_one_sorted_file() {
    let setting = Setting::new().await;
    let regions = [Some("长春"), Some("吉林"), None];
    for load in 0..5 {
        let rows: Vec<_> = (0..30).map(|row| ((row * 7919 + load * 31) % 997, regions[row as usize % 3])).collect();
        setting.append(&format!("load {load}"), &rows).await;
    }
    let before = setting.rows().await;
    assert_eq!((before.len(), setting.files().len()), (150, 15));
    // A query that has begun keeps its version.
    let catalog = catalog(setting.committer.storage()).await;
    let pinned = catalog.pin(setting.name()).await.unwrap();

    let plan = setting.maintenance().small_files(&setting.subject(), Pick::All).await.unwrap();
    assert_eq!(plan.iter().map(|group| group.files.len()).collect::<Vec<_>>(), [5, 5, 5]);
    let done = setting.maintenance().optimize(&setting.subject(), Pick::All).await.unwrap().done;
    assert_eq!((done.files_removed, done.files_added, done.overtaken), (15, 3, 0));
    assert_eq!(done.version, Some(5));

    assert_eq!(setting.rows().await, before);
    let old = session_of(&catalog, &pinned);
    assert_eq!(text(&old, "select count(*) from t").await, ["150"]);
    let summary = setting.lake.ingest.engine().catalog().summary(setting.name()).await.unwrap();
    assert_eq!((summary.files, summary.rows), (Some(3), Some(150)));
    let history = setting.lake.ingest.engine().catalog().history(setting.name()).await.unwrap();
    assert_eq!(history[0].operation.as_deref(), Some("OPTIMIZE"));
    assert_eq!(history.len(), 6, "the runs of all commits are kept");

    let log = setting.commit_text(5);
    assert_eq!((log.matches("\"dataChange\":false").count(), log.matches("\"dataChange\":true").count()), (18, 0));
    assert_eq!(log.matches("xiangyun.sortedBy").count(), 3);
    let written: Vec<String> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["add"].as_object().cloned())
        .map(|add| {
            let stats: serde_json::Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            assert_eq!(stats["numRecords"], 50);
            assert_eq!(add["tags"]["xiangyun.sortedBy"], "[\"id\"]");
            add["path"].as_str().unwrap().replace("%25", "%")
        })
        .collect();
    for path in written {
        let reader = SerializedFileReader::new(fs::File::open(setting.folder().join(&path)).unwrap()).unwrap();
        let metadata = reader.metadata();
        let columns = metadata.row_group(0).columns();
        let of = |name: &str| columns.iter().find(|column| column.column_path().string() == name).unwrap();
        assert!(of("code").bloom_filter_offset().is_some(), "a lookup column has a Bloom filter");
        assert!(of("id").bloom_filter_offset().is_none());
        assert!(of("id").column_index_offset().is_some(), "pages have statistics");
        assert_eq!(metadata.row_group(0).sorting_columns().unwrap()[0].column_idx, 0);
        let ids: Vec<i64> = reader.get_row_iter(None).unwrap().map(|row| id_of(&row.unwrap())).collect();
        assert!(ids.is_sorted() && ids.len() == 50, "{ids:?}");
    }
    // Nothing is left to do.
    let done = setting.maintenance().optimize(&setting.subject(), Pick::All).await.unwrap().done;
    assert_eq!(done.version, None);
}

fn id_of(row: &parquet::record::Row) -> i64 {
    use parquet::record::RowAccessor;
    row.get_long(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_size_cuts_files() {
    let big = TABLE.replace("min_files = 4", "target_file_mib = 1");
    let lake = Lake::open(&[("tables/t.toml", big.as_bytes())]).await;
    let committer = Committer::new(lake.ingest.engine().storage().clone());
    let table = Arc::clone(&lake.ingest.engine().project().tables[0].def);
    // Codes that do not compress: 12 files of some 300 kB.
    let mut state = 88_172_645_463_325_252_u64;
    for load in 0..12 {
        let rows = 15_000;
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|row| row * 12 + load)));
        let regions: ArrayRef = Arc::new(StringArray::from(vec![Some("长春"); rows as usize]));
        let codes: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{state:016x}{:016x}", state.rotate_left(17).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        })));
        let batch = RecordBatch::try_from_iter([("id", ids), ("region", regions), ("code", codes)]).unwrap();
        append(&committer, &table, &format!("{load}"), &batch).await;
    }
    let subject = Subject::Table(Arc::clone(&table));
    let done = lake.ingest.maintenance().optimize(&subject, Pick::All).await.unwrap().done;
    assert_eq!(done.files_removed, 12);
    let sizes = lake.sql("select files, size_bytes from system.tables where table_name = 'trades'").await;
    let mean = sizes[0][1].parse::<u64>().unwrap() / sizes[0][0].parse::<u64>().unwrap();
    assert!((700_000..1_200_000).contains(&mean) && done.files_added >= 3, "{sizes:?}");
    let rows = lake.sql("select count(*), count(distinct id), count(distinct code) from market.trades").await;
    assert_eq!(rows, [["180000", "180000", "180000"]]);
    // The new files follow each other: a range of ids is in one of them.
    let log = fs::read_to_string(lake.root().join("lake/market/trades/_delta_log/00000000000000000012.json")).unwrap();
    let mut ranges: Vec<(i64, i64)> = log
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["add"]["stats"].as_str().map(str::to_owned)
        })
        .map(|stats| {
            let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
            (stats["minValues"]["id"].as_i64().unwrap(), stats["maxValues"]["id"].as_i64().unwrap())
        })
        .collect();
    ranges.sort_unstable();
    assert_eq!((ranges[0].0, ranges.last().unwrap().1), (0, 15_000 * 12 - 1));
    assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_leave_few_small_files() {
    let table = TABLE.replace("partition_by = [\"region\"]\n", "");
    let pipeline = "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = \"append\"\n\
                    source = { kind = \"csv\", path = \"data/a.csv\" }\n";
    let files = [("tables/t.toml", table.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes()), ("data/a.csv", b"")];
    let lake = Lake::open(&files).await;
    for load in 0..40 {
        lake.write("data/a.csv", format!("id,region,code\n{load},长春,c{load}\n").as_bytes());
        lake.load("trades").await.unwrap();
        for (_, done) in lake.ingest.maintenance().catch_up().await {
            done.unwrap();
        }
    }
    assert_eq!(lake.sql("select count(*), count(distinct code) from market.trades").await, [["40", "40"]]);
    let files = lake.sql("select files from system.tables where table_name = 'trades'").await;
    assert!(files[0][0].parse::<u64>().unwrap() <= 4, "{files:?}");
    // The runs log takes a file a run, and has been put together at 32.
    let runs = lake.sql("select count(*), count(distinct run_id) from system.runs where status = 'succeeded'").await;
    assert_eq!(runs, [["40", "40"]]);
    let log = fs::read_dir(lake.root().join("lake/_xiangyun/runs/_delta_log")).unwrap().count();
    assert!(log > 40, "the runs log was compacted: {log} files of its log");
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_and_compactions_do_not_stop_each_other() {
    let setting = Setting::new().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4_i64 {
        // Of a process of its own, as far as the commit can tell.
        let committer = Committer::new(setting.committer.storage().clone());
        let table = Arc::clone(&setting.table);
        writers.spawn(async move {
            for number in 0..15 {
                let id = writer * 100 + number;
                append(&committer, &table, &format!("{id}"), &trades(&[(id, Some("长春"))])).await;
            }
        });
    }
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    let ended = Arc::new(AtomicBool::new(false));
    let others_ended = Arc::clone(&ended);
    let compacting = tokio::spawn(async move {
        let mut versions = 0;
        while !others_ended.load(Ordering::Relaxed) {
            versions += usize::from(maintenance.optimize(&subject, Pick::All).await.unwrap().done.version.is_some());
        }
        versions
    });
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    assert!(compacting.await.unwrap() > 0);
    assert_eq!(count(setting.committer.storage(), &setting.table).await, 60);
}

/// Makes the file look as if it had been written then.
fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_removes_what_no_version_within_the_retention_needs() {
    let setting = Setting::new().await;
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    assert_eq!(maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap(), None);
    setting.append("a", &[(1, Some("长春")), (2, None)]).await;
    let old = setting.files();
    setting.replace("b", &[(3, Some("长春"))]).await;
    let orphans = ["region=%E9%95%BF%E6%98%A5/part-dead.parquet", "part-young.parquet"];
    for orphan in orphans {
        fs::write(setting.folder().join(orphan), b"PAR1").unwrap();
    }
    fs::write(setting.folder().join("notes.txt"), b"not ours").unwrap();
    fs::create_dir(setting.folder().join("_other")).unwrap();
    fs::write(setting.folder().join("_other/x.parquet"), b"not ours").unwrap();
    age(&setting.folder().join(orphans[0]), 8);
    for kept in ["notes.txt", "_other/x.parquet"] {
        age(&setting.folder().join(kept), 400);
    }

    // Now only the orphan of a week ago can go: the older version is within the retention.
    let plan = maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap();
    assert_eq!(plan.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), [orphans[0]]);
    assert_eq!(plan.oldest_kept, 0);
    assert!(setting.folder().join(orphans[0]).exists(), "a plan changes nothing");

    // Eight days later the replaced files go too, and the young orphan.
    setting.days_pass(8);
    let plan = maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap();
    let mut expected: Vec<String> = old.iter().cloned().chain(orphans.map(str::to_owned)).collect();
    expected.sort();
    assert_eq!(plan.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(plan.oldest_kept, 1);
    let done = maintenance.vacuum(&subject, DEFAULT_RETENTION, false, &plan).await.unwrap();
    assert_eq!(done, plan);
    assert_eq!(setting.rows().await, [["3", "长春", "c3"]]);
    let left = setting.files();
    assert!(left.contains(&"notes.txt".to_owned()) && left.len() == 2, "{left:?}");
    assert!(setting.folder().join("_other/x.parquet").exists());
    assert!(maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap().files.is_empty());
    let error = maintenance.restore(setting.name(), 0, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with("version 0 of `market.trades` cannot be restored: `region="), "{error}");
    assert!(error.to_string().ends_with("is gone, and 1 more"), "{error}");
    let error = maintenance.diff(setting.name(), 0, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{}", error.chain());
    assert_eq!(setting.rows().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_within_the_retention_keeps_its_files() {
    let setting = Setting::new().await;
    for content in ["a", "b", "c", "d"] {
        setting.replace(content, &[(content.len() as i64, None)]).await;
    }
    // Versions 0 and 1 were made ten days ago, 2 and 3 now: 1 was the table's seven days ago.
    for version in [0, 1] {
        let path = setting.folder().join(format!("_delta_log/{version:020}.json"));
        let text = fs::read_to_string(&path).unwrap();
        let stamp = text.split("\"timestamp\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
        let then = stamp.parse::<i64>().unwrap() - 10 * 24 * 3600 * 1000;
        fs::write(&path, text.replace(&format!("\"timestamp\":{stamp}"), &format!("\"timestamp\":{then}"))).unwrap();
    }
    for file in setting.files() {
        age(&setting.folder().join(file), 10);
    }
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    let plan = maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap();
    assert_eq!((plan.oldest_kept, plan.files.len()), (1, 1));
    // Between plan and deed version 0 comes back: its file stays.
    maintenance.restore(setting.name(), 0, None).await.unwrap();
    let done = maintenance.vacuum(&subject, DEFAULT_RETENTION, false, &plan).await.unwrap();
    assert!(done.files.is_empty(), "{done:?}");
    for version in 0..4 {
        maintenance.restore(setting.name(), version, None).await.unwrap();
        assert_eq!(setting.rows().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_of_less_than_a_day_has_to_be_meant() {
    let setting = Setting::new().await;
    setting.append("a", &[(1, None)]).await;
    setting.replace("b", &[(2, None)]).await;
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    let error = maintenance.plan_vacuum(&subject, Duration::ZERO, false).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::InvalidInput, "a retention of 0 hours is less than a day".into())
    );
    // A lease that is held says that somebody works on the lake.
    let leases = setting.lake.root().join("lake/_xiangyun/leases/trades");
    fs::create_dir_all(&leases).unwrap();
    let until = (Utc::now() + TimeDelta::hours(1)).to_rfc3339();
    fs::write(leases.join("000000000001.json"), format!("{{\"holder\":\"process 7\",\"until\":\"{until}\"}}")).unwrap();
    let error = maintenance.plan_vacuum(&subject, Duration::ZERO, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let wanted = "files cannot be removed without a safe retention: process 7 holds the lease `trades`";
    assert_eq!(error.to_string(), wanted);
    fs::remove_dir_all(leases).unwrap();
    setting.days_pass(1);
    let plan = maintenance.plan_vacuum(&subject, Duration::ZERO, true).await.unwrap().unwrap();
    assert_eq!(plan.files.len(), 1);
    maintenance.vacuum(&subject, Duration::ZERO, true, &plan).await.unwrap();
    assert_eq!(setting.rows().await, [["2", "", "c2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_version_comes_back_as_a_new_one() {
    let setting = Setting::new().await;
    let maintenance = setting.maintenance();
    let error = maintenance.restore(setting.name(), 0, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    setting.append("a", &[(1, Some("长春")), (2, None)]).await;
    setting.append("b", &[(3, Some("吉林"))]).await;
    let first = setting.rows().await;
    setting.replace("c", &[(4, Some("长春"))]).await;
    let plan = maintenance.plan_restore(setting.name(), 1).await.unwrap();
    assert_eq!((plan.from, plan.files_back, plan.files_gone), (2, 3, 1));
    assert_eq!((plan.rows_back, plan.rows_gone, plan.made), (Some(3), Some(1), None));
    // Somebody agreed to undo what came up to another version than the table is at.
    let error = maintenance.restore(setting.name(), 1, Some(1)).await.unwrap_err();
    assert!(error.to_string().contains("is at version 2 and not at 1 any more"), "{}", error.chain());
    let done = maintenance.restore(setting.name(), 1, Some(2)).await.unwrap();
    assert_eq!(done.made, Some(3));
    assert_eq!(setting.rows().await, first);
    let record = "select pipeline, rows_read, rows_loaded, rows_deleted, version, notes from system.runs \
                  where pipeline = 'table restore'";
    let note = "version 1 was restored: 3 rows back, 1 row gone";
    assert_eq!(setting.lake.sql(record).await, [["table restore", "3", "3", "1", "3", note]]);
    assert!(setting.commit_text(3).contains("\"operation\":\"RESTORE\""));
    // The same again changes nothing; and what was taken back can come back.
    assert_eq!(maintenance.restore(setting.name(), 1, None).await.unwrap().made, None);
    assert_eq!(maintenance.restore(setting.name(), 2, None).await.unwrap().made, Some(4));
    assert_eq!(setting.rows().await, [["4", "长春", "c4"]]);
    // A restored table is written to like any other.
    maintenance.restore(setting.name(), 0, None).await.unwrap();
    setting.append("d", &[(5, Some("长春"))]).await;
    assert_eq!(setting.lake.sql("select id from market.trades order by id").await, [["1"], ["2"], ["5"]]);
    let error = maintenance.restore(setting.name(), 99, None).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, "`market.trades` has no version 99".into()));
    assert_eq!(error.hint().unwrap(), "versions that there are: 0 to 6");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_by_rows() {
    use futures::TryStreamExt;
    let setting = Setting::new().await;
    let maintenance = setting.maintenance();
    setting.append("a", &[(1, Some("长春")), (1, Some("长春")), (2, None)]).await;
    setting.append("b", &[(3, Some("长春"))]).await;
    maintenance.optimize(&setting.subject(), Pick::All).await.unwrap();
    setting.append("c", &[(4, None)]).await;
    maintenance.optimize(&setting.subject(), Pick::All).await.unwrap();
    // One of two equal rows, and one other, are gone; one is new.
    setting.replace("d", &[(1, Some("长春")), (3, Some("长春")), (4, None), (5, None)]).await;
    let latest = setting.lake.ingest.engine().catalog().pin(setting.name()).await.unwrap().version;
    let diff = maintenance.diff(setting.name(), 1, latest).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (2, 2));
    let rows = maintenance.diff_rows(setting.name(), 1, latest, None).await.unwrap();
    let names: Vec<_> = rows.schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["_change", "_count", "id", "region", "code"]);
    let batches: Vec<RecordBatch> = rows.batches.try_collect().await.unwrap();
    let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .filter(|line| line.contains("added") || line.contains("removed"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert_eq!(lines[0], ["|", "removed", "|", "1", "|", "1", "|", "长春", "|", "c1", "|"]);
    assert_eq!(lines[1], ["|", "removed", "|", "1", "|", "2", "|", "|", "c2", "|"]);
    assert_eq!(lines[2], ["|", "added", "|", "1", "|", "4", "|", "|", "c4", "|"]);
    assert_eq!(lines[3], ["|", "added", "|", "1", "|", "5", "|", "|", "c5", "|"]);
    // A compaction changes no row, and a version does not differ from itself.
    let diff = maintenance.diff(setting.name(), 1, 2).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (0, 0));
    let diff = maintenance.diff(setting.name(), latest, latest).await.unwrap();
    assert_eq!((diff.files_added, diff.files_removed, diff.rows_added), (0, 0, 0));
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

/// The table's contract as it grows, of which the last version demands a value.
fn grown(nullable: bool) -> String {
    format!("{TABLE}[[columns]]\nname = \"note\"\ntype = \"text\"\nnullable = {nullable}\n")
}

impl Setting {
    /// The same lake by another contract.
    async fn under(&self, contract: &str) -> (Maintenance, Arc<TableDef>) {
        self.lake.write("tables/t.toml", contract.as_bytes());
        let lake = Lake::at(self.lake.root()).await;
        (lake.ingest.maintenance(), Arc::clone(&lake.ingest.engine().project().tables[0].def))
    }

    /// Changes a commit as another tool might have made it.
    fn rewrite(&self, version: u64, from: &str, to: &str) {
        let text = self.commit_text(version);
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(self.folder().join(format!("_delta_log/{version:020}.json")), text.replace(from, to)).unwrap();
    }
}

/// Rows with a note.
fn noted(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let plain = trades(&rows.iter().map(|(id, _)| (*id, Some("长春"))).collect::<Vec<_>>());
    let notes: ArrayRef = Arc::new(rows.iter().map(|(_, note)| *note).collect::<StringArray>());
    let columns = ["id", "region", "code"].into_iter().zip(plain.columns().to_vec());
    RecordBatch::try_from_iter(columns.chain([("note", notes)])).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_from_before_a_column_comes_back_where_the_contract_allows_it() {
    let setting = Setting::new().await;
    setting.append("a", &[(1, Some("长春")), (2, None)]).await;
    let (maintenance, table) = setting.under(&grown(true)).await;
    let replace = async |content: &str, rows: &[(i64, Option<&str>)]| {
        let committed = commit(&setting.committer, &table, WriteMode::Replace, content, &noted(rows)).await;
        committed.unwrap().version()
    };
    assert_eq!(replace("b", &[(3, Some("x")), (4, None)]).await, 1);
    assert_eq!(replace("c", &[(5, Some("y"))]).await, 2);
    let sql = "select id, region, note from market.trades order by id";
    let read = async |rows: &[[&str; 3]]| {
        let lake = Lake::at(setting.lake.root()).await;
        assert_eq!(lake.sql(sql).await, rows);
        assert_eq!(lake.sql("select count(*) from market.trades where note is null").await.len(), 1);
    };

    // Both ways round, rows without the column count as rows without a value.
    let diff = maintenance.diff(setting.name(), 0, 1).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (2, 2));
    let diff = maintenance.diff(setting.name(), 1, 0).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (2, 2));
    assert_eq!(maintenance.restore(setting.name(), 0, None).await.unwrap().made, Some(3));
    read(&[["1", "长春", ""], ["2", "", ""]]).await;
    let diff = maintenance.diff(setting.name(), 0, 3).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (0, 0));
    maintenance.restore(setting.name(), 2, None).await.unwrap();

    // The contract demands the value now: what has none does not come back, and the plan says so too.
    let (maintenance, _) = setting.under(&grown(false)).await;
    for (version, reason) in [
        (0, "its rows have no column `note`, which may not be missing"),
        (1, "rows of it have no value in `note`, which may not be missing"),
    ] {
        let planned = maintenance.plan_restore(setting.name(), version).await.unwrap_err();
        let error = maintenance.restore(setting.name(), version, None).await.unwrap_err();
        let message = format!("version {version} of `market.trades` cannot be restored: {reason}");
        assert_eq!((planned.to_string(), error.to_string()), (message.clone(), message));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let hint = "say `nullable = true` for the column in the table's contract, and restore again";
        assert_eq!(error.hint(), Some(hint));
    }
    assert_eq!(maintenance.restore(setting.name(), 4, None).await.unwrap().made, None);
    read(&[["5", "长春", "y"]]).await;
    let (maintenance, _) = setting.under(&grown(true)).await;
    assert_eq!(maintenance.restore(setting.name(), 1, None).await.unwrap().made, Some(5));
    read(&[["3", "长春", "x"], ["4", "长春", ""]]).await;
}

/// Another tool may do what no load does: demand a value of a column that is new, change its type, or drop it.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_fit_the_log_any_more_is_named() {
    let code = r#"{\"name\":\"code\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}}"#;
    let note = r#"{\"name\":\"note\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}"#;
    let (demanded, number) = (note.replace("true", "false"), code.replace("string", "long"));
    for (from, to, reason, differs) in [
        (note, demanded.as_str(), "its rows have no column `note`, which may not be missing", None),
        (
            code,
            number.as_str(),
            "its column `code` is Utf8, and the table's Int64",
            Some("column `code` is Utf8 in one"),
        ),
        (&format!("{code},"), "", "its column `code` is no longer in the table", None),
    ] {
        let setting = Setting::new().await;
        setting.append("a", &[(1, Some("长春"))]).await;
        let (_, table) = setting.under(&grown(true)).await;
        let rows = noted(&[(2, Some("x"))]);
        commit(&setting.committer, &table, WriteMode::Replace, "b", &rows).await.unwrap();
        setting.rewrite(1, from, to);
        let (maintenance, _) = setting.under(&grown(true)).await;
        let error = maintenance.restore(setting.name(), 0, None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("version 0 of `market.trades` cannot be restored: {reason}"));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        if let Some(differs) = differs {
            let error = maintenance.diff(setting.name(), 0, 1).await.unwrap_err();
            assert!(error.to_string().contains(differs), "{}", error.chain());
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}
