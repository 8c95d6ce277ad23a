use crate::support::Project;

#[test]
fn a_rejected_row_is_listed_exported_corrected_and_replayed_once() {
    let project = Project::loaded();
    let listed = project.run(["quarantine", "list", "--format", "csv"]).ok();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("data/decisions.csv,4,"), "{listed}");
    project.run(["quarantine", "export", "--pipeline", "decisions", "-o", "rejected.csv"]).ok();
    let bytes = std::fs::read(project.path().join("rejected.csv")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("\u{feff}quarantine_run,quarantine_number,"), "{text}");
    assert!(text.contains("not a day"), "{text}");
    project.write("rejected.csv", &text.replace("not a day", "2019-03-28"));
    let outcome = |run: &crate::support::Run| {
        run.ok();
        let document: serde_json::Value = serde_json::from_slice(&run.bytes).unwrap();
        document["rows"][0]["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(&project.run(["quarantine", "replay", "rejected.csv", "--dry-run", "--json"])), "dry run");
    assert_eq!(outcome(&project.run(["quarantine", "replay", "rejected.csv", "--json"])), "loaded");
    let again = project.run(["quarantine", "replay", "rejected.csv", "--json"]);
    assert_eq!(outcome(&again), "unchanged");
    assert!(again.stderr.contains("1 of the rows were taken up by run"), "{}", again.stderr);
    let count = project.run(["sql", "-c", "select count(*) as n from permits.decisions"]).ok();
    assert_eq!(count, "n\n4\n");
    assert_eq!(project.run(["quarantine", "list", "--format", "csv"]).ok().lines().count(), 1);
    assert_eq!(project.run(["quarantine", "list", "--all", "--format", "csv"]).ok().lines().count(), 2);
}

#[test]
fn filters_and_mistakes() {
    let project = Project::loaded();
    let rows = |args: &[&str]| {
        let args = ["quarantine", "list", "--format", "csv"].iter().chain(args);
        project.run(args).ok().lines().count() - 1
    };
    assert_eq!(rows(&["--reason", "TYPE"]) + rows(&["--reason", "NOT_NULL"]), 1);
    assert_eq!(rows(&["--since", "2020-01-01"]), 1);
    assert_eq!(rows(&["--since", "2999-01-01"]), 0);
    assert_eq!(rows(&["--pipeline", "it's none"]), 0);
    let run = project.run(["quarantine", "export", "--run", "none"]);
    assert!(run.failed(1).contains("no rejected row is like that"), "{}", run.stderr);
    let run = project.run(["quarantine", "replay", "data/decisions.csv"]);
    assert!(run.failed(2).contains("has no column `quarantine_run`"), "{}", run.stderr);
    project.run(["quarantine", "replay"]).failed(2);
}
