//! A load is killed at any moment and run again: exact rows, none twice, none lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use xiangyun_ingest::failpoint;

use crate::loads::{TABLE, pipeline};
use crate::workspace::Lake;

const ROOT: &str = "KILL_TEST_ROOT";
/// Good rows, and rows that end in quarantine.
const ROWS: usize = 20_000;
const BAD: usize = 50;

/// The process that is killed; it does nothing unless a test names a project.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other side of the kill test"]
async fn child() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    Lake::at(Path::new(&root)).await.load("trades").await.unwrap();
}

fn spawn(root: &Path, failpoint: Option<&str>, log: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child", "--ignored"]).env(ROOT, root).env("XIANGYUN_FAILPOINT_LOG", log);
    if let Some(name) = failpoint {
        command.env("XIANGYUN_FAILPOINT", name);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn write_project(root: &Path) {
    let mut text = String::from("id,amount\n");
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
    for name in failpoint::NAMES {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path());
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
        write_project(folder.path());
        let millis = next(&mut seed) % 700;
        let mut child = spawn(folder.path(), None, &folder.path().join("reached"));
        std::thread::sleep(Duration::from_millis(millis));
        // An error here means that the load had ended already, which is a moment like any other.
        let _ = child.kill();
        child.wait().unwrap();
        check(folder.path(), &format!("kill {kill} at {millis} ms")).await;
    }
}
