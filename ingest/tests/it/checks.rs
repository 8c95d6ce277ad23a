//! Checks of columns, forms of values, checks of whole loads.

use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_ingest::{Declarations, LoadOutcome};

use crate::workspace::Lake;

pub(crate) const TABLE: &str = r#"version = 1
name = "market.firms"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "企业", en = "firms" }
description = { zh = "企业", en = "firms" }
columns = [
    { name = "id", type = "text" },
    { name = "region", type = "text", nullable = true },
    { name = "industry", type = "text", nullable = true },
    { name = "registered_on", type = "date", nullable = true },
    { name = "capital", type = "decimal(18,4)", nullable = true, unit = "10k CNY" },
    { name = "capital_raw", type = "text", nullable = true },
    { name = "share", type = "decimal(12,6)", nullable = true },
]
"#;

const HEADER: &str = "id,region,industry,registered_on,capital,share\n";

pub(crate) fn pipeline(extra: &str) -> String {
    format!(
        "version = 1\nname = \"firms\"\ntable = \"market.firms\"\nmode = \"append\"\nduplicates = \"keep\"\n\
         source = {{ kind = \"csv\", path = \"data/*.csv\" }}\n\
         written = {{ capital = {{ as = \"amount\", raw = \"capital_raw\" }}, share = {{ as = \"percent\" }}, \
         registered_on = {{ as = \"excel-serial\" }} }}\n{extra}\n"
    )
}

pub(crate) async fn open(extra: &str, rows: &str) -> Lake {
    let (pipeline, text) = (pipeline(extra), format!("{HEADER}{rows}"));
    let files = [
        ("tables/t.toml", TABLE.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("data/a.csv", text.as_bytes()),
    ];
    Lake::open(&files).await
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_read_as_agencies_write_them_and_kept_as_they_were() {
    let rows = "1,,,43550,\"1,234.5万元\",16.1%\n2,,,2019年3月26日,800亿元,\n3,,,,100(万元人民币),\n\
                4,,,,50(万美元),\n5,,,,100(),\n6,,,,,30%以上\n7,,,19/3/26,,\n8,,,,0(万元),\n9,,,,N/A,\n";
    let lake = open("", rows).await;
    let run = lake.load("firms").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (9, 5, 4));
    let loaded = lake.sql("select id, registered_on, capital, capital_raw, share from market.firms order by id").await;
    let expected = [
        ["1", "2019-03-26", "1234.5000", "1,234.5万元", "0.161000"],
        ["2", "2019-03-26", "8000000.0000", "800亿元", ""],
        ["3", "", "100.0000", "100(万元人民币)", ""],
        ["8", "", "0.0000", "0(万元)", ""],
        ["9", "", "", "N/A", ""],
    ];
    assert_eq!(loaded, expected);
    let found = lake.sql("select line, \"column\", reason from system.quarantine order by line").await;
    let expected = [
        ["5", "capital", "AMOUNT_CURRENCY"],
        ["6", "capital", "AMOUNT_NO_UNIT"],
        ["7", "share", "PERCENT"],
        ["8", "registered_on", "TYPE"],
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_checked_by_list_length_and_bounds() {
    let checks = r#"
[[checks]]
column = "region"
rule = { division-as-of = "registered_on" }
[[checks]]
column = "industry"
rule = "industry"
[[checks]]
column = "id"
rule = { length = [1, 3] }
[[checks]]
column = "capital"
rule = { at-least = "0" }
[[checks]]
column = "registered_on"
rule = { at-most = "2030-12-31" }
on_fail = "warn"
"#;
    // 公主岭市 is 220381 until 2020 and 220184 from then on.
    let rows = "1,220381,C1311,2019-01-01,1万元,\n2,220381,,2021-01-01,,\n3,220184,,2021-01-01,,\n4,220184,,2019-01-01,,\n\
                5,,A51,,,\n1234,,,,,\n7,,,,-1万元,\n8,,,2031-01-01,,\n";
    let lake = open(checks, rows).await;
    let run = lake.load("firms").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_rejected, run.warnings), (3, 5, 1));
    let found = lake.sql("select line, reason, rule from system.quarantine order by line").await;
    let expected = [
        ["3", "DIVISION_NOT_IN_USE", "division-as-of on region"],
        ["5", "DIVISION_NOT_IN_USE", "division-as-of on region"],
        ["6", "INDUSTRY_UNKNOWN", "industry on industry"],
        ["7", "LENGTH", "length on id"],
        ["8", "AT_LEAST", "at-least on capital"],
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_unique_in_the_load_and_in_the_table() {
    let checks =
        "[[checks]]\ncolumn = \"region\"\nrule = \"unique\"\n[[checks]]\ncolumn = \"id\"\nrule = \"unique-in-table\"\n";
    let lake = open(checks, "1,a,,,,\n2,a,,,,\n2,b,,,,\n3,,,,,\n4,,,,,\n3,c,,,,\n").await;
    lake.load("firms").await.unwrap();
    // Row 2 is rejected for its region, so that the second 2 is the first that counts.
    let ids = "select id, region from market.firms order by id";
    assert_eq!(lake.sql(ids).await, [["1", "a"], ["2", "b"], ["3", ""], ["4", ""]]);
    lake.write("data/b.csv", format!("{HEADER}4,a,,,,\n5,,,,,\n").as_bytes());
    let run = lake.load("firms").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_rejected), (1, 1));
    let found = lake.sql("select message from system.quarantine where file = 'data/b.csv'").await;
    assert_eq!(found, [["`4` stands in an earlier row of this load or of the table"]]);
    // A run that is made again does not collide with its own rows.
    let first = lake.sql("select run_id from system.runs order by started_at").await[0][0].clone();
    lake.write("data/a.csv", format!("{HEADER}1,z,,,,\n2,b,,,,\n").as_bytes());
    let options = xiangyun_ingest::LoadOptions::default();
    let progress = std::sync::Arc::new(xiangyun_ingest::progress::Silent);
    let again = lake.ingest.redo(&first, &options, progress).await.unwrap();
    assert_eq!((again.outcome, again.run.rows_rejected), (LoadOutcome::Loaded, 0));
    assert_eq!(lake.sql(ids).await, [["1", "z"], ["2", "b"], ["5", ""]]);
}

/// What `xiangyun check` says of a pipeline: file, message and hint.
fn faults_of(text: String) -> Vec<(String, String, Option<String>)> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [("tables/t.toml", TABLE.to_owned()), ("pipelines/p.toml", text)] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(folder.path(), &mut diagnostics);
    Declarations::load(&project, &mut diagnostics);
    assert!(diagnostics.iter().all(|fault| fault.span.is_some()), "each has a place");
    diagnostics
        .iter()
        .map(|fault| (fault.source.path.display().to_string(), fault.message.clone(), fault.hint.clone()))
        .collect()
}

fn faults(extra: &str) -> Vec<(String, String, Option<String>)> {
    faults_of(pipeline(extra))
}

#[test]
fn checks_that_cannot_run_are_told_offline_with_their_place() {
    for (extra, message) in [
        (
            "[[checks]]\ncolumn = \"region\"\nrule = { division-as-of = \"capital\" }",
            "`market.firms` has no date or timestamp column `capital`",
        ),
        (
            "[[checks]]\ncolumn = \"capital\"\nrule = \"industry\"",
            "`capital` is decimal(18,4), and `industry` is a rule for text",
        ),
        (
            "[[checks]]\ncolumn = \"id\"\nrule = { length = [3, 1] }",
            "no text has 3 characters at least and 1 at the most",
        ),
        (
            "[[checks]]\ncolumn = \"capital\"\nrule = { at-least = \"x\" }",
            "`x` is not a decimal(18,4): it is no decimal number",
        ),
    ] {
        let found = faults(extra);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, message);
        assert!(found[0].0.ends_with("pipelines/p.toml"), "{}", found[0].0);
    }
    for (from, to, message) in [
        ("capital = { as", "id = { as", "`id` is text and no decimal"),
        ("raw = \"capital_raw\"", "raw = \"text\"", "`market.firms` has no column `text`"),
        ("raw = \"capital_raw\"", "raw = \"share\"", "`share` is decimal(12,6) and no text"),
        ("share = { as", "shares = { as", "`market.firms` has no column `shares`"),
    ] {
        assert_eq!(faults_of(pipeline("").replace(from, to))[0].1, message);
    }
    let unique = pipeline("[[checks]]\ncolumn = \"id\"\nrule = \"unique-in-table\"");
    let found = faults_of(unique.replace("\"append\"", "\"replace\""));
    assert_eq!(found[0].1, "with this `mode` rows of the table are replaced, and not only added to");
}
