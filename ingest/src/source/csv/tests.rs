#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::Path;

use arrow::array::{Array, AsArray};
use encoding_rs::GB18030;
use sha2::{Digest, Sha256};

use super::super::file::{Files, hex};
use super::super::{Source, UnreadableRow};
use super::*;

pub(super) fn def(path: &str) -> CsvSource {
    def_with(path, "null_values = ['N/A']")
}

/// With these lines of TOML.
fn def_with(path: &str, settings: &str) -> CsvSource {
    toml::from_str(&format!("path = '{path}'\n{settings}")).unwrap()
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
fn several_files_are_one_source_with_the_columns_of_all() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.csv"), "a,b\n1,2\n").unwrap();
    fs::write(folder.path().join("2.csv"), "\u{feff}a,b\r\n3,4\r\n").unwrap();
    let source = open(folder.path(), &def("*.csv")).unwrap();
    assert_eq!(source.files().iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["1.csv", "2.csv"]);
    assert_eq!(read(&source).unwrap().0, [(2, some(&["1", "2"])), (2, some(&["3", "4"]))]);
    assert_eq!(source.drift().partial, []);
    fs::write(folder.path().join("3.csv"), "c,a\n5,6\n").unwrap();
    let source = open(folder.path(), &def("*.csv")).unwrap();
    let row = |texts: [Option<&str>; 3]| texts.map(|text| text.map(str::to_owned)).to_vec();
    assert_eq!(read(&source).unwrap().0[2], (2, row([Some("6"), None, Some("5")])));
    let drift = source.drift();
    let partial: Vec<_> =
        drift.partial.iter().map(|column| (column.name.as_str(), column.first_without.as_str())).collect();
    assert_eq!(partial, [("b", "3.csv"), ("c", "1.csv")]);
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
    assert_eq!(
        message(b"a,b\n1,\xff\n"),
        "`a.csv` is not GB18030 text: 1 of 1 rows cannot be decoded; byte 6 of the content, on line 2, is no part of a \
         character in GB18030"
    );
    assert_eq!(message(b"a,\xff\n1,2\n"), "`a.csv` is not GB18030 text: byte 2 cannot be decoded, on line 1");
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

/// As [`open`], for files of any size to be read once.
fn open_once(root: &Path, def: &CsvSource) -> Files {
    Files::open(root, &def.path, &Csv::try_new(def).unwrap().reading_once(Some(1))).unwrap()
}

const CERTAIN: &str = "名称,地址\n吉祥云有限公司,长春市人民大街\n";

fn hash_of(source: &Files) -> Option<String> {
    source.hashed_files(&|_| true).unwrap().remove(0).sha256
}

#[test]
fn a_file_is_read_once_where_its_start_tells_its_encoding_and_hashed_first_elsewhere() {
    let gb = |text: &str| GB18030.encode(text).0.into_owned();
    let rows = CERTAIN.repeat(3);
    let cases: [(&str, Vec<u8>, bool); 10] = [
        ("UTF-8", rows.clone().into(), true),
        ("UTF-8", [b"\xef\xbb\xbf", b"a,b\n1,2\n".as_slice()].concat(), true),
        ("GB18030", [b"\x84\x31\x95\x33", gb("名,址\n甲,1\n").as_slice()].concat(), true),
        ("UTF-16LE", [b"\xff\xfe".to_vec(), utf16("a,b\n1,2\n", u16::to_le_bytes)].concat(), true),
        // Damage behind the proof is a rejected row, and the encoding stays what it is.
        ("UTF-8", [rows.as_bytes(), b"\xff,x\n"].concat(), true),
        ("UTF-8", b"a,b\n1,2\n".to_vec(), false),
        ("UTF-8", "名称,地址\n甲,乙\n".into(), false),
        ("GB18030", [b"a,b\n".repeat(1_100_000), gb("名,址\n")].concat(), false),
        ("GB18030", gb(&rows), false),
        ("UTF-16BE", utf16(&rows, u16::to_be_bytes), false),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (encoding, bytes, is_once) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        fs::write(folder.path().join("a.csv"), &bytes).unwrap();
        let (source, first) = (open_once(folder.path(), &def("a.csv")), open(folder.path(), &def("a.csv")).unwrap());
        let expected = RunSource { sha256: None, ..first.files()[0].clone() };
        let record = source.files()[0].clone();
        assert_eq!(record.encoding.as_deref(), Some(encoding), "{shown}");
        assert_eq!((record.sha256.is_none(), RunSource { sha256: None, ..record }), (is_once, expected), "{shown}");
        assert_eq!(read(&source).unwrap(), read(&first).unwrap(), "{shown}");
        assert_eq!(hash_of(&source), first.files()[0].sha256, "{shown}");
    }
    // Declared, it is certain whatever the start; compressed, a file is unpacked once more.
    fs::write(folder.path().join("a.csv"), "a,b\n1,2\n").unwrap();
    assert_eq!(open_once(folder.path(), &def_with("a.csv", "encoding = 'gb18030'")).files()[0].sha256, None);
    fs::write(folder.path().join("a.csv"), zstd::encode_all(rows.as_bytes(), 1).unwrap()).unwrap();
    assert!(open_once(folder.path(), &def("a.csv")).files()[0].sha256.is_some());
}

#[test]
fn every_reading_of_a_file_that_is_read_once_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let text = CERTAIN.repeat(10_000);
    let sha256 = Some(hex(&Sha256::digest(&text)));
    // A time of its own, as a file of yesterday has: every later change shows.
    let write = |text: &str| {
        fs::write(&path, text).unwrap();
        let yesterday = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(yesterday).unwrap();
        open_once(folder.path(), &def("a.csv"))
    };
    // Two readings at a time, and one after them.
    let source = write(&text);
    let (mut one, mut other) = (source.batches().unwrap(), source.batches().unwrap());
    assert!(one.next().unwrap().is_ok() && other.next().unwrap().is_ok());
    assert!(one.all(|batch| batch.is_ok()) && other.all(|batch| batch.is_ok()));
    assert_eq!(hash_of(&source), sha256);
    assert_eq!(read(&source).unwrap().0.len(), 19_999);
    // A reading that ends early settles nothing.
    let source = write(&text);
    assert!(source.batches().unwrap().next().unwrap().is_ok());
    assert_eq!(hash_of(&source), sha256);
    // Changed before its rows are read, behind what was read, and within it; by size and without.
    let (longer, shorter) = (format!("{text}甲,乙\n"), text[..text.len() - 10].to_owned());
    for (name, changed) in [("longer", longer), ("shorter", shorter), ("as long", text.replacen("长春市", "吉林市", 1))]
    {
        let source = write(&text);
        fs::write(&path, &changed).unwrap();
        assert!(matches!(read(&source), Err(SourceError::Changed { .. })), "{name}");
        assert!(matches!(source.hashed_files(&|_| true), Err(SourceError::Changed { .. })), "{name}");
        let source = write(&text);
        let mut batches = source.batches().unwrap();
        assert!(batches.next().unwrap().is_ok());
        fs::write(&path, &changed).unwrap();
        let end = batches.find(Result::is_err);
        assert!(matches!(end, Some(Err(SourceError::Changed { .. }))), "{name}");
        // Changed between two readings.
        let source = write(&text);
        read(&source).unwrap();
        fs::write(&path, &changed).unwrap();
        assert!(matches!(read(&source), Err(SourceError::Changed { .. })), "{name}");
        assert_eq!(hash_of(&source), sha256, "that of what was read first");
    }
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

/// What a file gives with these settings.
fn load_with(bytes: &[u8], settings: &str) -> Result<(Rows, Vec<String>), SourceError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), bytes).unwrap();
    let source = open(folder.path(), &def_with("a.csv", settings))?;
    let rows = read(&source)?;
    Ok((rows, source.notes()))
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn every_encoding_is_detected_and_gives_the_same_rows() {
    let text = "\u{540d}\u{7a31},\u{5730}\u{5740},\u{8a3b}\u{518a}\n\u{842c}\u{83ef}\u{570b}\u{969b}\u{8cbf}\u{6613}\u{6709}\u{9650}\u{516c}\u{53f8},\u{53f0}\u{5317}\u{5e02}\u{4e2d}\u{6b63}\u{5340},\u{662f}\n\
                \u{9577}\u{6625}\u{88dc}\u{6559},\u{95dc}\u{5eab}\u{88e1},1\n";
    let marked = |mark: &[u8], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
    let cases = [
        ("UTF-8", text.as_bytes().to_vec()),
        ("UTF-8", marked(b"\xef\xbb\xbf", text.as_bytes().to_vec())),
        ("UTF-16LE", utf16(text, u16::to_le_bytes)),
        ("UTF-16BE", utf16(text, u16::to_be_bytes)),
        ("UTF-16LE", marked(b"\xff\xfe", utf16(text, u16::to_le_bytes))),
        ("UTF-16BE", marked(b"\xfe\xff", utf16(text, u16::to_be_bytes))),
        ("GB18030", GB18030.encode(text).0.into_owned()),
        ("Big5", encoding_rs::BIG5.encode(text).0.into_owned()),
    ];
    let expected = read_text(text);
    for (encoding, bytes) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.csv"), &bytes).unwrap();
        let source = open(folder.path(), &def("a.csv")).unwrap();
        assert_eq!(source.files()[0].encoding.as_deref(), Some(encoding), "{bytes:x?}");
        assert_eq!(read(&source).unwrap(), (expected.clone(), Vec::new()), "{encoding}");
        let declared = def_with("a.csv", &format!("encoding = '{encoding}'"));
        assert_eq!(read(&open(folder.path(), &declared).unwrap()).unwrap().0, expected, "{encoding}");
    }
}

fn read_text(text: &str) -> Vec<(u64, Vec<Option<String>>)> {
    let lines = text.lines().enumerate().skip(1);
    lines.map(|(line, text)| (line as u64 + 1, some(&text.split(',').collect::<Vec<_>>()))).collect()
}

#[test]
fn bytes_of_no_meaning_cost_their_row_and_are_shown() {
    // Line 3 has a lead byte before a delimiter, line 5 a byte that no encoding has, lines 6 and 7 are one row.
    let mut bytes = Vec::new();
    for line in ["\u{540d}\u{79f0},\u{5730}\u{5740}", "\u{5409},\u{7965}"] {
        bytes.extend_from_slice(&GB18030.encode(line).0);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(b"x\x81,y\n\xbc\xaa,1\n2,\xff\xcf\xe9\n\"a\nb\xff\",3\n");
    bytes.extend_from_slice(b"4,5\n6,7\n8,\xff,9\n0,0\n");
    let (rows, unreadable) = load(&bytes).unwrap();
    assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 8, 9, 11]);
    assert_eq!(rows[1].1, some(&["\u{5409}", "1"]));
    let found: Vec<_> = unreadable.iter().map(|row| (row.line, row.reason, row.raw.as_str())).collect();
    let expected = [
        (3, "ENCODING", "x\\x81,y"),
        (5, "ENCODING", "2,\\xFF\u{7965}"),
        (6, "ENCODING", "\"a\nb\\xFF\",3"),
        (10, "ENCODING", "8,\\xFF,9"),
    ];
    assert_eq!(found, expected);
    let at = |byte: u8, from: usize| from + bytes[from..].iter().position(|b| *b == byte).unwrap();
    let third = at(0xff, at(0xff, 0) + 1);
    assert_eq!(
        unreadable[2].message,
        format!("byte {third} of the content, on line 7, is no part of a character in GB18030")
    );
}

#[test]
fn a_damaged_utf8_file_keeps_its_other_rows() {
    let mut bytes = "\u{540d}\u{79f0}\n\u{957f}\u{6625}\u{5e02}\u{5357}\u{5173}\u{533a}\u{4eba}\u{6c11}\u{5927}\u{8857}\u{67d0}\u{67d0}\u{6709}\u{9650}\u{516c}\u{53f8}\n\u{5409}\n".as_bytes().to_vec();
    bytes.extend_from_slice(b"a\xe5\x90\nb\n");
    let (rows, unreadable) = load(&bytes).unwrap();
    assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(unreadable.len(), 1);
    assert_eq!((unreadable[0].line, unreadable[0].raw.as_str()), (4, "a\\xE5\\x90"));
    // Cut in the middle of a character at its end.
    bytes.push(0xe5);
    let (_, unreadable) = load(&bytes).unwrap();
    assert_eq!((unreadable[1].line, unreadable[1].raw.as_str()), (6, "\\xE5"));
    // Half of the rows may be damaged, and not more.
    assert_eq!(load(b"a\n1\n\xff\n").unwrap().1.len(), 1);
    let error = load(b"a\n1\n\xff\n\xff\n").unwrap_err();
    assert!(error.to_string().contains("2 of 3 rows cannot be decoded"), "{error}");
}

#[test]
fn lines_above_below_and_between_are_left_out_and_said_so() {
    let text = "Title\n\"unit: yuan\nname,n\n# note\na,1\n\nb,2\n  Total,3\nnote \"x\"\n\nend,9,9\n";
    let settings = "skip_lines = 2\ncomment = '#'\nfooter = 'Total|Sum'";
    let ((rows, unreadable), notes) = load_with(text.as_bytes(), settings).unwrap();
    assert_eq!(rows, [(5, some(&["a", "1"])), (7, some(&["b", "2"]))]);
    assert_eq!(unreadable, []);
    let said = "`a.csv`: left out 2 lines at the top, 1 blank line, 1 comment, 4 lines of the footer from line 8 on";
    assert_eq!(notes, [said]);
    // The header's line instead; a footer of three rows, of which two have other numbers of fields.
    let text = "Title\n\"unit: yuan\nname,n\na,1\nb,2\nTotal,3\nnote\nend,9,9\n";
    let ((rows, unreadable), notes) = load_with(text.as_bytes(), "header = 3\nfooter = 3").unwrap();
    assert_eq!(rows, [(4, some(&["a", "1"])), (5, some(&["b", "2"]))]);
    assert_eq!(unreadable, []);
    assert_eq!(notes, ["`a.csv`: left out 2 lines at the top, 3 rows of the footer from line 6 on"]);
    let message = |text: &str, settings| load_with(text.as_bytes(), settings).unwrap_err().to_string();
    assert_eq!(
        message("a\n\nb\n1\n", "header = 2"),
        "the header of `a.csv` cannot be used: line 2 is blank or a comment"
    );
    assert_eq!(message("a\n1\n", "header = 9"), "the header of `a.csv` cannot be used: the file ends before line 9");
    assert_eq!(message("a\n1\n2\n", "footer = 5"), "source file `a.csv` has a header and no rows");
}

#[test]
fn a_footer_by_number_is_found_across_batches() {
    let mut text = String::from("n\n");
    let count = 2 * super::super::BATCH_ROWS + 3;
    (0..count).for_each(|n| text.push_str(&format!("{n}\n")));
    for footer in [0, 1, 3, 4, 900] {
        let ((rows, _), notes) = load_with(text.as_bytes(), &format!("footer = {footer}")).unwrap();
        assert_eq!(rows.len(), count - footer);
        assert!(
            rows.iter()
                .enumerate()
                .all(|(n, (line, values))| *line == n as u64 + 2 && *values == some(&[&n.to_string()]))
        );
        assert_eq!(notes.len(), usize::from(footer > 0));
    }
}

#[test]
fn files_without_a_header_get_the_declared_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "1\t2\n'3\t''4'\t5\n").unwrap();
    let settings = "header = 'none'\ncolumns = ['a', 'b']\ndelimiter = \"\\t\"\nquote = \"'\"";
    let source = open(folder.path(), &def_with("a.csv", settings)).unwrap();
    assert_eq!(source.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(read(&source).unwrap().0, [(1, some(&["1", "2"])), (2, some(&["3\t'4", "5"]))]);
    let ((rows, _), _) = load_with(b"a,b\n\"1,2\"\n", "quote = 'none'").unwrap();
    assert_eq!(rows, [(2, some(&["\"1", "2\""]))]);
}

#[test]
fn ragged_rows_are_completed_where_that_is_asked_for() {
    let text = "a,b,c\n1\n1,2,3,,\u{3000}\n1,2,3,4\n\"1\n2\",3\n4,5,6\n";
    let ((rows, unreadable), notes) = load_with(text.as_bytes(), "ragged = 'pad'").unwrap();
    let short = vec![Some("1".to_owned()), None, None];
    assert_eq!(rows, [(2, short), (3, some(&["1", "2", "3"])), (7, some(&["4", "5", "6"]))]);
    // A row over two lines is not completed: its quotes may pair by accident.
    let found: Vec<_> = unreadable.iter().map(|row| (row.line, row.reason)).collect();
    assert_eq!(found, [(4, "FIELD_COUNT"), (5, "FIELD_COUNT")]);
    assert_eq!(
        notes,
        ["`a.csv`: 1 row had fewer fields than the header", "`a.csv`: 1 row had empty fields beyond the header"]
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let message = |settings| load_with(b"a\n1\n", settings).unwrap_err().to_string();
    for (settings, error) in [
        ("quote = ','", "`quote` of the source cannot be `,`"),
        ("quote = 'ab'", "`quote` of the source cannot be `ab`"),
        ("header = 'none'", "`header` of the source cannot be `none`"),
        ("columns = ['a', 'b']", "`columns` of the source cannot be `a, b`"),
        ("header = 2\nskip_lines = 2", "`header` of the source cannot be `2`"),
        ("header = 0", "`header` of the source cannot be `0`"),
        ("footer = 1001", "`footer` of the source cannot be `1001`"),
        ("footer = '('", "`footer` of the source cannot be `(`"),
        ("footer = 'a*'", "`footer` of the source cannot be `a*`"),
        ("comment = ''", "`comment` of the source cannot be ``"),
        ("encoding = 'utf-7'", "`encoding` of the source cannot be `utf-7`"),
    ] {
        assert_eq!(message(settings), error, "{settings}");
    }
}

#[test]
fn short_chinese_files_are_gb18030() {
    let text = include_str!("../../../tests/fixtures/enterprises/enterprises.csv");
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for line in text.lines().filter(|line| !line.is_ascii() && !line.contains('"')) {
        let fields: Vec<_> = line.split(',').filter(|field| !field.is_ascii()).collect();
        for field in fields {
            let bytes = GB18030.encode(&format!("\u{540d}\u{79f0}\n{field}\n")).0.into_owned();
            fs::write(folder.path().join("a.csv"), bytes).unwrap();
            let source = open(folder.path(), &def("a.csv")).unwrap();
            assert_eq!(source.files()[0].encoding.as_deref(), Some("GB18030"), "{field}");
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn a_large_file_is_decided_by_its_end_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = b"name,n\n".to_vec();
    while bytes.len() < 9 << 20 {
        bytes.extend_from_slice(b"plain ASCII for nine megabytes,1\n");
    }
    bytes.extend_from_slice(&GB18030.encode("\u{5409}\u{7965}\u{4e91},2\n").0);
    fs::write(folder.path().join("a.csv"), &bytes).unwrap();
    for settings in ["", "encoding = 'gbk'"] {
        let source = open(folder.path(), &def_with("a.csv", settings)).unwrap();
        let file = &source.files()[0];
        assert_eq!((file.encoding.as_deref(), file.size_bytes), (Some("GB18030"), bytes.len() as u64));
        let last = source.batches().unwrap().last().unwrap().unwrap();
        let names = last.batch.column(0).as_string::<i32>();
        assert_eq!(names.value(names.len() - 1), "\u{5409}\u{7965}\u{4e91}");
    }
}
