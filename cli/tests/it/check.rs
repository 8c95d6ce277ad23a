use serde_json::Value;

use crate::support::Project;

#[test]
fn a_sound_project_has_nothing_on_standard_output() {
    let run = Project::new().run(["check"]);
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("is sound: 0 errors, 0 warnings"), "{}", run.stderr);
}

#[test]
fn faults_of_all_files_are_told_at_once_with_line_caret_and_hint() {
    let project = Project::new();
    project.write("xiangyun.toml", "version = 1\n[server]\nlisten = \"nowhere\"\n");
    project.write("metrics/typo.toml", "version = 1\ntabel = \"permits.decisions\"\n");
    let pipeline = "version = 1\nname = \"p\"\ntable = \"permits.absent\"\nmode = \"replace\"\n\
                    source = { kind = \"csv\", path = \"data/decisions.csv\" }\n";
    project.write("pipelines/other.toml", pipeline);
    let run = project.run(["check"]);
    run.failed(1);
    let found = run.stdout();
    assert!(found.contains("xiangyun.toml:3:10"), "{found}");
    assert!(found.contains("unknown key `tabel`, did you mean `table`?"), "{found}");
    assert!(found.contains("metrics/typo.toml:2:1"), "{found}");
    assert!(found.contains("2 | tabel = \"permits.decisions\"\n"), "{found}");
    assert!(found.contains("| ^^^^^\n"), "{found}");
    assert!(found.contains("pipelines/other.toml:3:"), "{found}");
    assert!(run.stderr.contains("errors, "), "{}", run.stderr);
}

#[test]
fn faults_can_be_read_by_machines() {
    let project = Project::new();
    project.write("metrics/typo.toml", "version = 1\ntabel = \"permits.decisions\"\n");
    let run = project.run(["check", "--json"]);
    run.failed(1);
    let found: Value = serde_json::from_slice(&run.bytes).unwrap();
    let row = found["rows"].as_array().unwrap().iter().find(|row| row["line"] == "2").unwrap();
    assert_eq!(row["file"], "metrics/typo.toml");
    assert_eq!((&row["column"], &row["severity"]), (&Value::from("1"), &Value::from("error")));
}

#[test]
fn a_faulty_project_is_not_used() {
    let project = Project::new();
    project.write("metrics/typo.toml", "version = 1\ntabel = \"permits.decisions\"\n");
    let run = project.run(["sql", "-c", "select 1"]);
    assert!(run.failed(1).contains("metrics/typo.toml:2:1"), "{}", run.stderr);
    assert_eq!(run.stdout(), "");
}
