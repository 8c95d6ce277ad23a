use crate::support::Project;

const COUNT: &str = "select count(*) as n from permits.decisions";

#[test]
fn a_statement_comes_from_a_flag_a_file_or_standard_input() {
    let project = Project::loaded();
    assert_eq!(project.run(["sql", "-c", COUNT]).ok(), "n\n3\n");
    project.write("q.sql", &format!("-- how many; really\n{COUNT};\n"));
    assert_eq!(project.run(["sql", "-f", "q.sql"]).ok(), "n\n3\n");
    assert_eq!(project.run_with_input(["sql"], COUNT).ok(), "n\n3\n");
}

#[test]
fn statements_run_in_their_order_up_to_the_first_that_fails() {
    let project = Project::loaded();
    let run = project.run_with_input(["sql"], "select 1 as a; select 'x;y' as b; select nothing; select 4 as d");
    run.failed(3);
    assert_eq!(run.stdout(), "a\n1\n\nb\nx;y\n");
}

#[test]
fn commands_of_the_shell_work_in_scripts_too() {
    let project = Project::loaded();
    let tables = project.run(["sql", "-c", "\\dt"]).ok();
    assert!(tables.starts_with("name,kind,"), "{tables}");
    assert!(tables.contains("permits.decisions"), "{tables}");
    for spelled in ["\\dt\n", ".tables", "  \\d;\n"] {
        assert_eq!(project.run_with_input(["sql"], spelled).ok(), tables, "{spelled}");
    }
    assert!(project.run(["sql", "-c", "\\d permits.decisions"]).ok().contains("decision_no"));
    project.write("q.sql", &format!("{COUNT};\n\\dt\n.mode json\nselect 1 as a; \\q\nselect nothing;\n"));
    let out = project.run(["sql", "-f", "q.sql"]).ok();
    assert!(out.starts_with(&format!("n\n3\n\n{tables}")), "{out}");
    assert!(out.contains("\"a\"") && !out.contains("nothing"), "{out}");
    assert!(project.run_with_input(["sql"], "\\timing\nselect 1 as a;").stderr.contains("time: "));
}

#[test]
fn a_command_that_there_is_not_ends_a_script() {
    let project = Project::loaded();
    let run = project.run_with_input(["sql"], "select 1 as a;\n\\dx\nselect 2 as b;");
    assert!(run.failed(3).contains("unknown command `\\dx`"), "{}", run.stderr);
    assert_eq!(run.stdout(), "a\n1\n");
    project.run(["sql", "-c", "\\d permits.absent"]).failed(3);
}

#[test]
fn an_error_shows_its_line_with_a_caret() {
    let project = Project::loaded();
    project.write("q.sql", "select 1 as a;\nselect decision_no,\n       chanel\nfrom permits.decisions;\n");
    let run = project.run(["sql", "-f", "q.sql"]);
    let message = run.failed(3);
    assert!(message.contains("q.sql:3:8"), "{message}");
    assert!(message.contains(" 3 |        chanel\n"), "{message}");
    assert!(message.contains("|        ^^^^^^\n"), "{message}");
}

#[test]
fn a_statement_that_does_not_parse_is_an_sql_error() {
    let project = Project::loaded();
    project.run(["sql", "-c", "selec 1"]).failed(3);
    project.run(["sql", "-c", "select * from permits.absent"]).failed(3);
}

#[test]
fn queries_do_not_write() {
    let project = Project::loaded();
    for statement in
        ["drop table permits.decisions", "set datafusion.execution.batch_size = 1", "delete from permits.decisions"]
    {
        project.run(["sql", "-c", statement]).failed(3);
    }
    assert_eq!(project.run(["sql", "-c", COUNT]).ok(), "n\n3\n");
}

#[test]
fn parameters_are_bound() {
    let project = Project::loaded();
    let sql = "select decision_no from permits.decisions where channel = {channel:Text}";
    let args = ["sql", "-c", sql, "-p", "channel=win'dow"];
    assert_eq!(project.run(args).ok(), "decision_no\n");
    assert_eq!(project.run(["sql", "-c", sql, "-p", "channel=window"]).ok(), "decision_no\n002\n");
}

#[test]
fn nothing_to_run_is_wrong_usage() {
    let project = Project::new();
    assert!(project.run(["sql", "-c", " ; -- nothing"]).failed(2).contains("holds no statement"));
    project.run(["sql", "-f", "absent.sql"]).failed(1);
    project.run(["sql", "-c", "select 1", "-f", "q.sql"]).failed(2);
}
