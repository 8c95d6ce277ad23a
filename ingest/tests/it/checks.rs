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

/// A lake with a list of regions, and firms that are loaded with `extra` in their pipeline.
async fn with_regions(extra: &str, rows: &str) -> Lake {
    let regions = TABLE.replace("market.firms", "ref.regions");
    let (firms, list) = (pipeline(extra), pipeline("").replace("market.firms", "ref.regions"));
    let list = list.replace("\"firms\"", "\"regions\"").replace("data/*.csv", "regions.csv");
    let text = format!("{HEADER}{rows}");
    let lake = Lake::open(&[
        ("tables/t.toml", TABLE.as_bytes()),
        ("tables/r.toml", regions.as_bytes()),
        ("pipelines/p.toml", firms.as_bytes()),
        ("pipelines/r.toml", list.as_bytes()),
        ("regions.csv", format!("{HEADER}a,220101,,,,\nb,220102,,,,\n").as_bytes()),
        ("data/a.csv", text.as_bytes()),
    ])
    .await;
    lake.load("regions").await.unwrap();
    lake
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_found_in_another_table() {
    let rows = "1,220101,,,,\n2,220102,,,,\n3,220102,,,,\n4,220199,,,,\n5,,,,,\n";
    let rule = "[[batch]]\nrule = { found-in = { column = \"region\", table = \"ref.regions\", of = \"region\", share = \"80%\" } }\n";
    let lake = with_regions(rule, rows).await;
    let error = lake.load("firms").await.unwrap_err();
    let expected = "the check `found-in` stops the run: 1 of 4 values of `region` are not in `region` of `ref.regions`, and \
                    80% must be: `220199` (1)";
    assert_eq!(error.chain(), expected);
    assert_eq!(error.kind(), xiangyun_engine::ErrorKind::DataQuality);
    let stopped = lake.sql("select status, stopped_by from system.runs where pipeline = 'firms'").await;
    assert_eq!(stopped, [["failed", "found-in"]]);
    // Three of four are enough where three quarters are.
    let lake = with_regions(&rule.replace("80%", "75%"), rows).await;
    assert_eq!(lake.load("firms").await.unwrap().run.rows_loaded, 5);
    let lake = with_regions(&format!("{rule}on_fail = \"warn\""), rows).await;
    let run = lake.load("firms").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.warnings), (5, 1));
    assert!(run.notes.iter().any(|note| note.contains("`220199` (1)")), "{:?}", run.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_has_about_as_many_rows_as_the_last_one() {
    let lake = open("[[batch]]\nrule = { row-count = { within = \"50%\" } }\n", "1,,,,,\n2,,,,,\n").await;
    let notes = lake.load("firms").await.unwrap().run.notes.join("; ");
    assert!(notes.contains("there is no earlier load"), "{notes}");
    lake.write("data/b.csv", format!("{HEADER}3,,,,,\n4,,,,,\n5,,,,,\n").as_bytes());
    assert_eq!(lake.load("firms").await.unwrap().run.rows_loaded, 3);
    lake.write("data/c.csv", format!("{HEADER}6,,,,,\n").as_bytes());
    let error = lake.load("firms").await.unwrap_err().chain();
    assert!(error.contains("1 rows were read and 3 by run"), "{error}");
    assert_eq!(lake.sql("select count(*) from market.firms").await, [["5"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_working_day_is_there() {
    let rule = "[[batch]]\nrule = { no-day-missing = { column = \"registered_on\", days = \"working\" } }\n";
    // 2019-05-01 to 05-04 were days off, 2019-05-05 was a Sunday that was worked.
    let rows = "1,,,2019-04-30,,\n2,,,2019-05-05,,\n3,,,2019-05-06,,\n";
    assert_eq!(open(rule, rows).await.load("firms").await.unwrap().run.rows_loaded, 3);
    let error = open(rule, &rows.replace("05-05", "04-30")).await.load("firms").await.unwrap_err().chain();
    assert!(error.contains("`registered_on` lacks 1 days: 2019-05-05"), "{error}");
    // A rejected row's day is not there.
    let error = open(rule, &rows.replace("05-05,,", "05-05,x,")).await.load("firms").await.unwrap_err().chain();
    assert!(error.contains("lacks 1 days"), "{error}");
    let error = open(rule, "1,,,2098-01-01,,\n2,,,2098-01-09,,\n").await.load("firms").await.unwrap_err().chain();
    assert!(error.contains("cannot be told: no working-day notice for 2098"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_is_what_the_agency_says_it_sent() {
    let rows = "1,,,,\"1,000万元\",\n2,,,,0.5万元,\n3,,,,x,\n4\n";
    let rule = |total: &str| format!("[[batch]]\nrule = {{ control-total = {{ {total} }} }}\n");
    // Rows that cannot be read count as rows, and are missing in the sum.
    assert!(open(&rule("rows = 4"), rows).await.load("firms").await.is_ok());
    assert!(open(&rule("column = \"capital\", sum = \"1000.5\""), rows).await.load("firms").await.is_ok());
    let error = open(&rule("rows = 5, column = \"capital\", sum = \"1001\""), rows).await.load("firms").await;
    let error = error.unwrap_err().chain();
    let expected = "the load has 4 rows and the agency says 5; the sum of the load is 1000.5000, without 2 rows whose value is \
                    missing or cannot be read, and the agency says 1001.0000";
    assert!(error.ends_with(expected), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_has_its_control_file() {
    let rule = "[[batch]]\nrule = { control-total = { column = \"capital\", file_suffix = \".ctl\" } }\n";
    let lake = open(rule, "1,,,,1万元,\n2,,,,2万元,\n").await;
    lake.write("data/b.csv", format!("{HEADER}3,,,,3万元,\n").as_bytes());
    lake.write("data/a.csv.ctl", b"rows=2\nsum=3\n");
    let error = lake.load("firms").await.unwrap_err().chain();
    assert!(error.contains("the control file of `data/b.csv` cannot be used: `b.csv.ctl`: No such file"), "{error}");
    lake.write("data/b.csv.ctl", b"rows=1\nsum=4\n");
    let error = lake.load("firms").await.unwrap_err().chain();
    assert!(error.ends_with("the sum of `data/b.csv` is 3.0000, and the agency says 4.0000"), "{error}");
    lake.write("data/b.csv.ctl", "行数：1\n合计：3.0\n".as_bytes());
    assert_eq!(lake.load("firms").await.unwrap().run.rows_loaded, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_footer_of_each_file_is_its_control_total() {
    let rule = "[[batch]]\nrule = { control-total = { column = \"capital\", footer = '(?:共|,)(?<rows>\\d+)条|合计,+\"?(?<sum>[0-9.,]+)' } }\n";
    let open = async |footer: &str, extra: &str, end: &str| {
        let text = format!("{HEADER}1,,,,\"1,000万元\",\n2,,,,0.5万元,\n3\n{end}");
        let pipeline = pipeline(&format!("{rule}{extra}")).replace("*.csv\"", &format!("*.csv\", footer = {footer}"));
        Lake::open(&[
            ("tables/t.toml", TABLE.as_bytes()),
            ("pipelines/p.toml", pipeline.as_bytes()),
            ("data/a.csv", text.as_bytes()),
            ("data/b.csv", format!("{HEADER}4,,,,2万元,\n合计,,,,2,\n共1条\n").as_bytes()),
        ])
        .await
    };
    // A trailer that is told by how it begins, and one that is told by its rows: split, or not.
    let (by_pattern, by_rows) = ("\"合计|共\"", "2");
    for footer in [by_pattern, by_rows] {
        let lake = open(footer, "", "合计,,,,\"1,000.50\",\n共3条记录\n").await;
        let run = lake.load("firms").await.unwrap().run;
        assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (4, 3, 1), "{footer}");
        let error = open(footer, "", "合计,,,,1001,\n共4条记录\n").await.load("firms").await.unwrap_err();
        let expected = "`data/a.csv` has 3 rows and the agency says 4; the sum of `data/a.csv` is 1000.5000, without 1 rows \
                        whose value is missing or cannot be read, and the agency says 1001.0000";
        assert!(error.chain().ends_with(expected), "{}", error.chain());
        assert_eq!(error.kind(), xiangyun_engine::ErrorKind::DataQuality);
    }
    // A file that was cut off has no trailer.
    let error = open(by_pattern, "", "").await.load("firms").await.unwrap_err().chain();
    assert!(error.ends_with("the footer of `data/a.csv` cannot be used: the file ends without one"), "{error}");
    let error = open(by_pattern, "", "合计见附表\n").await.load("firms").await.unwrap_err().chain();
    assert!(error.contains("finds nothing in it; it begins with `合计见附表`"), "{error}");
    let lake = open(by_pattern, "on_fail = \"warn\"", "合计,,,,1001,\n").await;
    let run = lake.load("firms").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.warnings), (3, 1));
    assert!(run.notes.iter().any(|note| note.contains("the agency says 1001.0000")), "{:?}", run.notes);

    let message = |extra: &str| faults(extra)[0].1.clone();
    assert_eq!(message(rule), "the source declares no `footer` in which the numbers could stand");
    let none = rule.replace("<rows>", "<lines>").replace("<sum>", "<total>");
    assert!(message(&none).starts_with("`footer` is a regular expression with a group"), "{}", message(&none));
    assert_eq!(message(&rule.replace("column = \"capital\", ", "")), "`sum` needs the `column` that is summed");
    let both = rule.replace("footer =", "rows = 3, footer =");
    assert!(message(&both).ends_with("and not in several of them"), "{}", message(&both));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_fresh_in_working_days() {
    let promise =
        "freshness = { period = \"monthly\", grace_working_days = 10, column = \"registered_on\" }\ncolumns = [";
    let table = TABLE.replace("columns = [", promise);
    let pipeline = pipeline("[[batch]]\nrule = \"fresh\"\non_fail = \"warn\"\n");
    let warnings = async |today: &str, day: &str| {
        let text = format!("{HEADER}1,,,{day},,\n");
        let files = [
            ("tables/t.toml", table.as_bytes()),
            ("pipelines/p.toml", pipeline.as_bytes()),
            ("data/a.csv", text.as_bytes()),
        ];
        let clock =
            std::sync::Arc::new(xiangyun_engine::clock::FixedClock(format!("{today}T04:00:00Z").parse().unwrap()));
        let report = Lake::open_at(&files, clock).await.load("firms").await.unwrap();
        report.warnings.into_iter().map(|found| (found.reason, found.message)).collect::<Vec<_>>()
    };
    // Data up to 2019-03-31 are due again on 2019-04-30, and overdue ten working days later.
    assert_eq!(warnings("2019-05-16", "2019-03-31").await, []);
    let stale = "`market.firms` has data up to 2019-03-31, newer ones were due by 2019-05-16".to_owned();
    assert_eq!(warnings("2019-05-17", "2019-03-31").await, [("STALE".to_owned(), stale)]);
    assert_eq!(warnings("2019-05-16", "").await[0].0, "NO_DATA");
    // No notice of 2099, no guess.
    assert_eq!(warnings("2099-01-01", "2098-12-31").await[0].0, "CALENDAR_MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_rejected_rows_stop_the_load_and_can_be_seen() {
    let rows = "1,,,,,\n2,,,x,,\n3,,,,,\n4\n";
    for (most, stops) in [("\"50%\"", false), ("2", false), ("\"49.9%\"", true), ("1", true)] {
        let lake = open(&format!("max_rejected = {most}"), rows).await;
        let loaded = lake.load("firms").await;
        let seen = lake.sql("select line, reason from system.quarantine order by line").await;
        assert_eq!(seen, [["3", "TYPE"], ["5", "FIELD_COUNT"]], "{most}");
        let rows = lake.sql("select table_name from system.snapshots where table_name = 'firms'").await;
        assert_eq!(rows.len(), usize::from(!stops), "{most}");
        let Err(error) = loaded else { continue };
        assert!(error.chain().contains("2 of 4 rows are rejected, more than `max_rejected = "), "{}", error.chain());
        let run = lake.sql("select status, stopped_by, rows_read, rows_loaded, rows_rejected from system.runs").await;
        assert_eq!(run, [["failed", "max-rejected", "4", "0", "2"]]);
    }
}

#[test]
fn batch_checks_that_cannot_run_are_told_offline() {
    for (rule, message) in [
        ("{ row-count = { within = \"5\" } }", "`5` is no share"),
        ("{ no-day-missing = { column = \"id\" } }", "`market.firms` has no date column `id`"),
        ("{ found-in = { column = \"region\", table = \"ref.none\", of = \"x\" } }", "there is no table `ref.none`"),
        (
            "{ found-in = { column = \"region\", table = \"market.firms\", of = \"x\" } }",
            "`market.firms` has no column `x`",
        ),
        ("{ control-total = {} }", "it names no `rows`, no `sum`, no `file_suffix` and no `footer`"),
        ("{ control-total = { sum = \"1\" } }", "`sum` needs the `column` that is summed"),
        ("{ control-total = { column = \"capital\", sum = \"1.23456\" } }", "`1.23456` is no sum of the column"),
        ("{ control-total = { column = \"id\", sum = \"1\" } }", "`market.firms` has no whole or decimal column `id`"),
        ("{ control-total = { rows = 1, file_suffix = \".ctl\" } }", "the numbers stand in the pipeline or in files"),
        ("\"fresh\"", "`market.firms` promises no freshness"),
    ] {
        let found = faults(&format!("[[batch]]\nrule = {rule}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.contains(message), "{found:?}");
    }
    assert!(!faults("max_rejected = \"lots\"").is_empty());
}
