//! A million rows in bounded memory. Ignored: it takes minutes in a debug build, and measures its whole process.
//!
//! `cargo test … --test it a_million_rows -- --ignored --nocapture --test-threads 1`, one test a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xiangyun_ingest::LoadOptions;
use xiangyun_ingest::progress::Progress;

use super::servers::Database;
use super::{column, contract};

const ROWS: u32 = 1_000_000;

/// The process's highest use of memory so far, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Remembers the peak at which the database had been read and left.
#[derive(Debug, Default)]
struct Peak(AtomicU64);

impl Progress for Peak {
    fn step(&self, name: &'static str, _: Option<u64>) {
        if name == "reading" {
            self.0.store(peak_mb(), Ordering::Relaxed);
        }
    }

    fn advance(&self, _: u64, _: u64) {}
}

async fn load(database: &Database, kind: &str) {
    let columns = [column("id", "int64"), column("amount", "decimal(20,4)"), column("name", "text")].concat();
    let source = format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\"");
    let lake = database.project(&contract(&columns, ""), &source, "\"replace\"").await;
    let (begun, before, peak) = (std::time::Instant::now(), peak_mb(), Arc::new(Peak::default()));
    let progress: Arc<dyn Progress> = peak.clone();
    let run = lake.ingest.load("staff", &LoadOptions::default(), progress).await.unwrap().run;
    let (seconds, spooled) = (begun.elapsed().as_secs_f64(), peak.0.load(Ordering::Relaxed));
    eprintln!(
        "{kind}: {} rows in {seconds:.1} s, peak {before} MB before, {spooled} MB once read, {} MB once loaded",
        run.rows_loaded,
        peak_mb()
    );
    let sums = "select count(*), sum(id), sum(amount), sum(char_length(name)) from";
    let theirs = database.row(&format!("{sums} staff")).await;
    assert_eq!(lake.sql(&format!("{sums} hr.staff")).await[0], theirs);
    assert_eq!(theirs[0], ROWS.to_string());
    // A batch is about 1 MB, and all rows are 100.
    assert!(spooled > 0 && spooled < before + 32, "{before} MB became {spooled} MB");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and measures its whole process"]
async fn a_million_rows_of_postgres() {
    let setup = format!(
        "CREATE TABLE staff AS SELECT n AS id, (n * 7919 % 1000003) / 4.0::numeric(20,4) AS amount, \
         '吉林省长春市朝阳区第' || n || '号 ' || md5(n::text) AS name FROM generate_series(1::bigint, {ROWS}) n; \
         ALTER TABLE staff ALTER amount TYPE numeric(20,4);"
    );
    let Some(database) = Database::postgres("a_million_rows_of_postgres", &setup).await else { return };
    load(&database, "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and measures its whole process"]
async fn a_million_rows_of_mariadb() {
    let setup = format!(
        "CREATE TABLE staff (id BIGINT, amount DECIMAL(20,4), name VARCHAR(100) CHARACTER SET utf8mb4);\n\
         INSERT INTO staff SELECT seq, (seq * 7919 % 1000003) / 4, \
         CONCAT('吉林省长春市朝阳区第', seq, '号 ', MD5(seq)) FROM seq_1_to_{ROWS};\n"
    );
    let Some(database) = Database::mariadb("a_million_rows_of_mariadb", &setup).await else { return };
    load(&database, "mysql").await;
}
