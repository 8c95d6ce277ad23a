#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::Path;

use arrow::array::{Array, AsArray};
use encoding_rs::GB18030;

use super::super::file::Files;
use super::super::{Source, UnreadableRow};
use super::*;

fn def(path: &str) -> CsvSource {
    CsvSource {
        path: path.into(),
        connection: None,
        entries: None,
        expanded_limit_gib: None,
        encoding: "auto".into(),
        delimiter: ',',
        null_values: vec!["N/A".into()],
    }
}

/// Rows as text with their lines, and the unreadable ones.
type Rows = (Vec<(u64, Vec<Option<String>>)>, Vec<UnreadableRow>);

fn open(root: &Path, def: &CsvSource) -> Result<Files, SourceError> {
    Files::open(root, &def.path, &Csv::try_new(def)?)
}

fn read(source: &Files) -> Result<Rows, SourceError> {
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for batch in source.batches()? {
        let batch = batch?;
        for row in 0..batch.batch.num_rows() {
            let values = batch.batch.columns().iter().map(|column| {
                let column = column.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            });
            rows.push((batch.lines.value(row), values.collect()));
        }
        unreadable.extend(batch.unreadable);
    }
    Ok((rows, unreadable))
}

fn load(bytes: &[u8]) -> Result<Rows, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), bytes).unwrap();
    read(&open(folder.path(), &def("a.csv"))?)
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn lines_are_those_of_the_file() {
    let (rows, unreadable) = load(
        "\u{feff} 名称\u{3000},\u{a0}址 \r\n\r\n甲,\"a\r\nb\"\r\n乙,N/A\r\n丙\r\n丁,\"\"\r\n戊,1,2\r\n己,x".as_bytes(),
    )
    .unwrap();
    assert_eq!(
        rows,
        [
            (3, some(&["甲", "a\r\nb"])),
            (5, vec![Some("乙".into()), None]),
            (7, vec![Some("丁".into()), None]),
            (9, some(&["己", "x"])),
        ]
    );
    let found: Vec<_> = unreadable.iter().map(|row| (row.line, row.reason, row.raw.as_str())).collect();
    assert_eq!(found, [(6, "FIELD_COUNT", "丙"), (8, "FIELD_COUNT", "戊,1,2")]);
    assert_eq!(unreadable[1].message, "the row has 3 fields and the header 2");
}

#[test]
fn a_stray_quote_costs_its_line_and_no_other() {
    let text = "a,b\n1,\"x\n2,y\n3,\"z\"\n4,\"q\"q\n5,w\n6,\"never\n7,v\n";
    let (rows, unreadable) = load(text.as_bytes()).unwrap();
    assert_eq!(rows, [(3, some(&["2", "y"])), (4, some(&["3", "z"])), (6, some(&["5", "w"])), (8, some(&["7", "v"]))]);
    let found: Vec<_> = unreadable.iter().map(|row| (row.line, row.reason)).collect();
    assert_eq!(found, [(2, "QUOTE"), (5, "QUOTE"), (7, "QUOTE")]);
    // Two stray quotes that pair over lines, with a number of fields that does not fit.
    let (rows, unreadable) = load(b"a,b\n1,\"x\n2,y\n3,\",z\n4,w\n").unwrap();
    assert_eq!(rows, [(3, some(&["2", "y"])), (5, some(&["4", "w"]))]);
    assert_eq!(unreadable.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn many_rows_come_in_batches_and_none_is_lost() {
    let mut text = String::from("n,text\n");
    for n in 0..30_000 {
        text.push_str(&format!("{n},\"吉祥\n云{n}\"\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("utf8.csv", text.as_bytes().to_vec()),
        ("gb.csv", GB18030.encode(&text).0.into_owned()),
        ("zstd.csv", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
        let source = open(folder.path(), &def(name)).unwrap();
        let batches: Vec<_> = source.batches().unwrap().map(Result::unwrap).collect();
        assert!(batches.iter().all(|batch| batch.batch.num_rows() <= super::super::BATCH_ROWS));
        let read_bytes: u64 = batches.iter().map(|batch| batch.bytes).sum();
        assert_eq!(read_bytes, source.files()[0].size_bytes);
        let (rows, _) = read(&source).unwrap();
        assert_eq!(rows.len(), 30_000, "{name}");
        for (n, (line, values)) in rows.iter().enumerate() {
            assert_eq!(*line, 2 + 2 * n as u64);
            assert_eq!(*values, some(&[&n.to_string(), &format!("吉祥\n云{n}")]));
        }
    }
    let encoding = |name| open(folder.path(), &def(name)).unwrap().files()[0].encoding.clone();
    assert_eq!(encoding("gb.csv").as_deref(), Some("GB18030"));
    assert_eq!(encoding("utf8.csv").as_deref(), Some("UTF-8"));
}

#[test]
fn a_trail_byte_that_looks_like_a_delimiter_is_none() {
    // 0x7C is the second byte of 倈 in GBK (0x82 0x7C), and `|` in ASCII.
    let mut bytes = b"a|b\n".to_vec();
    bytes.extend_from_slice(&[0x82, 0x7c, b'|', 0xbc, 0xaa, b'\n']);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), &bytes).unwrap();
    let source = open(folder.path(), &CsvSource { delimiter: '|', ..def("a.csv") }).unwrap();
    let (rows, unreadable) = read(&source).unwrap();
    assert_eq!(unreadable, []);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1[1].as_deref(), Some("吉"));
}

#[test]
fn several_files_are_one_source_when_their_headers_agree() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.csv"), "a,b\n1,2\n").unwrap();
    fs::write(folder.path().join("2.csv"), "\u{feff}a,b\r\n3,4\r\n").unwrap();
    let source = open(folder.path(), &def("*.csv")).unwrap();
    assert_eq!(source.files().iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["1.csv", "2.csv"]);
    assert_eq!(read(&source).unwrap().0, [(2, some(&["1", "2"])), (2, some(&["3", "4"]))]);
    fs::write(folder.path().join("3.csv"), "a,c\n1,2\n").unwrap();
    let error = open(folder.path(), &def("*.csv")).unwrap_err();
    assert_eq!(error.to_string(), "`3.csv` has other columns than `1.csv`: column 2 is `c` and not `b`");
}

#[test]
fn files_that_cannot_be_loaded_say_why() {
    let message = |bytes: &[u8]| load(bytes).unwrap_err().to_string();
    assert_eq!(message(b""), "source file `a.csv` is empty: not even a header line");
    assert_eq!(message(b"\n\r\n"), "source file `a.csv` is empty: not even a header line");
    assert_eq!(message(b"a,b\n"), "source file `a.csv` has a header and no rows");
    assert_eq!(message(b"a,\n1,2\n"), "the header of `a.csv` cannot be used: column 2 has no name");
    assert_eq!(message(b"a, a\n1,2\n"), "the header of `a.csv` cannot be used: columns 1 and 2 are both called `a`");
    let long = [b"a,b\n1,2\n3,".to_vec(), vec![b'x'; 2 << 20]].concat();
    assert_eq!(message(&long), "line 3 of `a.csv` holds a row of more than 1048576 bytes");
    assert!(message(b"a,b\n1,\xff\n").contains("is not GB18030 text: byte 6 cannot be decoded, on line 2"));
}

#[test]
fn a_quote_that_swallows_a_megabyte_costs_one_line() {
    let mut text = String::from("a,b\n1,\"open\n");
    for n in 0..120_000 {
        text.push_str(&format!("{n},some text\n"));
    }
    let (rows, unreadable) = load(text.as_bytes()).unwrap();
    assert_eq!((rows.len(), unreadable.len()), (120_000, 1));
    assert_eq!(rows[0].0, 3);
}

#[test]
fn a_file_that_changes_between_opening_and_reading_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "a,b\n1,2\n").unwrap();
    let source = open(folder.path(), &def("a.csv")).unwrap();
    fs::write(folder.path().join("a.csv"), "a,b\n1,3\n").unwrap();
    assert!(matches!(read(&source), Err(SourceError::Changed { .. })));
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let message = |def: &CsvSource| open(folder.path(), def).unwrap_err().to_string();
    assert_eq!(message(&CsvSource { delimiter: '，', ..def("a.csv") }), "`delimiter` of the source cannot be `，`");
    assert_eq!(
        message(&CsvSource { encoding: "latin1".into(), ..def("a.csv") }),
        "`encoding` of the source cannot be `latin1`"
    );
    assert_eq!(message(&def("nothing.csv")), "source file `nothing.csv` does not exist");
}
