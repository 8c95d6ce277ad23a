//! The defects of the real enterprise files, in small files of invented enterprises, so that they are tested where
//! the real files are not at hand.
//!
//! `enterprises.csv` has 26 enterprises on 30 lines. Enterprise `n` is called 虚构n号, stands on line n + 1 up to the
//! third and on line n + 2 from the fourth, and its organisation number is `XN0000` and `n`, which is nobody's (the
//! 24th is a branch of the second and called like it). The third, fourth, fifteenth and twenty-fifth come twice.
//! `enterprises.gb18030.csv.gz` is the same in GB 18030 with CR LF, the Chinese header and its column order. The
//! expectations below were counted in the first file by hand.

use xiangyun_ingest::LoadOutcome;

use crate::workspace::{ENTERPRISE_COLUMNS, Lake, chinese_enterprise_pipeline, enterprise_pipeline, enterprise_table};

const UTF8: &[u8] = include_bytes!("../fixtures/enterprises/enterprises.csv");
const GB18030: &[u8] = include_bytes!("../fixtures/enterprises/enterprises.gb18030.csv.gz");
const MALFORMED: &[u8] = include_bytes!("../fixtures/enterprises/malformed.csv");

const UTF8_FILE: &str = "data/enterprises.csv";
const GB18030_FILE: &str = "data/enterprises.gb18030.csv.gz";
const MALFORMED_FILE: &str = "data/malformed.csv";

/// Capitals that are exactly `number(万元人民币)`: enterprises 2, 3, 4, 23, 25 and 26, in 万元:
/// 1000 + 100 + 1234.5678 + 0.5 + 20 + 250.05.
const CAPITAL: [&str; 2] = ["6", "2605.1178"];
/// The same with the second rows of 3, 4 and 25: 2605.1178 + 100 + 1234.5678 + 20.
const CAPITAL_WITH_DUPLICATES: [&str; 2] = ["9", "3959.6856"];

async fn lake(pipeline: &str) -> Lake {
    let table = enterprise_table();
    let files = [
        ("tables/enterprises.toml", table.as_bytes()),
        ("pipelines/enterprises.toml", pipeline.as_bytes()),
        (UTF8_FILE, UTF8),
        (GB18030_FILE, GB18030),
        (MALFORMED_FILE, MALFORMED),
    ];
    Lake::open(&files).await
}

async fn utf8(duplicates: &str) -> Lake {
    lake(&enterprise_pipeline(UTF8_FILE, ENTERPRISE_COLUMNS, duplicates)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_duplicates_warnings_and_sums_are_those_counted_by_hand() {
    // What is loaded, rejected, a duplicate and a warning. Four codes are wrong: of enterprises 18 to 21.
    for (duplicates, expected, capital) in [
        ("warn", (30, 0, 0, 8), CAPITAL_WITH_DUPLICATES),
        ("keep", (30, 0, 0, 4), CAPITAL_WITH_DUPLICATES),
        ("remove", (26, 0, 4, 4), CAPITAL),
        ("reject", (26, 4, 0, 4), CAPITAL),
    ] {
        let lake = utf8(duplicates).await;
        let report = lake.load("enterprises").await.unwrap();
        let run = &report.run;
        let found = (run.rows_loaded, run.rows_rejected, run.rows_duplicate, run.warnings);
        assert_eq!((run.rows_read, found), (30, expected), "{duplicates}");
        let sums = lake.sql("select count(capital_wan), sum(capital_wan) from market.enterprises").await;
        assert_eq!(sums, [capital], "{duplicates}");
        let quarantine = lake.sql("select file, line, reason from system.quarantine order by line").await;
        let lines = if duplicates == "reject" { ["5", "29", "30", "31"].as_slice() } else { &[] };
        let expected: Vec<_> = lines.iter().map(|line| vec![UTF8_FILE, *line, "DUPLICATE"]).collect();
        assert_eq!(quarantine, expected, "{duplicates}");
        assert_eq!(lake.load("enterprises").await.unwrap().outcome, LoadOutcome::Unchanged, "{duplicates}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gb18030_file_gives_the_rows_of_its_utf8_twin() {
    let (utf8, gb) = (utf8("warn").await, lake(&chinese_enterprise_pipeline(GB18030_FILE, "warn")).await);
    utf8.load("enterprises").await.unwrap();
    let report = gb.load("enterprises").await.unwrap();
    assert_eq!(report.run.sources[0].encoding.as_deref(), Some("GB18030"));
    assert_eq!((report.run.rows_loaded, report.run.warnings), (30, 8));
    let rows = format!("select {ENTERPRISE_COLUMNS}, capital_wan from market.enterprises order by registered_on, name");
    assert_eq!(gb.sql(&rows).await, utf8.sql(&rows).await);
    // Four bytes in GB 18030, and outside of the first plane in Unicode.
    let rare = "select name from market.enterprises where name like '虚构十号%'";
    assert_eq!(gb.sql(rare).await, [["虚构十号𠮷祥科技有限公司"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_warned_of_with_line_and_reason() {
    let lake = utf8("remove").await;
    let report = lake.load("enterprises").await.unwrap();
    let found: Vec<_> = report.warnings.iter().map(|found| (found.line, found.reason.as_str())).collect();
    // A lower-case letter, 17 characters, another check character, two digits swapped.
    assert_eq!(found, [(20, "USCC_ALPHABET"), (21, "USCC_LENGTH"), (22, "USCC_CHECK"), (23, "USCC_CHECK")]);
    assert!(report.warnings.iter().all(|found| found.file == UTF8_FILE && found.column.as_deref() == Some("uscc")));
    let errors = "select uscc_error(uscc), count(*) from market.enterprises where not uscc_is_valid(uscc) \
                  group by 1 order by 1";
    assert_eq!(lake.sql(errors).await, [["ALPHABET", "1"], ["CHECK", "2"], ["LENGTH", "1"]]);
    let warnings = "select uscc_region(uscc) as region from market.enterprises where uscc_warning(uscc) is not null";
    // Zones that no table of divisions has.
    assert_eq!(lake.sql(&format!("{warnings} order by region")).await, [["220101"], ["220201"], ["220214"]]);
    // Gongzhuling's code until 2020, and the one that followed.
    let regions = "select count(*) filter (where uscc_region(uscc) = '220381'), \
                   count(*) filter (where uscc_region(uscc) = '220184') from market.enterprises";
    assert_eq!(lake.sql(regions).await, [["2", "0"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_capital_is_read_or_says_why_not() {
    let lake = utf8("remove").await;
    lake.load("enterprises").await.unwrap();
    let forms = "select registered_capital_raw, parse_amount(registered_capital_raw)['value'] as value, \
                 parse_amount(registered_capital_raw)['currency'] as currency, \
                 parse_amount(registered_capital_raw)['error'] as error, count(*) as n \
                 from market.enterprises where capital_wan is null \
                 group by 1, 2, 3, 4 order by min(registered_on)";
    let expected = [
        ["3.1000(万元)", "31000.000000", "CNY", "", "1"],
        ["100万人民币", "1000000.000000", "CNY", "", "1"],
        ["1,000(万元)", "10000000.000000", "CNY", "", "1"],
        ["50(万美元)", "500000.000000", "USD", "", "1"],
        ["3,000(万日元)", "30000000.000000", "JPY", "", "1"],
        ["80(万港元)", "800000.000000", "HKD", "", "1"],
        ["60(万港币)", "600000.000000", "HKD", "", "1"],
        ["20(万欧元)", "200000.000000", "EUR", "", "1"],
        ["100(万)", "1000000.000000", "", "NO_CURRENCY", "1"],
        ["10()", "", "", "NO_UNIT", "1"],
        ["500,000(元人民币)", "500000.000000", "CNY", "", "1"],
        ["N/A", "", "", "MISSING", "8"],
        ["-", "", "", "MISSING", "1"],
    ];
    assert_eq!(lake.sql(forms).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn markers_of_missing_values_become_null_where_the_source_names_them() {
    let named = format!("path = \"{UTF8_FILE}\", null_values = [\"N/A\", \"-\"]");
    let pipeline = enterprise_pipeline(UTF8_FILE, ENTERPRISE_COLUMNS, "remove");
    let pipeline = pipeline.replace(&format!("path = \"{UTF8_FILE}\""), &named);
    let lake = lake(&pipeline).await;
    lake.load("enterprises").await.unwrap();
    // Types: all but 3, 4, 5, 15, 16, 25 and 26. Capitals: 15 to 22 and 24. Prefecture: 17.
    let missing = "select count(*) - count(enterprise_type), count(*) - count(registered_capital_raw), \
                   count(*) - count(prefecture), count(*) - count(name) from market.enterprises";
    assert_eq!(lake.sql(missing).await, [["19", "9", "1", "0"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_loaded_as_they_are_and_a_missing_year_stays_missing() {
    let lake = utf8("remove").await;
    lake.load("enterprises").await.unwrap();
    let years = "select source_year, count(*), min(registered_on) from market.enterprises group by 1 order by 1";
    let expected = [
        ["1978", "2", "1978-07-05"],
        ["2004", "1", "2004-03-01"],
        ["2005", "5", "2005-01-01"],
        ["2006", "7", "2006-01-01"],
        ["2007", "6", "2007-01-01"],
        ["2009", "4", "2009-01-01"],
        ["2019", "1", "2019-04-30"],
    ];
    assert_eq!(lake.sql(years).await, expected);
    let names = "select name from market.enterprises where name like '%凬司' or name like '%（%' or name like '%(%' \
                 or name like '%\"%' order by registered_on";
    let expected = [
        ["虚构四号（长春）商贸有限公司"],
        ["虚构五号(吉林)商贸有限公司"],
        ["虚构六号有限凬司"],
        ["虚构二十三号\"吉祥\"有限公司"],
    ];
    assert_eq!(lake.sql(names).await, expected);
    let scopes = "select max(char_length(business_scope)), \
                  max(business_scope) filter (where name like '虚构二十三号%') from market.enterprises";
    assert_eq!(lake.sql(scopes).await, [["1024", "\"甲\"类, \"乙\"类"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_rows_are_in_quarantine_and_their_neighbour_is_loaded() {
    let lake = lake(&chinese_enterprise_pipeline(MALFORMED_FILE, "warn")).await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!((report.run.rows_read, report.run.rows_loaded, report.run.rows_rejected), (4, 1, 3));
    let found = lake.sql("select file, line, reason, message from system.quarantine order by line").await;
    let fields = "the row has 13 fields and the header 10";
    let quote = "text follows a closing quote: quotes within a field must be doubled";
    let expected = [("2", "FIELD_COUNT", fields), ("3", "FIELD_COUNT", fields), ("4", "QUOTE", quote)];
    assert_eq!(found, expected.map(|(line, reason, message)| [MALFORMED_FILE, line, reason, message]));
    let raw = "select raw from system.quarantine where line = 4";
    let line = String::from_utf8_lossy(MALFORMED).lines().nth(3).unwrap().to_owned();
    assert_eq!(lake.sql(raw).await, [[line]]);
    assert_eq!(lake.sql("select name, capital_wan from market.enterprises").await, [["虚构丁有限公司", "5.0000"]]);
}
