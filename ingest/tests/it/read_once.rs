//! Large new files are read once, and hashed while they are: all that a hash is for stays as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use xiangyun_engine::Result;
use xiangyun_ingest::progress::{Progress, Silent};
use xiangyun_ingest::{Ingest, LoadOptions, LoadOutcome, LoadReport};

use crate::counting_store::CountingStore;
use crate::loads::{Overtaken, TABLE, pipeline};
use crate::workspace::Lake;

/// The mark makes the encoding certain, so that the file is read once.
fn file(rows: &str) -> String {
    format!("\u{feff}id,amount\n{rows}")
}

fn project(pipeline: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let texts = [("tables/t.toml", TABLE), ("pipelines/p.toml", pipeline)];
    for (path, text) in texts.iter().chain(files) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::create_dir_all(folder.path().join("lake")).unwrap();
    folder
}

/// A lake that reads files of any size once.
async fn at(folder: &TempDir) -> Lake {
    once(Lake::at(folder.path()).await)
}

fn once(lake: Lake) -> Lake {
    Lake { ingest: lake.ingest.reading_once_from(1), ..lake }
}

async fn load_with(ingest: &Ingest, progress: impl Progress + 'static) -> Result<LoadReport> {
    ingest.load("trades", &LoadOptions::default(), Arc::new(progress)).await
}

fn sha256(text: &str) -> Option<String> {
    Some(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn hashes(report: &LoadReport) -> Vec<Option<String>> {
    report.run.sources.iter().map(|source| source.sha256.clone()).collect()
}

async fn ids(lake: &Lake) -> Vec<Vec<String>> {
    lake.sql("select id from market.trades order by id").await
}

/// Does something as soon as the files are open and before any row of them is read.
struct BeforeRows<F>(F);

impl<F> std::fmt::Debug for BeforeRows<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BeforeRows")
    }
}

impl<F: Fn() + Send + Sync> Progress for BeforeRows<F> {
    fn step(&self, name: &'static str, _total_bytes: Option<u64>) {
        if name == "reading" {
            (self.0)();
        }
    }

    fn advance(&self, _rows: u64, _bytes: u64) {}
}

/// Does something on the thread that reads, once it has read the first rows.
struct AmongRows<F>(F, AtomicBool);

impl<F> std::fmt::Debug for AmongRows<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AmongRows")
    }
}

impl<F: Fn() + Send + Sync> Progress for AmongRows<F> {
    fn step(&self, _name: &'static str, _total_bytes: Option<u64>) {}

    fn advance(&self, _rows: u64, _bytes: u64) {
        if !self.1.swap(true, Ordering::SeqCst) {
            (self.0)();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_loaded_is_known_by_its_content_whatever_the_mode() {
    for mode in ["append", "replace"] {
        let text = file("1,1\n2,2\n3,x\n");
        let folder = project(&pipeline(mode), &[("data/a.csv", &text)]);
        let lake = at(&folder).await;
        let first = lake.load("trades").await.unwrap();
        assert_eq!((first.outcome, first.run.rows_loaded, first.run.rows_rejected), (LoadOutcome::Loaded, 2, 1));
        assert_eq!((hashes(&first), first.run.sources[0].size_bytes), (vec![sha256(&text)], text.len() as u64));
        let recorded = lake.sql("select sources from system.runs").await;
        assert!(recorded[0][0].contains(&sha256(&text).unwrap()), "{recorded:?}");
        // Again, by another process too, and under another name.
        for lake in [&lake, &at(&folder).await] {
            let again = lake.load("trades").await.unwrap();
            assert_eq!((again.outcome, again.run.version), (LoadOutcome::Unchanged, Some(0)), "{mode}");
            assert_eq!((hashes(&again), again.run.rows_read), (vec![sha256(&text)], 0), "{mode}");
        }
        std::fs::rename(folder.path().join("data/a.csv"), folder.path().join("data/b.csv")).unwrap();
        assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged, "{mode}");
        assert_eq!(lake.sql("select line from system.quarantine").await, [["4"]], "{mode}");
        // Other content of the same size.
        let other = file("5,5\n6,6\n7,y\n");
        assert_eq!(other.len(), text.len());
        std::fs::write(folder.path().join("data/b.csv"), &other).unwrap();
        let second = lake.load("trades").await.unwrap();
        assert_eq!((second.outcome, hashes(&second)), (LoadOutcome::Loaded, vec![sha256(&other)]), "{mode}");
        let expected: &[[&str; 1]] = if mode == "append" { &[["1"], ["2"], ["5"], ["6"]] } else { &[["5"], ["6"]] };
        assert_eq!(ids(&lake).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_files_and_changed_ones_are_told_apart_without_their_hashes() {
    let (a, b) = (file("1,1\n"), file("22,22\n"));
    let stands =
        |policy: &str| pipeline("append").replace("source", &format!("on_changed_file = \"{policy}\"\nsource"));
    for (policy, expected) in [("load", vec!["1", "22", "333"]), ("replace", vec!["22", "333"])] {
        let folder = project(&stands(policy), &[("data/a.csv", &a)]);
        let lake = at(&folder).await;
        let first = lake.load("trades").await.unwrap().run.run_id;
        std::fs::write(folder.path().join("data/b.csv"), &b).unwrap();
        let report = lake.load("trades").await.unwrap();
        assert_eq!(report.run.notes, ["1 of 2 files were loaded before and are left out"]);
        assert_eq!((hashes(&report), report.run.rows_read), (vec![sha256(&b)], 1));
        let changed = file("333,333\n");
        std::fs::write(folder.path().join("data/a.csv"), &changed).unwrap();
        let report = lake.load("trades").await.unwrap();
        assert!(report.run.notes[1].starts_with(&format!("`data/a.csv` has changed since run {first}")), "{policy}");
        assert_eq!(hashes(&report), [sha256(&changed)]);
        assert_eq!(ids(&lake).await.concat(), expected, "{policy}");
        assert_eq!(at(&folder).await.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged, "{policy}");
    }
    let folder = project(&stands("stop"), &[("data/a.csv", &a)]);
    let lake = at(&folder).await;
    lake.load("trades").await.unwrap();
    std::fs::write(folder.path().join("data/a.csv"), &b).unwrap();
    let error = lake.load("trades").await.unwrap_err();
    assert!(error.to_string().starts_with("`data/a.csv` has other content than when run"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_early_has_no_hash_and_one_that_was_judged_has_it() {
    let check = |rule: &str| format!("{}{rule}", pipeline("append"));
    let stop = check("checks = [{ rule = { expression = \"amount > 0\" }, on_fail = \"stop\" }]\n");
    let text = file("1,1\n2,-2\n");
    let folder = project(&stop, &[("data/a.csv", &text)]);
    let lake = at(&folder).await;
    lake.load("trades").await.unwrap_err();
    // The reader may or may not have come to the end: never is there a wrong hash.
    let recorded = lake.sql("select sources from system.runs where status = 'failed'").await;
    let is_right = |hash: &str| recorded[0][0].contains(&format!("\"sha256\":{hash},"));
    assert!(is_right("null") || is_right(&format!("\"{}\"", sha256(&text).unwrap())), "{recorded:?}");

    let folder = project(&check("max_rejected = 0\n"), &[("data/a.csv", &file("1,1\nx,2\n"))]);
    let lake = at(&folder).await;
    lake.load("trades").await.unwrap_err();
    let recorded = lake.sql("select sources, stopped_by from system.runs").await;
    assert!(recorded[0][0].contains(&sha256(&file("1,1\nx,2\n")).unwrap()), "{recorded:?}");
    assert_eq!(recorded[0][1], "max-rejected");

    // Columns that do not fit: nobody read a row.
    let folder = project(&pipeline("append"), &[("data/a.csv", "\u{feff}number,amount\n1,1\n")]);
    let lake = at(&folder).await;
    lake.load("trades").await.unwrap_err();
    let recorded = lake.sql("select sources from system.runs").await;
    assert!(recorded[0][0].contains("\"sha256\":null"), "{recorded:?}");

    let options = LoadOptions { dry_run: true, ..LoadOptions::default() };
    std::fs::write(folder.path().join("data/a.csv"), &text).unwrap();
    let report = lake.ingest.load("trades", &options, Arc::new(Silent)).await.unwrap();
    assert_eq!((report.outcome, hashes(&report)), (LoadOutcome::DryRun, vec![sha256(&text)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_is_lost_is_made_once() {
    for mode in ["append", "replace"] {
        let text = file("1,1\n2,x\n");
        let folder = project(&pipeline(mode), &[("data/a.csv", &text)]);
        let store = CountingStore::default();
        let lake = once(Lake::over(folder.path(), store.storage()).await);
        store.lose_reply("market/trades/_delta_log/00000000000000000000.json");
        let first = lake.load("trades").await.unwrap();
        assert_eq!((first.outcome, first.run.version), (LoadOutcome::Loaded, Some(0)), "{mode}");
        let again = once(Lake::over(folder.path(), store.storage()).await).load("trades").await.unwrap();
        assert_eq!((again.outcome, again.run.version), (LoadOutcome::Unchanged, Some(0)), "{mode}");
        assert_eq!(ids(&lake).await, [["1"]], "{mode}");
        assert_eq!(lake.sql("select count(*) from system.quarantine").await, [["1"]], "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_loads_at_once_load_it_once() {
    for mode in ["append", "replace"] {
        let folder = project(&pipeline(mode), &[("data/a.csv", &file("1,1\n2,x\n"))]);
        let (one, other) = (at(&folder).await, at(&folder).await);
        let (one, other) = tokio::join!(one.load("trades"), other.load("trades"));
        let mut outcomes = [one.unwrap().outcome, other.unwrap().outcome].map(|outcome| format!("{outcome:?}"));
        outcomes.sort();
        assert_eq!(outcomes, ["Loaded", "Unchanged"], "{mode}");
        let lake = at(&folder).await;
        assert_eq!(ids(&lake).await, [["1"]], "{mode}");
        assert_eq!(lake.sql("select count(*) from system.quarantine").await, [["1"]], "{mode}");
    }
    // Another process loads one of the files while this one is about to commit both.
    let (a, b) = (file("1,1\n2,x\n"), file("3,3\n4,y\n5,z\n"));
    let folder = project(&pipeline("append"), &[("data/a.csv", &a), ("data/b.csv", &b)]);
    let lake = at(&folder).await;
    let overtaken = Overtaken { root: folder.path().into(), done: false.into() };
    let report = load_with(&lake.ingest, overtaken).await.unwrap();
    assert_eq!((report.outcome, hashes(&report)), (LoadOutcome::Loaded, vec![sha256(&b)]));
    assert_eq!(ids(&lake).await, [["1"], ["3"]]);
    // It loads all of them: there is nothing left.
    let folder = project(&pipeline("append"), &[("data/a.csv", &a), ("data/b.csv", "")]);
    std::fs::remove_file(folder.path().join("data/b.csv")).unwrap();
    let lake = at(&folder).await;
    let root = folder.path().to_path_buf();
    let other = move || {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                assert_eq!(Lake::at(&root).await.load("trades").await.unwrap().outcome, LoadOutcome::Loaded);
            });
        });
    };
    let report = load_with(&lake.ingest, BeforeRows(other)).await.unwrap();
    assert_eq!((report.outcome, report.run.version), (LoadOutcome::Unchanged, Some(0)));
    assert_eq!(ids(&lake).await, [["1"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_read_is_not_loaded() {
    let rows: String = (0..60_000).map(|id| format!("{id},1.25\n")).collect();
    let text = file(&rows);
    let (same_size, longer) = (text.replacen("7,1.25", "7,9.25", 1), format!("{text}60000,1.25\n"));
    let folder = project(&pipeline("append"), &[("data/a.csv", &text)]);
    let lake = at(&folder).await;
    let path = folder.path().join("data/a.csv");
    let write = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    };
    let refused = |error: xiangyun_engine::Error| {
        assert!(error.to_string().contains("`data/a.csv` changed while it was read"), "{error}");
    };
    for changed in [same_size, longer] {
        let change = || {
            let (path, changed) = (path.clone(), changed.clone());
            move || std::fs::write(&path, &changed).unwrap()
        };
        write(&text);
        refused(load_with(&lake.ingest, BeforeRows(change())).await.unwrap_err());
        write(&text);
        refused(load_with(&lake.ingest, AmongRows(change(), false.into())).await.unwrap_err());
    }
    let statuses = lake.sql("select status, count(*) from system.runs group by status").await;
    assert_eq!(statuses, [["failed", "4"]]);
    // A new file that takes the place of the one that is open is another file.
    write(&text);
    let aside = folder.path().join("next.csv");
    let replace = {
        let path = path.clone();
        move || {
            std::fs::write(&aside, file("1,1\n")).unwrap();
            std::fs::rename(&aside, &path).unwrap();
        }
    };
    let report = load_with(&lake.ingest, AmongRows(replace, false.into())).await.unwrap();
    assert_eq!((report.run.rows_loaded, hashes(&report)), (60_000, vec![sha256(&text)]));
    let report = lake.load("trades").await.unwrap();
    assert_eq!((report.run.rows_loaded, hashes(&report)), (1, vec![sha256(&file("1,1\n"))]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_can_be_made_again() {
    let folder = project(&pipeline("append"), &[("data/a.csv", &file("1,1\n2,2\n"))]);
    let lake = at(&folder).await;
    let first = lake.load("trades").await.unwrap().run.run_id;
    let corrected = file("1,1\n22,22\n");
    std::fs::write(folder.path().join("data/a.csv"), &corrected).unwrap();
    let redo = || async { lake.ingest.redo(&first, &LoadOptions::default(), Arc::new(Silent)).await.unwrap() };
    let again = redo().await;
    assert_eq!(
        (again.outcome, hashes(&again), again.run.rows_deleted),
        (LoadOutcome::Loaded, vec![sha256(&corrected)], 2)
    );
    assert_eq!(redo().await.outcome, LoadOutcome::Unchanged);
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
    assert_eq!(ids(&lake).await, [["1"], ["22"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transform_reads_its_source_twice_or_in_part() {
    let rows: String = (0..30_000).map(|id| format!("{id},1\n")).collect();
    let text = file(&rows);
    let twice = "select id, amount from source where cast(id as bigint) > \
                 (select max(cast(id as bigint)) - 3 from source)";
    for (sql, expected) in [(twice, "3"), ("select id, amount from source limit 2", "2")] {
        let transform = format!("{}transform = {{ sql = \"{sql}\" }}\n", pipeline("replace"));
        let folder = project(&transform, &[("data/a.csv", &text)]);
        let lake = at(&folder).await;
        let report = lake.load("trades").await.unwrap();
        assert_eq!((report.outcome, hashes(&report)), (LoadOutcome::Loaded, vec![sha256(&text)]), "{sql}");
        assert_eq!(lake.sql("select count(*) from market.trades").await, [[expected]], "{sql}");
        assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged, "{sql}");
    }
}
