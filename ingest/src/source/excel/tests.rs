#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use arrow::array::{Array, AsArray};

use super::super::file::Files;
use super::super::{Source, UnreadableRow};
use super::*;

/// Written by other libraries: see `make.py` beside them.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)).unwrap()
}

fn def(settings: &str) -> ExcelSource {
    toml::from_str(&format!("path = 'a.xlsx'\n{settings}")).unwrap()
}

type Rows = Vec<(u64, Vec<Option<String>>)>;

#[derive(Debug)]
struct Loaded {
    names: Vec<String>,
    rows: Rows,
    unreadable: Vec<UnreadableRow>,
    notes: Vec<String>,
    files: Vec<RunSource>,
}

fn load(bytes: &[u8], settings: &str) -> Result<Loaded, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.xlsx"), bytes).unwrap();
    let source = Files::open(folder.path(), "a.xlsx", &Excel::try_new(&def(settings))?)?;
    let (mut rows, mut unreadable) = (Rows::new(), Vec::new());
    for batch in source.batches()? {
        let batch = batch?;
        unreadable.extend(batch.unreadable);
        for (row, line) in batch.lines.values().iter().enumerate() {
            let texts = batch.batch.columns().iter().map(|column| column.as_string::<i32>());
            rows.push((*line, texts.map(|text| text.is_valid(row).then(|| text.value(row).to_owned())).collect()));
        }
    }
    Ok(Loaded {
        names: source.schema().fields().iter().map(|field| field.name().clone()).collect(),
        rows,
        unreadable,
        notes: source.notes(),
        files: source.files().to_vec(),
    })
}

fn message(bytes: &[u8], settings: &str) -> String {
    load(bytes, settings).unwrap_err().to_string()
}

/// Texts, `-` for a missing value.
fn row(line: u64, texts: &str) -> (u64, Vec<Option<String>>) {
    (line, texts.split('|').map(|text| (text != "-").then(|| text.to_owned())).collect())
}

#[test]
fn titles_merged_headers_categories_and_notes() {
    let settings = "footer = '合计|注'\nfill_merged = true\nfold_names = true";
    let read = load(&fixture("register.xlsx"), settings).unwrap();
    assert_eq!(read.names, ["地区", "名称", "代码", "收入.合计", "收入.税收", "登记日期"]);
    let expected = [
        row(5, "长春市|一汽|007|0.3|1000000000000000|2024-03-07"),
        row(6, "长春市|欧亚|008|-|12|2024-03-07 09:30:00"),
        row(9, "吉林市|隐藏|011|true|-5.5|不详"),
    ];
    assert_eq!(read.rows, expected);
    let found: Vec<_> = read.unreadable.iter().map(|row| (row.line, row.reason, row.message.as_str())).collect();
    let digits = "cell E8 of sheet `登记表` holds 220102199001011200 as a number, of which only the first 15 digits are sure: \
                  the column must be text in the workbook";
    let expected = [
        (7, "CELL_ERROR", "cell D7 of sheet `登记表` holds the error #N/A and no value"),
        (8, "DIGITS_LOST", digits),
        (11, "FIELD_COUNT", "cell G11 of sheet `登记表` holds `多`, and the header names no such column"),
    ];
    assert_eq!(found, expected);
    let raw =
        r##"{"地区":"吉林市","名称":"吉化","代码":"009","收入.合计":"#N/A","收入.税收":"1","登记日期":"1999-12-31"}"##;
    assert_eq!(read.unreadable[0].raw, raw);
    let notes = [
        "`a.xlsx/登记表`: read sheet `登记表`, the first of 3 sheets, header in rows 3 to 4",
        "`a.xlsx/登记表`: left out 2 rows at the top, 1 blank row, 2 rows of the footer from row 12 on",
    ];
    assert_eq!(read.notes, notes);
    assert_eq!(read.files[0].path, "a.xlsx/登记表");
}

#[test]
fn settings_decide_otherwise() {
    let bytes = fixture("register.xlsx");
    // Merged cells not filled, the error a missing value, the footer by its number of rows, the header by its row.
    let read = load(&bytes, "footer = 2\nnull_values = ['#N/A', '多']\nheader = 3\nfold_names = true").unwrap();
    assert_eq!(read.rows[1], row(6, "-|欧亚|008|-|12|2024-03-07 09:30:00"));
    assert_eq!(read.rows[2], row(7, "吉林市|吉化|009|-|1|1999-12-31"));
    assert_eq!(read.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6, 7, 9, 11]);
    assert_eq!(
        read.notes[1],
        "`a.xlsx/登记表`: left out 2 rows at the top, 1 blank row, 2 rows of the footer from row 12 on"
    );
    // One row of the header only.
    let error = message(&bytes, "header = 3\nheader_rows = 1");
    assert!(error.contains("columns 4 and 5 are both called `收入`"), "{error}");
    let read = load(&bytes, "header = 4\nheader_rows = 1\nsheet = 2\nduplicate_names = 'number'").unwrap();
    assert_eq!(read.names, ["合计", "税收"]);
    let read = load(&bytes, "sheet = '说明'").unwrap();
    assert_eq!((read.names, read.rows), (vec!["只有一列".to_owned()], vec![row(2, "甲")]));
    let read = load(&bytes, "sheet = '说明'\nheader = 'none'\ncolumns = ['x']\nsheet_column = 'sheet'").unwrap();
    assert_eq!(
        (read.names, read.rows),
        (vec!["x".to_owned(), "sheet".into()], vec![row(1, "只有一列|说明"), row(2, "甲|说明")])
    );
    assert!(message(&bytes, "sheet = '隐藏'").contains("has a header and no rows"));
}

#[test]
fn sheets_by_pattern_are_one_source() {
    let read = load(&fixture("years.xlsx"), "sheet = '*年'\nsheet_column = 'year'").unwrap();
    assert_eq!(read.names, ["名称", "数量", "year"]);
    assert_eq!(read.rows, [row(2, "a|1|2023年"), row(2, "b|2|2024年"), row(3, "c|3|2024年")]);
    let paths: Vec<_> = read.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.xlsx/2023年", "a.xlsx/2024年"]);
    assert_ne!(read.files[0].sha256, read.files[1].sha256, "each sheet is a content of its own");
    let error = message(&fixture("years.xlsx"), "sheet = '2025年'");
    assert_eq!(
        error,
        "`a.xlsx` cannot be read as a workbook: it has no sheet `2025年`; its sheets are `2023年`, `2024年`, `备注`"
    );
    assert!(message(&fixture("years.xlsx"), "sheet = 4").contains("it has no sheet 4"));
    assert_eq!(message(&fixture("years.xlsx"), "sheet = 0"), "`sheet` of the source cannot be `0`");
}

#[test]
fn formulas_give_the_values_they_had() {
    let read = load(&fixture("formulas.xlsx"), "").unwrap();
    assert_eq!(read.rows, [row(3, "4|c|0")]);
    assert_eq!(read.unreadable[0].message, "cell C2 of sheet `Sheet1` holds the error #DIV/0! and no value");
}

#[test]
fn the_date_system_of_1904() {
    let read = load(&fixture("mac1904.xlsx"), "").unwrap();
    assert_eq!(read.rows, [row(2, "2024-03-07|1"), row(3, "1904-01-02 12:00:00|2")]);
    assert_eq!(load(&fixture("mac1904.xls"), "").unwrap().rows, [row(2, "2024-03-07|1")]);
}

#[test]
fn old_workbooks_in_chinese() {
    let read = load(&fixture("old.xls"), "fill_merged = true").unwrap();
    assert_eq!(read.names, ["名称", "代码", "日期", "金额"]);
    let expected = [
        row(3, "长春欧亚集团|007|2024-03-07|1234.5"),
        row(4, "吉化|008|1999-12-31|30"),
        row(5, "合并|009|-|-"),
        row(6, "合并|010|-|-"),
    ];
    assert_eq!(read.rows, expected);
}

#[test]
fn open_documents() {
    let read = load(&fixture("open.ods"), "fill_merged = true").unwrap();
    assert_eq!(read.names, ["名称", "收入.合计", "收入.日期"]);
    assert_eq!(read.rows, [row(3, "欧亚|1.5|2024-03-07"), row(4, "欧亚|2|1999-12-31")]);
}

#[test]
fn packed_workbooks_are_read() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&fixture("old.xls")).unwrap();
    assert_eq!(load(&packed.finish().unwrap(), "").unwrap().rows.len(), 4);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("in/y.xlsx", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&fixture("years.xlsx")).unwrap();
    let read = load(&archive.finish().unwrap().into_inner(), "").unwrap();
    assert_eq!((read.files[0].path.as_str(), read.rows.len()), ("a.xlsx/in/y.xlsx/2023年", 1));
}

#[test]
fn other_files_are_called_what_they_are() {
    for (bytes, expected) in [
        (b"name,n\na,1\n".to_vec(), "it is delimited text that is only called a workbook"),
        (encoding_rs::GB18030.encode("名称\t数量\n").0.into_owned(), "it is delimited text"),
        (b"<html><body><table><tr><td>1</td></tr></table>".to_vec(), "it is a web page (HTML)"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html>".to_vec(), "it is a web page (HTML)"),
        (
            b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'/>".to_vec(),
            "it is an XML spreadsheet of Excel 2003",
        ),
        (b"%PDF-1.7".to_vec(), "it is a PDF"),
        (b"[{}]".to_vec(), "it is JSON"),
        (vec![1, 2, 3], "it is none"),
        (fixture("locked.xlsx"), "it is encrypted with a password"),
        (with_part("years.xlsx", "word/document.xml", b"<x/>", "xl/workbook.xml"), "it is a Word document"),
    ] {
        let error = message(&bytes, "");
        assert!(error.starts_with("`a.xlsx` cannot be read as a workbook: ") && error.contains(expected), "{error}");
    }
    assert!(message(b"", "").contains("is empty"));
}

/// A fixture with one part more, or another, and one less.
fn with_part(name: &str, part: &str, content: &[u8], without: &str) -> Vec<u8> {
    let mut source = zip::ZipArchive::new(std::io::Cursor::new(fixture(name))).unwrap();
    let mut target = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for index in 0..source.len() {
        let mut entry = source.by_index(index).unwrap();
        let own = String::from_utf8(entry.name_raw().to_vec()).unwrap();
        if own == part || own == without {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        target.start_file(own, options).unwrap();
        target.write_all(&bytes).unwrap();
    }
    target.start_file(part, options).unwrap();
    target.write_all(content).unwrap();
    target.finish().unwrap().into_inner()
}

#[test]
fn hostile_workbooks_are_refused_in_bounded_memory() {
    let sheet = |cells: &str| {
        let xml = format!("<worksheet><sheetData><row r=\"1\">{cells}</row></sheetData></worksheet>");
        with_part("years.xlsx", "xl/worksheets/sheet1.xml", xml.as_bytes(), "")
    };
    let strings = |xml: &[u8]| with_part("years.xlsx", "xl/sharedStrings.xml", xml, "");
    let long = [b"<sst><si><t>".to_vec(), vec![b'a'; 5 << 20], b"</t></si></sst>".to_vec()].concat();
    for (bytes, expected) in [
        (sheet("<c r=\"BDWGN1\"><v>1</v></c>"), "column 1000000: a sheet has 1048576 rows and 16384 columns at most"),
        (sheet(&"<c><v>1</v></c>".repeat(20_000)), "column 16385: a sheet has"),
        (sheet("<c r=\"ZZZZZZZZZZZZZZ1\"><v>1</v></c>"), "it is damaged"),
        (sheet("<c r=\"A1\"><v>1</v></c><c r=\"A1\"><v>1</v></c>"), "row 1 has two cells in one column"),
        (strings(&long), "has a text of more than 4194304 bytes"),
        (strings(b"<sst uniqueCount=\"99999999999\"><si><t>a</t></si></sst>"), "says it holds 99999999999 texts"),
    ] {
        let error = message(&bytes, "sheet = 1");
        assert!(error.contains(expected), "{error}");
    }
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&fixture("years.xlsx")).unwrap();
    let error = guard::check_zip(&mut file, "a.xlsx", super::super::file::Limits::new(Some(0))).unwrap_err();
    assert!(error.to_string().contains("is too large"), "{error}");
    // The old format: rows beyond what it can have.
    let mut old = fixture("old.xls");
    let at = old.windows(4).position(|bytes| bytes == [0, 2, 14, 0]).unwrap();
    old[at + 8..at + 12].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    assert!(message(&old, "").contains("more than the format allows"), "{}", message(&old, ""));
}

#[test]
fn a_damaged_workbook_never_ends_the_process() {
    for name in ["old.xls", "years.xlsx", "open.ods"] {
        let sound = fixture(name);
        for at in (0..sound.len()).step_by(sound.len() / 40) {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x55;
            for bytes in [&flipped[..], &sound[..at]] {
                // Some damage is harmless.
                if let Err(error) = load(bytes, "") {
                    assert!(error.to_string().contains("a.xlsx"), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_row_that_points_to_one_long_text_from_each_cell() {
    let text = "a".repeat(3 << 20);
    let bytes =
        with_part("years.xlsx", "xl/sharedStrings.xml", format!("<sst><si><t>{text}</t></si></sst>").as_bytes(), "");
    let cells: String = (0..10_000).map(|_| "<c t=\"s\"><v>0</v></c>").collect();
    let xml = format!("<worksheet><sheetData><row r=\"1\">{cells}</row></sheetData></worksheet>");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.xlsx");
    fs::write(&path, &bytes).unwrap();
    let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    let mut target = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let own = String::from_utf8(entry.name_raw().to_vec()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        target.start_file(own.clone(), zip::write::SimpleFileOptions::default()).unwrap();
        target.write_all(if own == "xl/worksheets/sheet1.xml" { xml.as_bytes() } else { &content }).unwrap();
    }
    let error = message(&target.finish().unwrap().into_inner(), "sheet = 1");
    assert_eq!(error, "line 1 of `a.xlsx` holds a row of more than 16777216 bytes");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (settings, error) in [
        ("header = 'none'", "`header` of the source cannot be `none`"),
        ("columns = ['a']", "`columns` of the source cannot be `a`"),
        ("header = 0", "`header` of the source cannot be `0`"),
        ("header_rows = 11", "`header_rows` of the source cannot be `11`"),
        ("footer = '('", "`footer` of the source cannot be `(`"),
        ("sheet_column = '数量'", "`sheet_column` of the source cannot be `数量`"),
    ] {
        assert_eq!(message(&fixture("years.xlsx"), settings), error);
    }
    assert!(message(&fixture("years.xlsx"), "header = 9").contains("the sheet ends before row 9"));
}
