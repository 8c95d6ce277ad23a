//! A load is killed at any moment and run again: exact rows, none twice, none lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use xiangyun_ingest::failpoint;

use xiangyun_ingest::LoadOptions;
use xiangyun_ingest::progress::Silent;

use crate::loads::{TABLE, pipeline};
use crate::workspace::Lake;

const ROOT: &str = "KILL_TEST_ROOT";
/// The run that the process makes again, where it is not to load.
const REDO: &str = "KILL_TEST_REDO";
/// Good rows, and rows that end in quarantine.
const ROWS: usize = 20_000;
const BAD: usize = 50;

/// The process that is killed; it does nothing unless a test names a project.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other side of the kill test"]
async fn child() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    // A file that begins with a mark is read once, and hashed while it is.
    let ingest = Lake::at(Path::new(&root)).await.ingest.reading_once_from(1);
    match std::env::var(REDO) {
        Ok(run) => ingest.redo(&run, &LoadOptions::default(), Arc::new(Silent)).await.unwrap(),
        Err(_) => ingest.load("trades", &LoadOptions::default(), Arc::new(Silent)).await.unwrap(),
    };
}

fn spawn(root: &Path, failpoint: Option<&str>, log: &Path) -> std::process::Child {
    spawn_to(root, failpoint, log, None)
}

fn spawn_to(root: &Path, failpoint: Option<&str>, log: &Path, redo: Option<&str>) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child", "--ignored"]).env(ROOT, root).env("XIANGYUN_FAILPOINT_LOG", log);
    if let Some(name) = failpoint {
        command.env("XIANGYUN_FAILPOINT", name);
    }
    if let Some(run) = redo {
        command.env(REDO, run);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn write_project(root: &Path, mark: &str) {
    let mut text = format!("{mark}id,amount\n");
    for id in 0..ROWS {
        text.push_str(&format!("{id},1.25\n"));
    }
    for bad in 0..BAD {
        text.push_str(&format!("x{bad},1\n"));
    }
    let pipeline = pipeline("append");
    let files = [("tables/t.toml", TABLE), ("pipelines/p.toml", &pipeline), ("data/a.csv", &text)];
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(root.join("lake")).unwrap();
}

/// Runs the load to its end after a kill, and counts.
async fn check(root: &Path, after: &str) {
    let lake = Lake::at(root).await;
    lake.load("trades").await.unwrap();
    let rows = lake.sql("select count(*), count(distinct id), sum(amount) from market.trades").await;
    assert_eq!(rows, [[ROWS.to_string(), ROWS.to_string(), "25000.00".to_owned()]], "after {after}");
    let bad = lake.sql("select count(*), count(distinct line), min(line) from system.quarantine").await;
    assert_eq!(bad, [[BAD.to_string(), BAD.to_string(), (ROWS + 2).to_string()]], "after {after}");
    let runs = lake.sql("select count(*) from system.runs where status = 'succeeded'").await;
    assert_eq!(runs, [["1"]], "after {after}");
}

/// Numbers of a fixed seed (xorshift), so that a failure can be repeated.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_load_is_repeated_exactly() {
    let marks = ["", "\u{feff}"];
    for (name, mark) in failpoint::NAMES.into_iter().flat_map(|name| marks.map(|mark| (name, mark))) {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), mark);
        let log = folder.path().join("reached");
        let status = spawn(folder.path(), Some(name), &log).wait().unwrap();
        assert!(!status.success(), "the load was not killed at {name}");
        let reached = fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(reached.lines().last(), Some(name), "{name} was never hit");
        check(folder.path(), name).await;
    }
    let kills: u64 = std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let mut seed = 20_190_326;
    for kill in failpoint::NAMES.len() as u64..kills {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), marks[kill as usize % 2]);
        let millis = next(&mut seed) % 700;
        let mut child = spawn(folder.path(), None, &folder.path().join("reached"));
        std::thread::sleep(Duration::from_millis(millis));
        // An error here means that the load had ended already, which is a moment like any other.
        let _ = child.kill();
        child.wait().unwrap();
        check(folder.path(), &format!("kill {kill} at {millis} ms")).await;
    }
}

/// All names that a load reaches that writes files anew.
fn rewriting() -> impl Iterator<Item = &'static str> {
    failpoint::NAMES.into_iter().chain(failpoint::REWRITE_NAMES)
}

/// A project with one loaded file, and what the next load of it has to do.
async fn loaded(root: &Path, mode: &str, then: &str) -> String {
    write_project(root, "");
    fs::write(root.join("pipelines/p.toml"), pipeline("append").replace("\"append\"", mode)).unwrap();
    fs::write(root.join("data/a.csv"), "id,amount\n1,1\n2,1\n3,1\nx,1\n").unwrap();
    let run = Lake::at(root).await.load("trades").await.unwrap().run;
    fs::write(root.join("data/a.csv"), then).unwrap();
    run.run_id
}

fn kill_at(root: &Path, name: &str, redo: Option<&str>) {
    let log = root.join("reached");
    let status = spawn_to(root, Some(name), &log, redo).wait().unwrap();
    assert!(!status.success(), "the load was not killed at {name}");
    let reached = fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(reached.lines().last(), Some(name), "{name} was never hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upsert_is_repeated_exactly() {
    for name in rewriting() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        loaded(root, "{ upsert = {} }", "id,amount\n2,5\n3,5\n4,5\ny,1\n").await;
        kill_at(root, name, None);
        let lake = Lake::at(root).await;
        // Before it is repeated the table is as it was, or as it will be.
        let between = lake.sql("select id, amount from market.trades order by id").await;
        let (before, after) = (
            vec![["1", "1.00"], ["2", "1.00"], ["3", "1.00"]],
            vec![["1", "1.00"], ["2", "5.00"], ["3", "5.00"], ["4", "5.00"]],
        );
        assert!(between == before || between == after, "after {name}: {between:?}");
        lake.load("trades").await.unwrap();
        assert_eq!(lake.sql("select id, amount from market.trades order by id").await, after, "after {name}");
        let bad = lake.sql("select raw from system.quarantine where reason = 'TYPE' order by raw").await;
        assert_eq!(bad.len(), 2, "after {name}: {bad:?}");
        let runs = "select rows_loaded, rows_updated from system.runs where status = 'succeeded' order by started_at";
        assert_eq!(lake.sql(runs).await, [["3", "0"], ["3", "2"]], "after {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redo_is_repeated_exactly() {
    for name in rewriting() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let run = loaded(root, "\"append\"", "id,amount\n1,5\n4,5\ny,1\n").await;
        kill_at(root, name, Some(&run));
        let lake = Lake::at(root).await;
        let between = lake.sql("select id, amount from market.trades order by id").await;
        let (before, after) = (vec![["1", "1.00"], ["2", "1.00"], ["3", "1.00"]], vec![["1", "5.00"], ["4", "5.00"]]);
        assert!(between == before || between == after, "after {name}: {between:?}");
        lake.ingest.redo(&run, &LoadOptions::default(), Arc::new(Silent)).await.unwrap();
        assert_eq!(lake.sql("select id, amount from market.trades order by id").await, after, "after {name}");
        let runs = "select rows_loaded, rows_deleted from system.runs where status = 'succeeded' order by started_at";
        assert_eq!(lake.sql(runs).await, [["3", "0"], ["2", "3"]], "after {name}");
    }
}
