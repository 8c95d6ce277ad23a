//! `xiangyun table optimize`, `vacuum`, `restore` and `diff`.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::Project;

const HEADER: &str = "决定编号,受理日期,费用,渠道\n";
const PIPELINE: &str = r#"version = 1
name = "decisions"
table = "permits.decisions"
source = { kind = "csv", path = "data/decisions.csv" }
columns = { decision_no = "决定编号", filed_on = "受理日期", fee = "费用", channel = "渠道" }
mode = "append"
"#;

/// A table that was loaded `times` times, a row each.
fn grown(times: usize, settings: &str) -> Project {
    let project = Project::new();
    project.write("xiangyun.toml", &format!("version = 1\n{settings}"));
    project.write("pipelines/decisions.toml", PIPELINE);
    for time in 0..times {
        project.write("data/decisions.csv", &format!("{HEADER}长审〔2026〕{time}号,2026-01-05,1.50,网上\n"));
        project.run(["load", "-q"]).ok();
    }
    project
}

fn data_files(project: &Project) -> Vec<std::path::PathBuf> {
    let folder = project.path().join("lake/permits/decisions");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

fn rows(project: &Project) -> String {
    project.run(["sql", "-c", "select count(*) as rows from permits.decisions"]).ok()
}

#[test]
fn small_files_are_put_together_when_asked() {
    let project = grown(3, "[maintain]\noptimize = false\n");
    let plan = project.run(["table", "optimize", "permits.decisions", "--dry-run"]);
    assert!(plan.ok().contains("permits.decisions,3,") && data_files(&project).len() == 3, "{}", plan.stdout());
    let done = project.run(["table", "optimize", "permits.decisions"]).ok();
    let line = done.lines().nth(1).unwrap().split(',').collect::<Vec<_>>();
    assert_eq!((line[0], line[1], line[3], line[6]), ("permits.decisions", "3", "1", "3"), "{done}");
    assert_eq!(rows(&project), "rows\n3\n");
    assert!(project.run(["table", "optimize"]).ok().contains("_xiangyun/runs,3,"));
    assert!(project.run(["table", "optimize", "permits.decision"]).failed(1).contains("declares no table"));
}

#[test]
fn loads_put_small_files_together_unless_told_not_to() {
    let project = grown(8, "");
    assert!(project.run(["table", "list"]).ok().contains(",8,1,"), "eight rows are in one file");
    let project = grown(8, "[maintain]\noptimize = false\n");
    assert!(project.run(["table", "list"]).ok().contains(",8,8,"), "eight rows are in eight files");
}

#[test]
fn a_vacuum_shows_its_plan_and_asks() {
    let project = grown(3, "[maintain]\noptimize = false\n");
    project.run(["table", "optimize", "permits.decisions"]).ok();
    let name = "permits.decisions";
    // Nothing is old enough.
    assert!(project.run(["table", "vacuum", name, "--yes"]).ok().contains("permits.decisions,0,0,"));
    let orphan = project.path().join("lake/permits/decisions/part-orphan.parquet");
    fs::write(&orphan, b"PAR1").unwrap();
    age(&orphan, 9);
    let run = project.run(["table", "vacuum", name]);
    assert!(run.failed(2).contains("no terminal to ask at"), "{}", run.stderr);
    assert!(run.stderr.contains("part-orphan.parquet of "), "the plan is shown first: {}", run.stderr);
    let run = project.run(["table", "vacuum", name, "--dry-run"]);
    assert!(run.ok().contains("permits.decisions,1,4,") && orphan.exists(), "{}", run.stdout());
    assert!(run.stderr.contains("nothing was removed: this is the plan"), "{}", run.stderr);
    project.run(["table", "vacuum", name, "--yes"]).ok();
    assert!(!orphan.exists() && data_files(&project).len() == 4);
    let run = project.run(["table", "vacuum", name, "--retention", "12h", "--yes"]);
    assert!(run.failed(2).contains("a retention of 12 hours is less than a day"), "{}", run.stderr);
    project.run(["table", "vacuum", name, "--retention", "soon"]).failed(2);
    for file in data_files(&project) {
        age(&file, 9);
    }
    project.run(["table", "vacuum", name, "--retention", "0h", "--unsafe-retention", "--yes"]).ok();
    assert_eq!((data_files(&project).len(), rows(&project)), (1, "rows\n3\n".into()));
}

#[test]
fn a_version_is_restored_and_compared() {
    let project = grown(3, "[maintain]\noptimize = false\n");
    let name = "permits.decisions";
    let run = project.run(["table", "restore", name, "--version", "0"]);
    assert!(run.failed(2).contains("no terminal to ask at"), "{}", run.stderr);
    assert!(run.stderr.contains("0 rows in 0 files come back, 2 rows in 2 files go"), "{}", run.stderr);
    assert_eq!(rows(&project), "rows\n3\n");
    let done = project.run(["table", "restore", name, "--version", "0", "--yes"]).ok();
    assert_eq!(done.lines().nth(1).unwrap(), "permits.decisions,0,2,0,2,3");
    assert_eq!(rows(&project), "rows\n1\n");
    let counts = project.run(["table", "diff", name, "2", "3"]).ok();
    assert_eq!(counts.lines().nth(1).unwrap(), "permits.decisions,2,3,0,2,0,2");
    let shown = project.run(["table", "diff", name, "2", "3", "--list"]).ok();
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.starts_with("_change,_count,") && shown.contains("removed,1,长审〔2026〕1号"), "{shown}");
    let run = project.run(["table", "diff", name, "2", "9"]);
    assert!(run.failed(1).contains("`permits.decisions` has no version 9"), "{}", run.stderr);
    let history = project.run(["table", "history", name]).ok();
    assert!(history.lines().nth(1).unwrap().contains("RESTORE,table restore,"), "{history}");
}
