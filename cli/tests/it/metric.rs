use serde_json::Value;

use crate::support::Project;

#[test]
fn metrics_are_listed() {
    let document: Value = serde_json::from_str(&Project::new().run(["metric", "list", "--json"]).ok()).unwrap();
    let metric = &document["rows"][0];
    assert_eq!((&metric["name"], &metric["kind"]), (&"decisions".into(), &"simple".into()));
    assert_eq!(metric["title"], "许可决定数 / Permit decisions");
    assert_eq!(metric["grains"], "day, working-day, week, month, quarter, year");
}

#[test]
fn a_metric_is_asked_by_dimension_and_grain() {
    let project = Project::loaded();
    let args = ["metric", "query", "decisions", "--by", "channel", "--order=-value", "--json"];
    let document: Value = serde_json::from_str(&project.run(args).ok()).unwrap();
    assert_eq!(document["metric"]["name"], "decisions");
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["channel"], &rows[0]["value"]), (&"online".into(), &"2".into()));
    let args = ["metric", "query", "fees", "--grain", "month", "--to", "2019-03-31", "--where", "channel = 'online'"];
    let shown = project.run(args).ok();
    assert!(shown.contains("2019-03-01") && shown.contains("12.500000"), "{shown}");
    assert!(!shown.contains("2019-04-01"), "{shown}");
}

#[test]
fn what_a_metric_does_not_have_is_refused() {
    let project = Project::loaded();
    assert_ne!(project.run(["metric", "query", "decision"]).code, 0);
    assert_ne!(project.run(["metric", "query", "decisions", "--by", "chanel"]).code, 0);
    project.run(["metric", "query", "decisions", "--grain", "fortnight"]).failed(2);
    project.run(["metric", "query", "decisions", "--grain", "hour"]).failed(2);
    project.run(["metric", "query", "decisions", "--from", "2019-02-30"]).failed(2);
}
