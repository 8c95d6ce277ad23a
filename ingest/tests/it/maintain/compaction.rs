//! Small files are put together.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::file::reader::{FileReader, SerializedFileReader};
use xiangyun_ingest::commit::Committer;
use xiangyun_ingest::maintain::{Pick, Subject};

use super::{Setting, TABLE, trades};
use crate::lake::{append, catalog, count, session_of, text};
use crate::workspace::Lake;

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
    let rows = lake.sql("select count(*), count(distinct id), count(distinct code) from market.trades").await;
    assert_eq!(rows, [["180000", "180000", "180000"]]);
    // The new files follow each other: a range of ids is in one of them.
    let log = fs::read_to_string(lake.root().join("lake/market/trades/_delta_log/00000000000000000012.json")).unwrap();
    let mut files: Vec<(i64, i64, u64)> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["add"].take())
        .filter(|add| add.is_object())
        .map(|add| {
            let stats: serde_json::Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            let id = |bound: &str| stats[bound]["id"].as_i64().unwrap();
            (id("minValues"), id("maxValues"), add["size"].as_u64().unwrap())
        })
        .collect();
    files.sort_unstable();
    assert_eq!((files[0].0, files.last().unwrap().1), (0, 15_000 * 12 - 1));
    assert!(files.windows(2).all(|pair| pair[0].1 < pair[1].0), "{files:?}");
    // All but the last, which has what was left, are of that size.
    let whole = &files[..files.len() - 1];
    assert!(whole.len() >= 3 && whole.iter().all(|file| (780_000..1_200_000).contains(&file.2)), "{files:?}");
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
