use serde_json::Value;

use crate::support::Project;

const ALERT: &str = r#"version = 1
name = "many"
title = { zh = "许可偏多", en = "Many permits" }
metric = "decisions"
by = ["channel"]
rule = { kind = "threshold", above = 1 }
owner = "tests"
"#;

fn with_alert() -> Project {
    let project = Project::loaded();
    project.write("alerts/many.toml", ALERT);
    project
}

fn listed(project: &Project) -> Value {
    let text = project.run(["alert", "list", "--json"]).ok();
    serde_json::from_str::<Value>(&text).unwrap()["rows"][0].clone()
}

#[test]
fn an_alert_is_tried_without_being_remembered_and_watched_by_run() {
    let project = with_alert();
    let test: Value = serde_json::from_str(&project.run(["alert", "test", "many", "--json"]).ok()).unwrap();
    let rows: Vec<_> = test["rows"].as_array().unwrap().iter().map(|row| (&row["group"], &row["verdict"])).collect();
    assert!(rows.contains(&(&"channel=online".into(), &"firing".into())), "{test}");
    assert_eq!(rows.len(), 2);
    assert_eq!((&listed(&project)["status"], &listed(&project)["rule"]), (&"never".into(), &"高于 1 / above 1".into()));
    let run = project.run(["run", "--once"]);
    run.ok();
    assert!(run.stderr.contains("alert `many`: firing for channel=online: 2 (above 1)"), "{}", run.stderr);
    assert_eq!((&listed(&project)["status"], &listed(&project)["firing"]), (&"firing".into(), &"1".into()));
    let again = project.run(["run", "--once"]);
    again.ok();
    assert_eq!(again.stderr, "");
}

#[test]
fn a_faulty_alert_is_told_by_check_and_an_unknown_one_is_refused() {
    let project = with_alert();
    assert!(project.run(["alert", "test", "mny"]).failed(1).contains("did you mean `many`?"));
    project.write("alerts/many.toml", &ALERT.replace("\"channel\"", "\"chanel\""));
    let run = project.run(["check"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout().contains("alerts/many.toml:5:7"), "{}", run.stdout());
}
