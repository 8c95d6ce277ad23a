//! Files that come again, changed or not, and runs that are made again.

use std::sync::Arc;

use xiangyun_engine::ErrorKind;
use xiangyun_ingest::progress::Silent;
use xiangyun_ingest::{LoadOptions, LoadOutcome, LoadReport};

use crate::loads::TABLE;
use crate::workspace::Lake;

async fn open(mode: &str, extra: &str, files: &[(&str, &str)]) -> Lake {
    let pipeline = format!(
        "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = {mode}\n{extra}\n\
         source = {{ kind = \"csv\", path = \"data/*.csv\" }}\n"
    );
    let mut all: Vec<(&str, &[u8])> =
        vec![("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes())];
    all.extend(files.iter().map(|(path, text)| (*path, text.as_bytes())));
    Lake::open(&all).await
}

async fn redo(lake: &Lake, run: &str) -> xiangyun_engine::Result<LoadReport> {
    lake.ingest.redo(run, &LoadOptions::default(), Arc::new(Silent)).await
}

async fn rows(lake: &Lake) -> Vec<Vec<String>> {
    lake.sql("select id, amount, _file from market.trades order by id, amount").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_beside_loaded_ones_is_added_alone() {
    let lake = open("\"append\"", "", &[("data/a.csv", "id,amount\n1,1\n")]).await;
    lake.load("trades").await.unwrap();
    lake.write("data/b.csv", b"id,amount\n2,2\n");
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.sources.len()), (1, 1));
    assert_eq!(run.notes, ["1 of 2 files were loaded before and are left out"]);
    assert_eq!(rows(&lake).await, [["1", "1.00", "data/a.csv"], ["2", "2.00", "data/b.csv"]]);
    // Renamed it is still the same content.
    std::fs::rename(lake.root().join("data/a.csv"), lake.root().join("data/c.csv")).unwrap();
    let again = lake.load("trades").await.unwrap();
    assert_eq!((again.outcome, again.run.version), (LoadOutcome::Unchanged, Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_added_with_a_warning_unless_the_pipeline_says_otherwise() {
    let lake = open("\"append\"", "", &[("data/a.csv", "id,amount\n1,1\n")]).await;
    let first = lake.load("trades").await.unwrap().run.run_id;
    lake.write("data/a.csv", b"id,amount\n1,9\n");
    let report = lake.load("trades").await.unwrap();
    assert_eq!((report.run.warnings, report.warnings[0].reason.as_str()), (1, "FILE_CHANGED"));
    assert_eq!(
        report.run.notes,
        [format!("`data/a.csv` has changed since run {first}: its rows are added to those of before")]
    );
    assert_eq!(rows(&lake).await, [["1", "1.00", "data/a.csv"], ["1", "9.00", "data/a.csv"]]);

    let lake = open("\"append\"", "on_changed_file = \"stop\"", &[("data/a.csv", "id,amount\n1,1\n")]).await;
    let first = lake.load("trades").await.unwrap().run.run_id;
    lake.write("data/a.csv", b"id,amount\n1,9\n");
    let error = lake.load("trades").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataQuality);
    assert_eq!(error.to_string(), format!("`data/a.csv` has other content than when run {first} loaded it"));
    assert_eq!(rows(&lake).await, [["1", "1.00", "data/a.csv"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_file_takes_the_place_of_its_rows() {
    let files = [("data/a.csv", "id,amount\n1,1\n2,1\n"), ("data/b.csv", "id,amount\n3,1\n")];
    let lake = open("\"append\"", "on_changed_file = \"replace\"", &files).await;
    lake.load("trades").await.unwrap();
    lake.write("data/a.csv", b"id,amount\n1,5\n");
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_deleted), (1, 1, 2));
    assert_eq!(rows(&lake).await, [["1", "5.00", "data/a.csv"], ["3", "1.00", "data/b.csv"]]);
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
    // The first content comes again: it is what the file says now.
    lake.write("data/a.csv", files[0].1.as_bytes());
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_deleted), (2, 1));
    let expected = [["1", "1.00", "data/a.csv"], ["2", "1.00", "data/a.csv"], ["3", "1.00", "data/b.csv"]];
    assert_eq!(rows(&lake).await, expected);
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_pipelines_rows_of_a_file_of_that_name_stay() {
    let files = [("data/a.csv", "id,amount\n1,1\n")];
    let lake = open("\"append\"", "on_changed_file = \"replace\"", &files).await;
    let other = "version = 1\nname = \"other\"\ntable = \"market.trades\"\nmode = \"append\"\n\
                 source = { kind = \"csv\", path = \"data/a.csv\" }\n";
    lake.write("pipelines/other.toml", other.as_bytes());
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    lake.load("other").await.unwrap();
    lake.load("trades").await.unwrap();
    lake.write("data/a.csv", b"id,amount\n7,7\n");
    assert_eq!(lake.load("trades").await.unwrap().run.rows_deleted, 1);
    assert_eq!(rows(&lake).await, [["1", "1.00", "data/a.csv"], ["7", "7.00", "data/a.csv"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_find_the_same_new_files_load_them_once() {
    let lake = open("\"append\"", "", &[("data/a.csv", "id,amount\n1,1\n")]).await;
    lake.load("trades").await.unwrap();
    for round in 0..4 {
        lake.write(&format!("data/n{round}.csv"), format!("id,amount\n{},1\n", 10 + round).as_bytes());
        let mut loads = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let other = Lake::at(lake.root()).await;
            loads.spawn(async move { other.load("trades").await.unwrap().outcome });
        }
        let outcomes = loads.join_all().await;
        let loaded = outcomes.iter().filter(|outcome| **outcome == LoadOutcome::Loaded).count();
        assert_eq!(loaded, 1, "{outcomes:?}");
    }
    assert_eq!(lake.sql("select count(*), count(distinct id) from market.trades").await, [["5", "5"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_made_again_takes_its_rows_out_and_loads_its_files() {
    let lake = open("\"append\"", "", &[("data/a.csv", "id,amount\n1,1\n2,1\n")]).await;
    let first = lake.load("trades").await.unwrap().run.run_id;
    lake.write("data/b.csv", b"id,amount\n3,1\n");
    lake.load("trades").await.unwrap();
    lake.write("data/a.csv", b"id,amount\n1,5\n");
    let report = redo(&lake, &first).await.unwrap();
    let run = &report.run;
    assert_eq!((run.rows_loaded, run.rows_deleted, run.redo_of.as_deref()), (1, 2, Some(first.as_str())));
    assert_eq!(rows(&lake).await, [["1", "5.00", "data/a.csv"], ["3", "1.00", "data/b.csv"]]);
    let recorded = lake.sql("select run_id, redo_of from system.runs where redo_of is not null").await;
    assert_eq!(recorded, [[run.run_id.clone(), first.clone()]]);
    // The same again, and a load of the same files, are no-ops that say so.
    assert_eq!(redo(&lake, &first).await.unwrap().outcome, LoadOutcome::Unchanged);
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
    // With other content it is the later run that has to be made again.
    lake.write("data/a.csv", b"id,amount\n1,6\n");
    let error = redo(&lake, &first).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.hint()),
        (ErrorKind::Conflict, Some(&*format!("make that one again: `xiangyun load --redo {}`", run.run_id)))
    );
    redo(&lake, &run.run_id).await.unwrap();
    assert_eq!(rows(&lake).await, [["1", "6.00", "data/a.csv"], ["3", "1.00", "data/b.csv"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_made_again_takes_out_keys_that_are_gone() {
    let lake = open("{ upsert = {} }", "", &[("data/a.csv", "id,amount\n1,1\n")]).await;
    lake.load("trades").await.unwrap();
    lake.write("data/a.csv", b"id,amount\n2,2\n3,3\n");
    let second = lake.load("trades").await.unwrap().run.run_id;
    lake.write("data/a.csv", b"id,amount\n3,4\n1,9\n");
    let run = redo(&lake, &second).await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_updated, run.rows_deleted), (2, 1, 2));
    assert_eq!(rows(&lake).await, [["1", "9.00", "data/a.csv"], ["3", "4.00", "data/a.csv"]]);
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_made_again_says_why() {
    let lake = open("\"append\"", "", &[("data/a.csv", "id,amount\n1,1\n"), ("data/b.csv", "id,amount\n2,1\n")]).await;
    let first = lake.load("trades").await.unwrap().run.run_id;
    let error = redo(&lake, "nothing").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "no table that a pipeline loads has rows of a run `nothing`")
    );
    std::fs::remove_file(lake.root().join("data/b.csv")).unwrap();
    let error = redo(&lake, &first).await.unwrap_err();
    let expected = format!(
        "run {first} cannot be made again: `data/b.csv`, which it loaded, is no longer among the source's files"
    );
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, expected));
    assert_eq!(rows(&lake).await.len(), 2);
}
