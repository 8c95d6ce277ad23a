//! Workbooks, XML and typed files from end to end; the files were written by other libraries (`fixtures/formats/make.py`).

use xiangyun_ingest::LoadOutcome;

use crate::workspace::Lake;

fn fixture(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    std::fs::read(folder.join(name)).unwrap()
}

fn table(columns: &str) -> String {
    format!(
        r#"version = 1
name = "market.rows"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = {{ zh = "行", en = "rows" }}
description = {{ zh = "行", en = "rows" }}
columns = [{columns}]
"#
    )
}

fn pipeline(source: &str, columns: &str) -> String {
    format!(
        "version = 1\nname = \"rows\"\ntable = \"market.rows\"\nmode = \"append\"\nsource = {{ {source} }}\n[columns]\n{columns}\n"
    )
}

async fn open(file: &str, bytes: &[u8], source: &str, columns: &str, names: &str) -> Lake {
    let (table, pipeline) = (table(columns), pipeline(source, names));
    let files = [("tables/t.toml", table.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes()), (file, bytes)];
    Lake::open(&files).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workbook_is_loaded_and_its_rejects_name_sheet_and_row() {
    let source =
        "kind = \"excel\", path = \"data/r.xlsx\", footer = \"合计|注\", fill_merged = true, fold_names = true";
    let columns = r#"
        { name = "area", type = "text" },
        { name = "code", type = "text" },
        { name = "income", type = "decimal(10,2)", nullable = true },
        { name = "registered_on", type = "timestamp" }"#;
    let names = "area = \"地区\"\ncode = \"代码\"\nincome = \"收入.合计\"\nregistered_on = \"登记日期\"";
    let lake = open("data/r.xlsx", &fixture("register.xlsx"), source, columns, names).await;
    let report = lake.load("rows").await.unwrap();
    assert_eq!((report.run.rows_loaded, report.run.rows_rejected), (2, 4));
    let rows = lake.sql("select area, code, income, _file, _line from market.rows order by _line").await;
    let file = "data/r.xlsx/登记表";
    assert_eq!(rows, [["长春市", "007", "0.30", file, "5"], ["长春市", "008", "", file, "6"]]);
    let found = lake.sql("select file, line, reason from system.quarantine order by line").await;
    let row = |line, reason| [file, line, reason];
    assert_eq!(found, [row("7", "CELL_ERROR"), row("8", "DIGITS_LOST"), row("9", "TYPE"), row("11", "FIELD_COUNT")]);
    let notes = &report.run.notes;
    let said = "`data/r.xlsx/登记表`: read sheet `登记表`, the first of 3 sheets, header in rows 3 to 4";
    assert!(notes.iter().any(|note| note == said), "{notes:?}");
    assert_eq!(lake.load("rows").await.unwrap().outcome, LoadOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sheet_of_a_pattern_is_loaded_once() {
    let source = "kind = \"excel\", path = \"data/y.xlsx\", sheet = \"*年\", sheet_column = \"sheet\"";
    let columns = r#"{ name = "name", type = "text" }, { name = "year", type = "text" }"#;
    let lake = open("data/y.xlsx", &fixture("years.xlsx"), source, columns, "name = \"名称\"\nyear = \"sheet\"").await;
    assert_eq!(lake.load("rows").await.unwrap().run.rows_loaded, 3);
    assert_eq!(lake.load("rows").await.unwrap().outcome, LoadOutcome::Unchanged);
    let rows = lake.sql("select name, year from market.rows order by name").await;
    assert_eq!(rows, [["a", "2023年"], ["b", "2024年"], ["c", "2024年"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_columns_are_converted_without_loss_or_rejected() {
    let columns = r#"
        { name = "id", type = "int64" },
        { name = "small", type = "int64", nullable = true },
        { name = "fine", type = "decimal(10,2)" },
        { name = "at", type = "timestamp", nullable = true },
        { name = "nanos", type = "timestamp" },
        { name = "kind", type = "text" },
        { name = "tags", type = "text", nullable = true }"#;
    for (file, kind) in [("types.parquet", "parquet"), ("types.feather", "arrow"), ("types.arrows", "arrow")] {
        let source = format!("kind = \"{kind}\", path = \"data/{file}\"");
        let lake = open(&format!("data/{file}"), &fixture(file), &source, columns, "").await;
        let report = lake.load("rows").await.unwrap();
        assert_eq!((report.run.rows_loaded, report.run.rows_rejected), (2, 1), "{file}");
        let rows = lake.sql("select id, small, fine, kind, tags, _line from market.rows order by id").await;
        let expected =
            [["1", "1", "1.50", "甲", "[\"a\",\"b\"]", "1"], ["9007199254740993", "3", "2.00", "甲", "", "3"]];
        assert_eq!(rows, expected, "{file}");
        // 1.2345 has too many digits, and 1,001 nanoseconds too.
        assert_eq!(lake.sql("select line, reason from system.quarantine").await, [["2", "TYPE"]], "{file}");
    }
    // A float does not take a whole number that it cannot tell from its neighbour.
    let source = "kind = \"parquet\", path = \"data/t.parquet\"";
    let wide = r#"{ name = "id", type = "float64" }"#;
    let lake = open("data/t.parquet", &fixture("types.parquet"), source, wide, "").await;
    assert_eq!(lake.load("rows").await.unwrap().run.rows_rejected, 1);
    assert_eq!(lake.sql("select line, reason from system.quarantine").await, [["3", "TYPE"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn avro_and_xml_are_loaded() {
    let columns = r#"{ name = "id", type = "int64" }, { name = "day", type = "date" }"#;
    let source = "kind = \"avro\", path = \"data/a.avro\"";
    let lake = open("data/a.avro", &fixture("deflate.avro"), source, columns, "").await;
    assert_eq!(lake.load("rows").await.unwrap().run.rows_loaded, 3);
    assert_eq!(lake.sql("select distinct day from market.rows").await, [["2024-03-07"]]);

    let text = "<?xml version='1.0' encoding='gb18030'?>\n<r><i id='1'><日>2024年3月7日</日></i>\n<i id='x'><日>2024-03-07</日></i></r>";
    let bytes = encoding_rs::GB18030.encode(text).0.into_owned();
    let source = "kind = \"xml\", path = \"data/a.xml\"";
    let lake = open("data/a.xml", &bytes, source, columns, "id = \"@id\"\nday = \"日\"").await;
    let report = lake.load("rows").await.unwrap();
    assert_eq!((report.run.rows_loaded, report.run.rows_rejected), (1, 1));
    assert_eq!(report.run.sources[0].encoding.as_deref(), Some("GB18030"));
    assert_eq!(lake.sql("select line, reason from system.quarantine").await, [["3", "TYPE"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_leaves_the_table_and_says_what_it_is() {
    let columns = r#"{ name = "id", type = "int64" }"#;
    let sound = fixture("types.parquet");
    let source = "kind = \"parquet\", path = \"data/t.parquet\"";
    let lake = open("data/t.parquet", &sound[..sound.len() - 9], source, columns, "").await;
    let error = lake.load("rows").await.unwrap_err();
    assert!(error.to_string().contains("`data/t.parquet` cannot be read as Parquet"), "{error}");
    assert_eq!(lake.sql("select status from system.runs").await, [["failed"]]);
}
