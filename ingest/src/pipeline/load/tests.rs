#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;

use super::*;
use crate::run::testing::{PIPELINE, TABLE};

/// Names of the accepted pipelines, and each fault with the text it points at.
fn load(files: &[(&str, &str)]) -> (Vec<String>, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(folder.path(), &mut diagnostics);
    let connections = load_folder::<ConnectionDef>(folder.path(), &mut diagnostics);
    let pipelines = load_pipelines(&project, &connections, &mut diagnostics);
    let faults = diagnostics.iter().map(|fault| {
        let marked = fault.span.clone().map(|span| fault.source.text[span].to_owned());
        (fault.message.clone(), marked.unwrap_or_default())
    });
    (pipelines.iter().map(|pipeline| pipeline.def.name.clone()).collect(), faults.collect())
}

#[test]
fn a_sound_pipeline_is_accepted() {
    let (names, faults) = load(&[("tables/t.toml", TABLE), ("pipelines/p.toml", PIPELINE)]);
    assert_eq!((names, faults), (vec!["trades".to_owned()], vec![]));
}

#[test]
fn every_fault_is_named_where_it_stands() {
    let faulty = r#"
version = 1
name = "trades"
table = "market.trade"
source = { kind = "csv", path = "x.csv", encoding = "latin1" }
mode = "append"
transform = { sql = "select * from elsewhere.rows" }
"#;
    let (names, faults) = load(&[("tables/t.toml", TABLE), ("pipelines/p.toml", faulty)]);
    assert_eq!(names, Vec::<String>::new());
    let messages: Vec<_> = faults.iter().map(|(message, _)| message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`encoding` of the source cannot be `latin1`",
            "it does not read `source`, the rows of the pipeline's source",
            "there is no table `market.trade`",
        ]
    );
    assert_eq!(faults[2].1, "\"market.trade\"");
}

#[test]
fn checks_are_compiled_offline() {
    for (check, message, marked) in [
        (r#"{ column = "amonut", rule = "not-null" }"#, "`market.trades` has no column `amonut`", "\"amonut\""),
        (r#"{ rule = "not-null" }"#, "this rule needs a `column`", "\"not-null\""),
        (r#"{ column = "id", rule = "uscc" }"#, "`id` is int64, and `uscc` is a rule for text", "\"uscc\""),
        (r#"{ column = "uscc", rule = { pattern = "[" } }"#, "`[` is not a regular expression", "rule"),
        (r#"{ column = "on", rule = { between = ["2019-01-01", "soon"] } }"#, "`soon` is not a date", "rule"),
        (r#"{ column = "id", rule = { between = ["9", "1"] } }"#, "nothing lies between 9 and 1", "rule"),
        (r#"{ rule = { expression = "amount" } }"#, "it gives Decimal128(10, 2) and not true", "rule"),
        (r#"{ rule = { expression = "amuont > 1" } }"#, "the expression cannot be planned", "rule"),
    ] {
        let text = format!("{PIPELINE}checks = [{check}]\n");
        let (names, faults) = load(&[("tables/t.toml", TABLE), ("pipelines/p.toml", &text)]);
        assert_eq!((names.len(), faults.len()), (0, 1), "{check}: {faults:?}");
        assert!(faults[0].0.contains(message), "{check}: {}", faults[0].0);
        assert!(faults[0].1.starts_with(marked), "{check}: {}", faults[0].1);
    }
    let text = PIPELINE.replace("{ on =", "{ onn =");
    let (_, faults) = load(&[("tables/t.toml", TABLE), ("pipelines/p.toml", &text)]);
    assert_eq!(faults[0].0, "`market.trades` has no column `onn`");
}

#[test]
fn names_are_unique_and_a_table_is_replaced_by_one() {
    let (names, faults) =
        load(&[("tables/t.toml", TABLE), ("pipelines/a.toml", PIPELINE), ("pipelines/b.toml", PIPELINE)]);
    assert_eq!(names, ["trades"]);
    assert_eq!(faults[0].0, "pipeline `trades` is declared in pipelines/a.toml:3:8 already");
    assert!(faults[1].0.starts_with("pipeline `trades` loads `market.trades` too"), "{}", faults[1].0);
}

#[test]
fn what_came_since_the_last_load_does_not_replace_the_rest() {
    let csv = "{ kind = \"csv\", path = \"data/trades.csv\" }";
    let fault = |source: &str, mode: &str| {
        let pipeline =
            PIPELINE.replace(csv, source).replace("\"replace\"", mode).replace("duplicates = \"remove\"", "");
        let (_, faults) = load(&[("tables/t.toml", TABLE), ("pipelines/p.toml", &pipeline)]);
        faults.into_iter().next().unwrap_or_default().0
    };
    let cursor = "{ kind = \"sqlite\", path = \"x.db\", table = \"t\", cursor = \"id\" }";
    assert!(fault(cursor, "\"replace\"").starts_with("a load brings only what came since the last one"));
    assert_eq!(fault(cursor, "\"append\""), "");
    assert_eq!(fault(&cursor.replace(", cursor = \"id\"", ""), "\"replace\""), "");
    let changes = cursor.replace("cursor = \"id\"", "updated_at = \"on\", key = [\"id\"]");
    assert!(fault(&changes, "\"append\"").starts_with("a changed row would not find the one"));
    assert_eq!(fault(&changes, "{ upsert = {} }"), "");
}

#[test]
fn a_connection_leads_to_a_system_of_the_source_s_kind() {
    let csv = "{ kind = \"csv\", path = \"data/trades.csv\" }";
    let fault = |kind: &str, url: &str, rest: &str| {
        let pipeline = PIPELINE.replace(csv, &format!("{{ kind = \"{kind}\", connection = \"hr\", {rest} }}"));
        let connection = format!("version = 1\nname = \"hr\"\nurl = \"{url}\"\n");
        let files = [("tables/t.toml", TABLE), ("pipelines/p.toml", &pipeline), ("connections/hr.toml", &connection)];
        let (_, faults) = load(&files);
        faults.into_iter().next().unwrap_or_default()
    };
    let (message, marked) = fault("postgres", "mysql://h/d", "table = \"t\"");
    assert_eq!(message, "the source needs `postgresql://`, and connection `hr` is `mysql://`");
    assert_eq!(marked, "\"hr\"");
    assert_ne!(fault("mysql", "https://h/d", "table = \"t\"").0, "");
    assert_ne!(fault("http", "postgresql://h/d", "path = \"p\"").0, "");
    assert_eq!(fault("postgres", "postgresql://h/d", "table = \"t\"").0, "");
    assert_eq!(fault("mysql", "mysql://h/d", "table = \"t\"").0, "");
    assert_eq!(fault("http", "https://h/d", "path = \"p\"").0, "");
}

#[test]
fn what_others_read_is_loaded_first() {
    let table = |name: &str| TABLE.replace("market.trades", name);
    let pipeline = |name: &str, table: &str, reads: &str| {
        PIPELINE.replace("\"trades\"", &format!("\"{name}\"")).replace("market.trades", table)
            + &format!("transform = {{ sql = \"select * from source where id in (select id from {reads})\" }}\n")
    };
    let view = "version = 1\nname = \"m.v\"\nowner = \"o\"\ntitle = { zh = \"v\", en = \"v\" }\n\
                description = { zh = \"v\", en = \"v\" }\nsql = \"select id from m.c\"\n";
    let files = |c_reads: &str| {
        vec![
            ("tables/a.toml", table("m.a")),
            ("tables/b.toml", table("m.b")),
            ("tables/c.toml", table("m.c")),
            ("views/v.toml", view.to_owned()),
            ("pipelines/1.toml", pipeline("a", "m.a", "m.b")),
            ("pipelines/2.toml", pipeline("b", "m.b", "m.v")),
            ("pipelines/3.toml", pipeline("c", "m.c", c_reads)),
        ]
    };
    let run =
        |files: Vec<(&str, String)>| load(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>());
    let (names, faults) = run(files("m.c"));
    assert_eq!((names, faults), (vec!["c".to_owned(), "b".to_owned(), "a".to_owned()], vec![]));
    let (_, faults) = run(files("m.a"));
    assert_eq!(faults[0].0, "the pipelines `a`, `b`, `c` read what the others load, in a circle");
}
