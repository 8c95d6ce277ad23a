//! How rows enter tables, mode by mode: what stays, what goes, and what is said of it.

use std::collections::BTreeSet;
use std::path::Path;

use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_ingest::{Declarations, LoadOutcome};

use crate::loads::TABLE;
use crate::workspace::Lake;

fn pipeline(mode: &str, extra: &str) -> String {
    format!(
        "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = {mode}\n{extra}\n\
         source = {{ kind = \"csv\", path = \"data/*.csv\" }}\n"
    )
}

async fn open(table: &str, mode: &str, extra: &str, text: &str) -> Lake {
    let pipeline = pipeline(mode, extra);
    Lake::open(&[
        ("tables/t.toml", table.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("data/a.csv", text.as_bytes()),
    ])
    .await
}

/// The data files that the table's folder holds.
fn files(root: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root.join("lake/market/trades")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".parquet")).collect()
}

/// The data files that rows are read from.
async fn live(lake: &Lake) -> BTreeSet<String> {
    let plan = lake.sql("explain select * from market.trades").await.concat().join("\n");
    files(lake.root()).into_iter().filter(|name| plan.contains(name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_leaves_files_without_its_keys_alone() {
    let lake = open(TABLE, "{ upsert = {} }", "", "id,amount\n1,1\n2,1\n").await;
    lake.load("trades").await.unwrap();
    let first = live(&lake).await;
    lake.write("data/a.csv", b"id,amount\n100,1\n101,1\n");
    lake.load("trades").await.unwrap();
    let second: BTreeSet<_> = live(&lake).await.difference(&first).cloned().collect();
    assert_eq!(second.len(), 1);
    // 50 lies between the files' keys, 101 in the second one.
    lake.write("data/a.csv", b"id,amount\n50,5\n101,5\n101,6\n");
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_duplicate, run.rows_updated), (2, 1, 1));
    let now = live(&lake).await;
    assert!(first.is_subset(&now) && second.is_disjoint(&now), "{first:?} {second:?} {now:?}");
    let rows = lake.sql("select id, amount, _line from market.trades order by id").await;
    let expected =
        [["1", "1.00", "2"], ["2", "1.00", "3"], ["50", "5.00", "2"], ["100", "1.00", "2"], ["101", "6.00", "4"]];
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_is_upserted_once_and_earlier_rows_are_left_out() {
    let table = TABLE.replace("columns = [", "columns = [ { name = \"seen\", type = \"timestamp\" },");
    let mode = "{ upsert = { sequence = \"seen\" } }";
    let march = "id,seen,amount\n1,2019-03-26 10:00,1\n2,2019-03-26 10:00,1\n";
    let lake = open(&table, mode, "", march).await;
    lake.load("trades").await.unwrap();
    let again = lake.load("trades").await.unwrap();
    assert_eq!((again.outcome, again.run.version), (LoadOutcome::Unchanged, Some(0)));
    lake.write("data/a.csv", b"id,seen,amount\n1,2019-03-26 09:59,7\n2,2019-03-26 10:00,8\n3,2019-01-01,9\n");
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_duplicate, run.rows_updated), (1, 2, 0));
    assert_eq!(run.notes, ["2 rows left out: the table has the same or a later `seen`"]);
    let rows = lake.sql("select id, amount from market.trades order by id").await;
    assert_eq!(rows, [["1", "1.00"], ["2", "1.00"], ["3", "9.00"]]);
    let notes = lake.sql(&format!("select notes from system.runs where run_id = '{}'", run.run_id)).await;
    assert_eq!(notes, [["2 rows left out: the table has the same or a later `seen`"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_rejected_take_no_place() {
    let lake = open(TABLE, "{ upsert = {} }", "", "id,amount\n1,1\n").await;
    lake.load("trades").await.unwrap();
    lake.write("data/a.csv", b"id,amount\n1,x\n,5\n2,2\n");
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (3, 1, 2));
    assert_eq!(lake.sql("select id, amount from market.trades order by id").await, [["1", "1.00"], ["2", "2.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_no_longer_declared_keeps_its_values() {
    let wide = TABLE.replace("columns = [", "columns = [ { name = \"old\", type = \"text\", nullable = true },");
    let lake = open(&wide, "{ upsert = {} }", "", "id,amount,old\n1,1,kept\n2,1,kept too\n").await;
    lake.load("trades").await.unwrap();
    lake.write("tables/t.toml", TABLE.as_bytes());
    lake.write("data/a.csv", b"id,amount\n2,5\n");
    Lake::at(lake.root()).await.load("trades").await.unwrap();
    let rows = lake.sql("select id, amount, old from market.trades order by id").await;
    assert_eq!(rows, [["1", "1.00", "kept"], ["2", "5.00", ""]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_there_are_told() {
    let lake = open(TABLE, "\"delete\"", "", "id\n1\n3\n9\n9\n").await;
    lake.write(
        "pipelines/add.toml",
        pipeline("\"append\"", "").replace("\"trades\"", "\"add\"").replace("*.csv", "rows/*.csv").as_bytes(),
    );
    std::fs::create_dir_all(lake.root().join("data/rows")).unwrap();
    lake.write("data/rows/a.csv", b"id,amount\n1,1\n2,1\n3,1\n");
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    lake.load("add").await.unwrap();
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_deleted), (4, 4, 2));
    assert_eq!(run.notes, ["1 of 3 keys are not in the table"]);
    assert_eq!(lake.sql("select id from market.trades").await, [["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_that_do_not_fit_the_contract_are_refused_offline() {
    let keyless = TABLE.replace("primary_key = [\"id\"]\n", "");
    let cases = [
        (&keyless[..], "{ upsert = {} }", "", "`market.trades` has no primary key, by which this mode finds rows"),
        (
            TABLE,
            "{ upsert = { sequence = \"amount\" } }",
            "",
            "`amount` may be missing, and a row without it is neither earlier nor later",
        ),
        (TABLE, "{ upsert = { sequence = \"seen\" } }", "", "`market.trades` has no column `seen`"),
        (TABLE, "\"replace-partition\"", "", "`market.trades` has no partitions"),
        (
            TABLE,
            "{ upsert = {} }",
            "duplicates = \"warn\"",
            "this mode decides itself which of two rows with the same key stays",
        ),
        (TABLE, "\"replace\"", "on_changed_file = \"replace\"", "only `append` asks whether a file has changed"),
        (
            TABLE,
            "{ history = { valid_from = \"id\", valid_to = \"amount\" } }",
            "",
            "`market.trades` has no date or timestamp column `id`",
        ),
    ];
    for (table, mode, extra, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("tables/t.toml", table), ("pipelines/p.toml", &pipeline(mode, extra))] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut diagnostics = Diagnostics::default();
        let project = Project::load(folder.path(), &mut diagnostics);
        Declarations::load(&project, &mut diagnostics);
        let messages: Vec<_> = diagnostics.iter().map(|fault| fault.message.clone()).collect();
        assert!(messages.iter().any(|message| message == expected), "{mode}: {messages:?}");
    }
}
