use crate::support::{Project, finish};

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_defaults() {
    let project = Project::new();
    let show = ["config", "show", "--origin", "--set", "limits.max_rows=7"];
    let mut command = project.command(show);
    let run = finish(command.env("XIANGYUN_LIMITS_MAX_ROWS", "8").env("XIANGYUN_LIMITS_SQL_BYTES", "9000"));
    let shown = run.ok();
    assert!(shown.contains("limits.max_rows,7,flag --set\n"), "{shown}");
    assert!(shown.contains("limits.sql_bytes,9000,environment XIANGYUN_LIMITS_SQL_BYTES\n"), "{shown}");
    assert!(shown.contains("limits.timeout_seconds,60,xiangyun.toml:3\n"), "{shown}");
    assert!(shown.contains("server.listen,127.0.0.1:8080,default\n"), "{shown}");
    assert!(shown.contains("/lake,default\n"), "{shown}");
}

#[test]
fn a_secret_is_never_printed() {
    let project = Project::new();
    let mut command = project.command(["config", "show", "--origin", "--format", "json"]);
    let run = finish(command.env("XIANGYUN_STORAGE_SECRET_ACCESS_KEY", "hunter2"));
    assert!(run.ok().contains("********"), "{}", run.stdout());
    assert!(!run.stdout().contains("hunter2") && !run.stderr.contains("hunter2"));
    let run = project.run(["config", "show", "--set", "storage.secret_access_key=hunter2"]);
    assert!(run.failed(2).contains("XIANGYUN_STORAGE_SECRET_ACCESS_KEY"), "{}", run.stderr);
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_name() {
    let project = Project::new();
    project.write("xiangyun.toml", "version = 1\n[limits]\ntimeout_second = 60\n");
    let run = project.run(["config", "show"]);
    let message = run.failed(1);
    assert!(message.contains("unknown key `timeout_second`, did you mean `timeout_seconds`?"), "{message}");
    assert!(message.contains("--> xiangyun.toml:3:1"), "{message}");
    assert!(message.contains("^^^^^^^^^^^^^^"), "{message}");
}

#[test]
fn a_slip_in_a_variable_is_told() {
    let run = finish(Project::new().command(["config", "show"]).env("XIANGYUN_STORGE_URL", "file:///x"));
    run.ok();
    assert!(
        run.stderr.contains("XIANGYUN_STORGE_URL is unknown, did you mean XIANGYUN_STORAGE_URL?"),
        "{}",
        run.stderr
    );
}
