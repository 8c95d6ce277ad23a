use serde_json::Value;

use crate::support::Project;

const METRICS: &str = "metrics/permits.toml";
const NAME: &str = "decisions_by_channel_month";
const ROLLUP: &str = "\n[rollups.decisions_by_channel_month]\ndimensions = [\"channel\"]\ngrain = \"month\"\n\
                      measures = [\"cases\"]\n";

/// Adds to the models' file, as an editor does.
fn declare(project: &Project, text: &str) {
    let path = project.path().join(METRICS);
    let before = std::fs::read_to_string(path).unwrap();
    project.write(METRICS, &format!("{before}\n{text}"));
    project.run(["check"]).ok();
}

/// The rows of `rollup list` or `rollup refresh`.
fn rows(project: &Project, args: &[&str]) -> Vec<Value> {
    let text = project.run(["rollup"].iter().chain(args).chain(&["--json"])).ok();
    serde_json::from_str::<Value>(&text).unwrap()["rows"].as_array().unwrap().clone()
}

/// Its state and rows.
fn stand(project: &Project) -> (String, Value) {
    let listed = rows(project, &["list"]);
    assert_eq!((listed.len(), &listed[0]["name"]), (1, &NAME.into()));
    (listed[0]["state"].as_str().unwrap().to_owned(), listed[0]["rows"].clone())
}

/// What a refresh did, and the rows that it wrote.
fn refreshed(project: &Project, args: &[&str]) -> (String, Value) {
    let done = rows(project, &[&["refresh"], args].concat());
    assert_eq!((done.len(), &done[0]["name"]), (1, &NAME.into()));
    (done[0]["outcome"].as_str().unwrap().to_owned(), done[0]["rows_written"].clone())
}

fn told(state: &str, rows: impl Into<Value>) -> (String, Value) {
    (state.to_owned(), rows.into())
}

#[test]
fn a_rollup_is_made_by_hand_then_followed_by_loads_and_answers() {
    let project = Project::loaded();
    declare(&project, ROLLUP);
    assert_eq!(stand(&project), told("not made yet", Value::Null));
    // Online in March and April, and at a window in March.
    assert_eq!(refreshed(&project, &[]), told("rebuilt", "3"));
    assert_eq!(stand(&project), told("current", "3"));
    assert_eq!(refreshed(&project, &[NAME]), told("current", "0"));
    assert_eq!(refreshed(&project, &[NAME, "--anew"]), told("rebuilt", "3"));
    let ask = ["metric", "query", "decisions", "--by", "channel", "--order=-value", "--json"];
    let answer: Value = serde_json::from_str(&project.run(ask).ok()).unwrap();
    assert_eq!(answer["rollups"], serde_json::json!([{"name": NAME, "state": "used"}]));
    let counts: Vec<_> = answer["rows"].as_array().unwrap().iter().map(|row| &row["value"]).collect();
    assert_eq!(counts, ["2", "1"]);
    // A load brings it up to date by itself.
    project.write("data/decisions.csv", "决定编号,受理日期,费用,渠道\n001,2019-03-26,12.5,online\n");
    project.run(["load"]).ok();
    assert_eq!(stand(&project), told("current", "1"));
}

#[test]
fn a_rollup_that_there_is_not_is_refused_and_none_is_no_fault() {
    let project = Project::loaded();
    let run = project.run(["rollup", "refresh"]);
    run.ok();
    assert!(run.stderr.contains("the project has no rollups"), "{}", run.stderr);
    declare(&project, ROLLUP);
    let run = project.run(["rollup", "refresh", "decisions_by_chanel_month", NAME]);
    let message = run.failed(1);
    assert!(message.contains("rollup `decisions_by_chanel_month` was not refreshed"), "{message}");
    assert!(message.contains(&format!("did you mean `{NAME}`?")), "{message}");
    assert_eq!(stand(&project).0, "current", "the other was made all the same");
}

#[cfg(unix)]
#[test]
fn what_a_server_was_asked_is_advised_as_a_rollup_that_can_be_declared_as_it_is_printed() {
    use crate::serve::{end, get, start};

    let project = Project::loaded();
    let advise = || project.run(["metric", "advise", "--min-count", "3"]);
    let run = advise();
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("no question to a metric is in the record of queries"), "{}", run.stderr);
    let (server, url, messages) = start(&project, &[]);
    let address = url.strip_prefix("http://").unwrap();
    for query in ["by=channel&grain=month", "by=channel&grain=quarter", "grain=month&order=-value", "grain=day"] {
        let answer = get(address, &format!("/v1/metrics/decisions?{query}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    end(server, messages);
    let run = project.run(["metric", "advise"]);
    run.ok();
    assert!(run.stderr.contains("there is nothing to propose"), "nothing was asked five times: {}", run.stderr);
    let run = project.run(["metric", "advise", "--min-count", "1"]);
    let proposed = run.ok();
    assert!(run.stderr.contains("questions in the record: 4 questions, "), "{}", run.stderr);
    assert!(proposed.contains("[rollups.decisions_by_channel_month]"), "{proposed}");
    declare(&project, &proposed);
    let run = project.run(["metric", "advise", "--min-count", "1"]);
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("answered by the rollups that are declared: 4 questions, "), "{}", run.stderr);
    let names: Vec<_> = rows(&project, &["refresh"]).iter().map(|done| done["outcome"].clone()).collect();
    assert!(!names.is_empty() && names.iter().all(|outcome| outcome == "rebuilt"), "{names:?}");
}
