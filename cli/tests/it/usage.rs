use std::io::Read;
use std::process::Stdio;

use crate::support::{Project, binary, finish};

#[test]
fn version_and_help_go_to_standard_output() {
    let run = finish(binary().arg("--version"));
    assert_eq!(run.ok(), format!("xiangyun {}\n", env!("CARGO_PKG_VERSION")));
    let help = finish(binary().arg("--help")).ok();
    for verb in ["demo", "init", "check", "load", "sql", "table", "metric", "serve", "config", "completions"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}:\n{help}");
    }
}

#[test]
fn a_slip_in_a_verb_or_flag_is_a_usage_error_with_a_suggestion() {
    let run = finish(binary().arg("chek"));
    assert!(run.failed(2).contains("'check'"), "{}", run.stderr);
    assert_eq!(run.stdout(), "");
    let run = finish(binary().args(["load", "--dryrun"]));
    assert!(run.failed(2).contains("--dry-run"), "{}", run.stderr);
}

#[test]
fn without_a_project_the_message_says_how_to_get_one() {
    let empty = tempfile::tempdir().unwrap();
    let run = finish(binary().current_dir(empty.path()).args(["sql", "-c", "select 1"]));
    assert!(run.failed(2).contains("no xiangyun.toml in this folder or any above it"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: ") && run.stderr.contains("--project DIR"), "{}", run.stderr);
    let run = finish(binary().args(["check", "--project"]).arg(empty.path()));
    assert!(run.failed(2).contains("has no xiangyun.toml"), "{}", run.stderr);
}

#[test]
fn a_project_is_found_from_a_folder_below_and_by_variable() {
    let project = Project::new();
    let below = project.path().join("data");
    let run = finish(project.command(["config", "show"]).current_dir(&below));
    assert!(run.ok().contains("limits.timeout_seconds,60"), "{}", run.stdout());
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = project.command(["config", "show"]);
    let run = finish(command.current_dir(elsewhere.path()).env("XIANGYUN_PROJECT", project.path()));
    assert!(run.ok().contains("limits.timeout_seconds,60"), "{}", run.stdout());
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = finish(binary().args(["completions", shell])).ok();
        assert!(script.contains("xiangyun") && script.contains("metric"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let project = Project::loaded();
    let sql = "select a.value as x from generate_series(1, 3000000) a";
    let mut command = project.command(["sql", "--format", "csv", "-c", sql]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap(); // and closes the pipe
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
