use serde_json::Value;

use crate::support::{Project, Run};

fn row(run: &Run) -> Value {
    run.ok();
    let document: Value = serde_json::from_slice(&run.bytes).unwrap();
    document["rows"][0].clone()
}

#[test]
fn a_load_tells_what_became_of_each_row() {
    let project = Project::new();
    let run = project.run(["load", "--json"]);
    let row = row(&run);
    assert_eq!(row["table"], "permits.decisions");
    assert_eq!(row["outcome"], "loaded");
    assert_eq!(
        (&row["rows_read"], &row["rows_loaded"], &row["rows_rejected"]),
        (&"4".into(), &"3".into(), &"1".into())
    );
    assert!(run.stderr.contains("data/decisions.csv:4"), "the rejected row by file and line: {}", run.stderr);
}

#[test]
fn loading_the_same_again_does_nothing_and_says_so() {
    let project = Project::loaded();
    let again = project.run(["load", "--json"]);
    assert_eq!(row(&again)["outcome"], "unchanged");
    let count = project.run(["sql", "-c", "select count(*) as n from permits.decisions"]).ok();
    assert_eq!(count, "n\n3\n");
}

#[test]
fn a_dry_run_commits_nothing() {
    let project = Project::new();
    assert_eq!(row(&project.run(["load", "--dry-run", "--json"]))["outcome"], "dry run");
    assert_eq!(row(&project.run(["load", "--json"]))["outcome"], "loaded");
}

#[test]
fn an_unknown_pipeline_is_refused_before_anything_runs() {
    let project = Project::new();
    let run = project.run(["load", "decisions", "decisons"]);
    assert!(run.failed(2).contains("no pipeline `decisons`, did you mean `decisions`?"), "{}", run.stderr);
    assert!(!project.path().join("lake/permits").exists());
}

#[test]
fn a_load_that_its_checks_stop_ends_with_the_code_of_data_quality() {
    let project = Project::new();
    let check = "\n[[checks]]\ncolumn = \"channel\"\nrule = { one-of = [\"online\"] }\non_fail = \"stop\"\n";
    let path = project.path().join("pipelines/decisions.toml");
    let pipeline = std::fs::read_to_string(path).unwrap() + check;
    project.write("pipelines/decisions.toml", &pipeline);
    let run = project.run(["load"]);
    assert!(run.failed(5).contains("pipeline `decisions` failed"), "{}", run.stderr);
    assert!(run.stdout().contains("failed"), "{}", run.stdout());
    // Nothing is in the table, and the run's record says which row of which file it was.
    let sql = "select status, rows_loaded, error like '%line % of `data/decisions.csv`%' as says from system.runs";
    assert_eq!(project.run(["sql", "-c", sql]).ok(), "status,rows_loaded,says\nfailed,0,true\n");
    let state = project.run(["table", "show", "permits.decisions"]);
    assert!(state.stderr.contains("version: never loaded"), "{}", state.stderr);
}

#[test]
fn a_missing_file_is_named() {
    let project = Project::new();
    std::fs::remove_file(project.path().join("data/decisions.csv")).unwrap();
    let run = project.run(["load"]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("data/decisions.csv"), "{}", run.stderr);
}
