use crate::support::Project;

fn schedule(project: &Project, schedule: &str) {
    let pipeline = std::fs::read_to_string(project.path().join("pipelines/decisions.toml")).unwrap();
    project.write("pipelines/decisions.toml", &format!("{pipeline}\n[schedule]\n{schedule}\n"));
}

#[test]
fn what_is_due_runs_once() {
    let project = Project::new();
    schedule(&project, "cron = \"0 6 * * *\"");
    let plan = project.run(["run", "--plan", "--json"]).ok();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["rows"][0]["schedule"], "0 6 * * * Asia/Shanghai");
    assert!(plan["rows"][0]["next"].as_str().unwrap().contains("T22:00:00"), "six in China is 22 UTC: {plan}");
    assert_eq!(plan["rows"][0]["last_started"], serde_json::Value::Null);
    let first = project.run(["run", "--once"]);
    first.ok();
    assert!(first.stderr.contains("pipeline `decisions`: 3 rows loaded, 1 rejected"), "{}", first.stderr);
    let again = project.run(["run", "--once"]);
    again.ok();
    assert_eq!(again.stderr, "");
    let runs = project.run(["sql", "-c", "select pipeline, trigger from system.runs"]).ok();
    assert_eq!(runs, "pipeline,trigger\ndecisions,schedule\n");
}

#[test]
fn a_failure_ends_with_its_code_and_is_told() {
    let project = Project::new();
    schedule(&project, "cron = \"0 6 * * *\"");
    project.write("data/decisions.csv", "");
    let run = project.run(["run", "--once"]);
    assert!(run.failed(5).contains("pipeline `decisions` failed"), "{}", run.stderr);
}

#[test]
fn a_faulty_schedule_is_told_by_check_with_its_place() {
    let project = Project::new();
    schedule(&project, "cron = \"0 6 * *\"");
    let run = project.run(["check"]);
    assert_eq!(run.code, 1);
    let told = run.stdout();
    assert!(told.contains("`0 6 * *` is no schedule: it does not have five fields"), "{told}");
    assert!(told.contains("pipelines/decisions.toml:"), "{told}");
}

#[test]
fn without_a_schedule_it_says_where_one_goes() {
    let run = Project::new().run(["run", "--once"]);
    run.ok();
    assert!(run.stderr.contains("no pipeline has a schedule"), "{}", run.stderr);
}
