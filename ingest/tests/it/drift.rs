//! Files whose columns are not those of the files before them.

use xiangyun_ingest::LoadOutcome;

use crate::workspace::Lake;

const TABLE: &str = r#"version = 1
name = "market.days"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "日报", en = "days" }
description = { zh = "日报", en = "days" }
primary_key = ["id"]
columns = [
    { name = "id", type = "int64" },
    { name = "amount", type = "decimal(10,2)", nullable = true },
]
"#;

fn pipeline(extra: &str) -> String {
    format!(
        "version = 1\nname = \"days\"\ntable = \"market.days\"\nmode = \"append\"\n\
         source = {{ kind = \"csv\", path = \"data/*.csv\" }}\n{extra}\n"
    )
}

async fn open(extra: &str, files: &[(&str, &str)]) -> Lake {
    let pipeline = pipeline(extra);
    let mut all = vec![("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes())];
    all.extend(files.iter().map(|(path, text)| (*path, text.as_bytes())));
    Lake::open(&all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_daily_files_whose_columns_grew_half_way() {
    const FILES: usize = 3000;
    let lake = open("schema = \"evolve\"", &[]).await;
    std::fs::create_dir(lake.root().join("data")).unwrap();
    for day in 0..FILES {
        let id = 2 * day;
        let text = if day < FILES / 2 {
            format!("id,amount\n{id},1.50\n{},2\n", id + 1)
        } else {
            // The new columns stand before and between the old ones.
            format!("渠道,id,note,amount\n网上,{id},,1.50\n窗口,{},n{day},2\n", id + 1)
        };
        lake.write(&format!("data/{day:05}.csv"), text.as_bytes());
    }
    let report = lake.load("days").await.unwrap();
    let run = &report.run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (6000, 6000, 0), "{:?}", run.notes);
    assert_eq!(run.version, Some(0), "one commit");
    let files = lake.sql("select files from system.tables where schema_name = 'market' and table_name = 'days'").await;
    assert_eq!(files, [["1"]], "thousands of files do not become thousands of files");
    let notes = run.notes.join("\n");
    assert!(notes.contains("1500 of 3000 files have these columns, `data/01500.csv` the first"), "{notes}");
    assert!(notes.contains("columns that the contract does not have are kept: `渠道`, `note`"), "{notes}");
    let sums = "select count(*), sum(amount), count(\"渠道\"), count(note), min(id), max(id) from market.days";
    assert_eq!(lake.sql(sums).await, [["6000", "10500.00", "3000", "1500", "0", "5999"]]);
    let one = "select amount, \"渠道\", note from market.days where id = 5999";
    assert_eq!(lake.sql(one).await, [["2.00", "窗口", "n2999"]]);
    assert_eq!(lake.sql("select count(*) from market.days where id < 3000 and note is null").await, [["3000"]]);
    assert!(lake.sql("select notes from system.runs").await[0][0].contains("`渠道`"));
    assert_eq!(lake.load("days").await.unwrap().outcome, LoadOutcome::Unchanged);
    // The next day's file is one more version, and the only one that is read.
    lake.write("data/03000.csv", "渠道,id,note,amount\n网上,6000,n,1\n".as_bytes());
    let run = lake.load("days").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.version), (1, 1, Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_comes_later_is_added_and_one_that_goes_is_missing() {
    let lake = open("schema = \"evolve\"", &[("data/1.csv", "id,amount\n1,1\n")]).await;
    lake.load("days").await.unwrap();
    lake.write("data/2.csv", b"note,id\nx,2\n");
    let notes = lake.load("days").await.unwrap().run.notes.join("\n");
    assert!(notes.contains("columns of the source are new since run"), "{notes}");
    assert!(notes.contains("columns are added to the table: `note`"), "{notes}");
    // By then the source no longer has the column anywhere.
    std::fs::remove_file(lake.root().join("data/2.csv")).unwrap();
    std::fs::remove_file(lake.root().join("data/1.csv")).unwrap();
    lake.write("data/3.csv", b"id,note\n3,y\n");
    let notes = lake.load("days").await.unwrap().run.notes.join("\n");
    assert!(notes.contains("no file has these columns, which have no values: `amount`"), "{notes}");
    let rows = lake.sql("select id, amount, note from market.days order by id").await;
    assert_eq!(rows, [["1", "1.00", ""], ["2", "", "x"], ["3", "", "y"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_columns_fail_the_load_unless_the_pipeline_says_what_becomes_of_them() {
    let files = [("data/1.csv", "id,amount\n1,1\n"), ("data/2.csv", "id,amount,note\n2,2,x\n")];
    for extra in ["", "schema = \"stop\""] {
        let lake = open(extra, &files).await;
        let error = lake.load("days").await.unwrap_err().chain();
        assert!(error.contains("`data/2.csv` has a column `note` and `data/1.csv` has none"), "{error}");
    }
    let lake = open("schema = \"freeze\"", &files).await;
    let notes = lake.load("days").await.unwrap().run.notes.join("\n");
    assert!(notes.contains("columns that the contract does not have are left out: `note`"), "{notes}");
    assert_eq!(lake.sql("select * from market.days order by id").await, [["1", "1.00"], ["2", "2.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_stop_the_columns_stay_those_of_the_last_load() {
    let lake = open("schema = \"stop\"", &[("data/1.csv", "id,amount\n1,1\n")]).await;
    lake.load("days").await.unwrap();
    std::fs::remove_file(lake.root().join("data/1.csv")).unwrap();
    // Another order is no change.
    lake.write("data/2.csv", b"amount,id\n2,2\n");
    lake.load("days").await.unwrap();
    std::fs::remove_file(lake.root().join("data/2.csv")).unwrap();
    lake.write("data/3.csv", b"amount,id,note\n3,3,x\n");
    let error = lake.load("days").await.unwrap_err();
    assert!(error.chain().contains("new since run") && error.chain().contains("`note`"), "{}", error.chain());
    assert_eq!(error.kind(), xiangyun_engine::ErrorKind::DataQuality);
    assert_eq!(lake.sql("select * from market.days order by id").await, [["1", "1.00"], ["2", "2.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_may_not_be_missing_stops_the_load_in_every_policy() {
    for policy in ["evolve", "freeze"] {
        let extra = format!("schema = \"{policy}\"");
        let lake = open(&extra, &[("data/1.csv", "id,amount\n1,1\n"), ("data/2.csv", "amount\n2\n")]).await;
        let error = lake.load("days").await.unwrap_err().chain();
        assert!(error.contains("`data/2.csv` has no column `id`, and `id` may not be missing"), "{error}");
        let lake = open(&extra, &[("data/1.csv", "number,amount\n1,1\n")]).await;
        let error = lake.load("days").await.unwrap_err().chain();
        assert!(error.contains("there is no column `id`"), "{error}");
        // A file of something else altogether is not a table of missing values.
        let lake = open(&extra, &[("data/1.csv", "x,y\n1,1\n")]).await;
        assert!(lake.load("days").await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_column_is_one_column() {
    let extra = "columns = { amount = \"金额\" }\nrenamed = { \"金额\" = \"款项\" }";
    let files = [("data/1.csv", "id,款项\n1,1\n"), ("data/2.csv", "金额,id\n2,2\n")];
    let lake = open(extra, &files).await;
    let report = lake.load("days").await.unwrap();
    assert!(report.run.notes.iter().any(|note| note == "column `款项` is read as `金额`"), "{:?}", report.run.notes);
    let rows = lake.sql("select id, amount from market.days order by id").await;
    assert_eq!(rows, [["1", "1.00"], ["2", "2.00"]]);
    let lake = open(extra, &[("data/1.csv", "id,款项,金额\n1,1,2\n")]).await;
    let error = lake.load("days").await.unwrap_err().chain();
    assert!(error.contains("a file has both `款项` and `金额`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_table_could_have_are_left_out() {
    let text = "id,amount,ID,_run,a b,ok\n1,1,2,3,4,5\n";
    let lake = open("schema = \"evolve\"", &[("data/1.csv", text)]).await;
    let notes = lake.load("days").await.unwrap().run.notes.join("\n");
    assert!(notes.contains("are left out: `ID`, `_run`, `a b`"), "{notes}");
    assert_eq!(lake.sql("select * from market.days").await, [["1", "1.00", "5"]]);
}
