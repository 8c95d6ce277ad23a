//! Loads of small files: what is loaded, what is not, and that nothing happens twice.

use xiangyun_ingest::{LoadOptions, LoadOutcome};

use crate::workspace::Lake;

pub(crate) const TABLE: &str = r#"version = 1
name = "market.trades"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "交易", en = "trades" }
description = { zh = "交易", en = "trades" }
primary_key = ["id"]
columns = [
    { name = "id", type = "int64" },
    { name = "amount", type = "decimal(10,2)", nullable = true },
]
"#;

pub(crate) fn pipeline(mode: &str) -> String {
    format!(
        "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = \"{mode}\"\n\
         source = {{ kind = \"csv\", path = \"data/*.csv\" }}\n"
    )
}

async fn open(mode: &str, text: &str) -> Lake {
    let pipeline = pipeline(mode);
    let files = [
        ("tables/t.toml", TABLE.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("data/a.csv", text.as_bytes()),
    ];
    Lake::open(&files).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_appended_once_and_rejected_rows_are_named() {
    let lake = open("append", "id,amount\n1,10.50\n2,x\n1,3\n3\n4,\n").await;
    let report = lake.load("trades").await.unwrap();
    let run = &report.run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected, run.rows_duplicate), (5, 2, 3, 0));
    let quarantine = "select line, reason from system.quarantine order by line";
    assert_eq!(lake.sql(quarantine).await, [["3", "TYPE"], ["4", "DUPLICATE"], ["5", "FIELD_COUNT"]]);
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
    assert_eq!(lake.sql("select count(*), sum(amount) from market.trades").await, [["2", "10.50"]]);
    assert_eq!(lake.sql(quarantine).await.len(), 3);
    // Other content under the same name is other content.
    lake.write("data/a.csv", b"id,amount\n9,1\n");
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Loaded);
    assert_eq!(lake.sql("select id from market.trades order by id").await, [["1"], ["4"], ["9"]]);
    let statuses = lake.sql("select status, count(*) from system.runs group by status order by status").await;
    assert_eq!(statuses, [["succeeded", "2"], ["unchanged", "1"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_load_leaves_the_table_and_says_why() {
    let lake = open("replace", "id,amount\n1,1\n").await;
    lake.load("trades").await.unwrap();
    for (text, expected) in [
        ("", "source file `data/a.csv` is empty: not even a header line"),
        ("number,amount\n1,1\n", "there is no column `id`; there are: number, amount"),
    ] {
        lake.write("data/a.csv", text.as_bytes());
        let error = lake.load("trades").await.unwrap_err();
        assert!(error.chain().contains(expected), "{}", error.chain());
        assert_eq!(lake.sql("select id from market.trades").await, [["1"]]);
        let recorded = lake.sql("select error from system.runs where status = 'failed' order by started_at desc").await;
        assert!(recorded[0][0].contains(expected), "{recorded:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_writes_nothing() {
    let lake = open("replace", "id,amount\n1,1\nx,1\n").await;
    let options = LoadOptions { dry_run: true, ..LoadOptions::default() };
    let report =
        lake.ingest.load("trades", &options, std::sync::Arc::new(xiangyun_ingest::progress::Silent)).await.unwrap();
    assert_eq!(report.outcome, LoadOutcome::DryRun);
    assert_eq!((report.run.rows_loaded, report.rejects.len()), (1, 1));
    let written = std::fs::read_dir(lake.root().join("lake")).unwrap().count();
    assert_eq!(written, 0, "the lake's folder stays empty");
}

/// Lets another load go first, when this one is about to commit.
#[derive(Debug)]
pub(crate) struct Overtaken {
    pub(crate) root: std::path::PathBuf,
    pub(crate) done: std::sync::atomic::AtomicBool,
}

impl xiangyun_ingest::progress::Progress for Overtaken {
    fn step(&self, name: &'static str, _total_bytes: Option<u64>) {
        if name != "committing" || self.done.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        let (second, aside) = (self.root.join("data/b.csv"), self.root.join("b.csv"));
        std::fs::rename(&second, &aside).unwrap();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let other = Lake::at(&self.root).await;
                assert_eq!(other.load("trades").await.unwrap().outcome, LoadOutcome::Loaded);
            });
        });
        std::fs::rename(aside, second).unwrap();
    }

    fn advance(&self, _rows: u64, _bytes: u64) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_load_reads_again_and_keeps_what_it_rejects() {
    let lake = open("append", "id,amount\n1,1\n2,x\n").await;
    lake.write("data/b.csv", b"id,amount\n3,3\n4,y\n5,z\n");
    let progress = std::sync::Arc::new(Overtaken { root: lake.root().into(), done: false.into() });
    let report = lake.ingest.load("trades", &LoadOptions::default(), progress).await.unwrap();
    assert_eq!(report.outcome, LoadOutcome::Loaded);
    assert_eq!((report.run.rows_read, report.run.rows_loaded, report.run.rows_rejected), (3, 1, 2));
    assert_eq!(lake.sql("select id from market.trades order by id").await, [["1"], ["3"]]);
    let rejected = lake.sql("select file, line from system.quarantine order by file, line").await;
    assert_eq!(rejected, [["data/a.csv", "3"], ["data/b.csv", "3"], ["data/b.csv", "4"]]);
    let runs = lake.sql("select run_id, rows_rejected from system.runs order by rows_rejected").await;
    assert_eq!(runs.iter().map(|run| run[1].as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_ne!(runs[0][0], runs[1][0]);
}
