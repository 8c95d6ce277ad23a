use std::fs::{self, File};

use arrow::ipc::reader::StreamReader;
use calamine::{Data, Reader, Xlsx};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::support::Project;

const SQL: &str = "select decision_no, filed_on, fee, cast(null as varchar) as note from permits.decisions order by 1";

#[test]
fn text_formats_say_the_same() {
    let project = Project::loaded();
    let output = |format: &str| project.run(["sql", "-c", SQL, "--format", format]).ok();
    assert_eq!(
        output("csv"),
        "decision_no,filed_on,fee,note\n001,2019-03-26,12.500000,\n002,2019-03-27,9007199254740993.250000,\n\
         004,2019-04-01,0.000000,\n"
    );
    let rows: Vec<Value> = output("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[1]["fee"], "9007199254740993.250000", "no digit is lost");
    assert_eq!(rows[0]["note"], Value::Null);
    let document: Value = serde_json::from_str(&output("json")).unwrap();
    assert_eq!(document["rows"], Value::from(rows));
    assert_eq!(document["row_count"], 3);
    assert_eq!(document["tables"][0]["name"], "permits.decisions");
    let short: Value = serde_json::from_str(&project.run(["sql", "-c", SQL, "--json"]).ok()).unwrap();
    assert_eq!(short["rows"], document["rows"], "--json is --format json");
    assert!(output("markdown").starts_with("| decision_no | filed_on | fee | note |\n|---|---|---:|---|\n| 001 |"));
    assert!(output("table").contains("│ 001 "), "{}", output("table"));
}

#[test]
fn a_file_takes_its_format_from_its_extension_and_appears_whole() {
    let project = Project::loaded();
    for name in ["out.csv", "out.json", "out.ndjson", "out.arrow", "out.parquet", "out.xlsx", "out.md"] {
        let run = project.run(["sql", "-c", SQL, "-o", name]);
        assert_eq!(run.ok(), "", "{name}");
    }
    let read = |name| File::open(project.path().join(name)).unwrap();
    let arrow: usize =
        StreamReader::try_new(read("out.arrow"), None).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(arrow, 3);
    let parquet = ParquetRecordBatchReaderBuilder::try_new(read("out.parquet")).unwrap();
    assert_eq!(parquet.metadata().file_metadata().num_rows(), 3);
    assert!(fs::read_to_string(project.path().join("out.csv")).unwrap().starts_with("decision_no,"));
    project.run(["sql", "-c", SQL, "-o", "out.xyz"]).failed(2);
}

#[test]
fn a_failure_leaves_no_file_and_keeps_the_old_one() {
    let project = Project::loaded();
    project.write("old.csv", "old\n");
    for name in ["new.csv", "old.csv", "new.xlsx"] {
        let sql = "select cast(decision_no || 'x' as int) as n from permits.decisions";
        project.run(["sql", "-c", sql, "-o", name]).failed(3);
    }
    assert!(!project.path().join("new.csv").exists() && !project.path().join("new.xlsx").exists());
    assert_eq!(fs::read_to_string(project.path().join("old.csv")).unwrap(), "old\n");
    let left = fs::read_dir(project.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_table_shows_as_many_rows_as_asked_and_says_that_there_are_more() {
    let project = Project::loaded();
    let run = project.run(["sql", "-c", SQL, "--format", "table", "--rows", "2"]);
    let shown = run.ok();
    assert!(shown.contains("002") && !shown.contains("004"), "{shown}");
    assert!(run.stderr.contains("the first 2 rows"), "{}", run.stderr);
    let run = project.run(["sql", "-c", SQL, "--format", "table", "--rows", "0"]);
    assert!(run.ok().contains("004"));
    assert_eq!(run.stderr, "");
}

#[test]
fn several_results_do_not_fit_into_a_binary_file() {
    let project = Project::loaded();
    let run = project.run(["sql", "-c", "select 1 as a; select 2 as b", "-o", "x.parquet"]);
    assert!(run.failed(2).contains("2 statements do not fit into one parquet output"), "{}", run.stderr);
}

#[test]
fn a_workbook_keeps_types_and_goes_through_a_pipe() {
    let project = Project::loaded();
    assert_eq!(project.run(["sql", "-c", SQL, "--format", "xlsx", "-o", "out.xlsx"]).ok(), "");
    let mut workbook: Xlsx<_> = calamine::open_workbook(project.path().join("out.xlsx")).unwrap();
    let sheet = workbook.worksheet_range("Sheet1").unwrap();
    let rows: Vec<&[Data]> = sheet.rows().collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[1][0], Data::String("001".into()), "a code keeps its zeros");
    assert!(matches!(&rows[1][1], Data::DateTime(day) if day.as_f64() == 43_550.0), "{:?}", rows[1][1]);
    assert_eq!(rows[1][2..], [Data::Float(12.5), Data::Empty]);
    assert_eq!(rows[2][2], Data::String("9007199254740993.250000".into()), "no digit is lost");
    let piped = Xlsx::new(std::io::Cursor::new(project.run(["sql", "-c", SQL, "--format", "xlsx"]).bytes))
        .unwrap()
        .worksheet_range("Sheet1")
        .unwrap();
    assert_eq!(piped.get_size(), sheet.get_size());
}

#[test]
fn a_text_that_no_cell_holds_is_told_and_leaves_no_file() {
    let project = Project::loaded();
    let sql = "select 'short' as note union all select repeat('x', n) from generate_series(40000, 40000) t(n)";
    let run = project.run(["sql", "-c", sql, "-o", "long.xlsx"]);
    let told = run.failed(3);
    assert!(told.contains("column `note` has 40000 characters") && told.contains("choose csv or parquet"), "{told}");
    assert!(!project.path().join("long.xlsx").exists());
}
