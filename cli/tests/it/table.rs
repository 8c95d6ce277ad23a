use serde_json::Value;

use crate::support::Project;

#[test]
fn tables_are_listed_with_their_state() {
    let project = Project::loaded();
    let document: Value = serde_json::from_str(&project.run(["table", "list", "--json"]).ok()).unwrap();
    let tables = document["rows"].as_array().unwrap();
    let table = tables.iter().find(|table| table["name"] == "permits.decisions").unwrap();
    assert_eq!((&table["kind"], &table["rows"], &table["version"]), (&"table".into(), &"3".into(), &"0".into()));
    assert_eq!((&table["title"], &table["synthetic"]), (&"许可决定 / Permit decisions".into(), &"no".into()));
}

#[test]
fn a_table_shows_contract_and_columns() {
    let project = Project::loaded();
    let run = project.run(["table", "show", "permits.decisions"]);
    assert!(run.ok().contains("fee,\"decimal(38,6)\",no,no,CNY,"), "{}", run.stdout());
    assert!(run.stderr.contains("某市行政审批局") && run.stderr.contains("primary key: decision_no"), "{}", run.stderr);
}

#[test]
fn history_tells_the_run_of_each_version() {
    let project = Project::loaded();
    let document: Value =
        serde_json::from_str(&project.run(["table", "history", "permits.decisions", "--json"]).ok()).unwrap();
    let commit = &document["rows"][0];
    assert_eq!((&commit["pipeline"], &commit["rows_loaded"]), (&"decisions".into(), &"3".into()));
    assert_eq!(commit["sources"], "data/decisions.csv");
}

/// Data of years ago are overdue whatever day it is.
#[test]
fn an_overdue_table_is_shown_and_told_of_once() {
    let project = Project::new();
    assert_eq!(project.run(["table", "freshness"]).ok().lines().count(), 1, "nothing is promised");
    let path = project.path().join("tables/permits.decisions.toml");
    let promise = "freshness = { period = \"daily\", column = \"filed_on\" }\n\n[[columns]]";
    let contract = std::fs::read_to_string(path).unwrap().replacen("[[columns]]", promise, 1);
    project.write("tables/permits.decisions.toml", &contract);
    let states = |code| {
        let run = project.run(["table", "freshness", "--json"]);
        assert_eq!(run.code, code, "{}", run.stderr);
        let document: Value = serde_json::from_str(&run.stdout()).unwrap();
        document["rows"][0].clone()
    };
    assert_eq!(states(0)["state"], "NO_DATA");
    project.run(["load"]).ok();
    let row = states(5);
    assert_eq!(
        (&row["table"], &row["state"], &row["synthetic"]),
        (&"permits.decisions".into(), &"STALE".into(), &"no".into())
    );
    let message = row["message"].as_str().unwrap();
    assert!(message.contains(row["data_date"].as_str().unwrap()), "{message}");
    let told = project.run(["run", "--once"]);
    assert!(told.failed(5).contains(message), "{}", told.stderr);
    assert_eq!(project.run(["run", "--once"]).ok(), "", "it is told of once");
}

#[test]
fn a_preview_has_the_first_rows() {
    let project = Project::loaded();
    let shown = project.run(["table", "preview", "permits.decisions", "--limit", "2"]).ok();
    assert_eq!(shown.lines().count(), 3, "{shown}");
}

#[test]
fn a_table_that_does_not_exist_is_named() {
    let project = Project::loaded();
    let run = project.run(["table", "show", "permits.decision"]);
    assert!(run.failed(1).contains("permits.decision"), "{}", run.stderr);
    project.run(["table", "show", "nodot"]).failed(2);
}
