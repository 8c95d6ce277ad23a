//! Values that a careless loader spoils, through every kind of source: a code that looks like null, a leading zero, a
//! number beyond 2^53, a decimal of 38 digits.

use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};

use crate::workspace::Lake;

const TABLE: &str = r#"version = 1
name = "market.codes"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "unconditional"
title = { zh = "代码", en = "codes" }
description = { zh = "代码", en = "codes" }
primary_key = ["code"]
columns = [
    { name = "code", type = "text" },
    { name = "country", type = "text", nullable = true },
    { name = "number", type = "int64" },
    { name = "whole", type = "decimal(38,0)", nullable = true },
    { name = "part", type = "decimal(38,10)", nullable = true },
]
"#;

/// In the order of `code`.
const ROWS: [[&str; 5]; 3] = [
    [
        "007",
        "NA",
        "9007199254740993",
        "12345678901234567890123456789012345678",
        "1234567890123456789012345678.0123456789",
    ],
    ["00700", "null", "-9223372036854775808", "-99999999999999999999999999999999999999", "-0.0000000001"],
    ["1E5", "", "9223372036854775807", "", ""],
];
const NAMES: [&str; 5] = ["code", "country", "number", "whole", "part"];

async fn survives(file: &str, bytes: &[u8], source: &str) {
    let pipeline = format!(
        "version = 1\nname = \"codes\"\ntable = \"market.codes\"\nmode = \"append\"\nsource = {{ {source} }}\n"
    );
    let files = [("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes()), (file, bytes)];
    let lake = Lake::open(&files).await;
    let report = lake.load("codes").await.unwrap();
    assert_eq!((report.run.rows_read, report.run.rows_loaded), (3, 3), "{file}: {:?}", report.rejects);
    let expected = ROWS.map(|row| row.map(str::to_owned).to_vec());
    assert_eq!(lake.sql("select * from market.codes order by code").await, expected, "{file}");
    let missing = "select code from market.codes where country is null or whole is null";
    assert_eq!(lake.sql(missing).await, [["1E5"]], "{file}");
}

fn delimited(delimiter: &str) -> String {
    [NAMES].iter().chain(&ROWS).map(|row| row.join(delimiter) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn through_delimited_text() {
    survives("a.csv", delimited(",").as_bytes(), "kind = \"csv\", path = \"a.csv\"").await;
    survives("a.tsv", delimited("\t").as_bytes(), "kind = \"csv\", path = \"a.tsv\", delimiter = \"\\t\"").await;
}

/// Numbers as numbers of JSON, codes as texts.
fn objects() -> Vec<String> {
    let value = |name: &str, value: &str| match (name, value) {
        (_, "") => "null".to_owned(),
        ("code" | "country", text) => format!("\"{text}\""),
        (_, number) => number.to_owned(),
    };
    let object = |row: &[&str; 5]| {
        let pairs: Vec<_> =
            NAMES.iter().zip(row).map(|(name, text)| format!("\"{name}\": {}", value(name, text))).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    ROWS.iter().map(object).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn through_json() {
    let array = format!("[{}]", objects().join(",\n"));
    survives("a.json", array.as_bytes(), "kind = \"json\", path = \"a.json\"").await;
    survives("a.ndjson", (objects().join("\n") + "\n").as_bytes(), "kind = \"json\", path = \"a.ndjson\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_xml() {
    let row = |row: &[&str; 5]| -> String {
        let cells = NAMES.iter().zip(row).filter(|(_, text)| !text.is_empty());
        format!("<row>{}</row>", cells.map(|(name, text)| format!("<{name}>{text}</{name}>")).collect::<String>())
    };
    let text = format!("<rows>{}</rows>", ROWS.iter().map(row).collect::<String>());
    survives("a.xml", text.as_bytes(), "kind = \"xml\", path = \"a.xml\", row = \"rows/row\"").await;
}

/// A workbook of text cells: a number's cell has 15 digits and no more.
#[tokio::test(flavor = "multi_thread")]
async fn through_a_workbook() {
    let row = |row: &[&str; 5]| -> String {
        let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
        format!("<row>{}</row>", row.iter().map(cell).collect::<String>())
    };
    let rows: String = [NAMES].iter().chain(&ROWS).map(row).collect();
    let spreadsheet = "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"";
    let relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let content = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let parts = [
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{package}/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{content}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/worksheets/sheet1.xml\" ContentType=\"{content}.worksheet+xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r\" Type=\"{relation}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook {spreadsheet} xmlns:r=\"{relation}\"><sheets><sheet name=\"一\" sheetId=\"1\" r:id=\"r\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r\" Type=\"{relation}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        ("xl/worksheets/sheet1.xml", format!("<worksheet {spreadsheet}><sheetData>{rows}</sheetData></worksheet>")),
    ];
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    survives("a.xlsx", &bytes, "kind = \"excel\", path = \"a.xlsx\"").await;
}

fn batch() -> RecordBatch {
    let texts = |column: usize| -> ArrayRef {
        Arc::new(ROWS.iter().map(|row| Some(row[column]).filter(|text| !text.is_empty())).collect::<StringArray>())
    };
    let decimals = |column: usize, scale: i8| -> ArrayRef {
        let values = ROWS.iter().map(|row| row[column].replace('.', "").parse::<i128>().ok());
        Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(38, scale).unwrap())
    };
    let numbers: Int64Array = ROWS.iter().map(|row| row[2].parse::<i64>().ok()).collect();
    let columns: [ArrayRef; 5] = [texts(0), texts(1), Arc::new(numbers), decimals(3, 0), decimals(4, 10)];
    RecordBatch::try_from_iter_with_nullable(NAMES.into_iter().zip(columns).map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn through_parquet_and_arrow() {
    let batch = batch();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    survives("a.parquet", &bytes, "kind = \"parquet\", path = \"a.parquet\"").await;
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    survives("a.arrow", &bytes, "kind = \"arrow\", path = \"a.arrow\"").await;
}
