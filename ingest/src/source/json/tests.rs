#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;

use arrow::array::{Array, AsArray};

use super::super::file::Files;
use super::super::{Source, UnreadableRow};
use super::*;

type Loaded = (Vec<String>, Vec<(u64, Vec<Option<String>>)>, Vec<UnreadableRow>);

fn load(bytes: &[u8], settings: &str) -> Result<Loaded, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), bytes).unwrap();
    let def: JsonSource = toml::from_str(&format!("path = 'a.json'\n{settings}")).unwrap();
    let source = Files::open(folder.path(), &def.path, &Json::try_new(&def)?)?;
    let names = source.schema().fields().iter().map(|field| field.name().clone()).collect();
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
    Ok((names, rows, unreadable))
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn lines_and_arrays_give_the_same_rows_and_values_keep_their_spelling() {
    let objects = [
        r#"{"code":"007","n":9007199254740993,"d":12345678901234567890123456789012345678.90,"note":null}"#,
        r#"{"n":1e3,"code":"NA","tags":["a",{"b":1}],"note":"say \"吉祥\"\n"}"#,
    ];
    let expected: Vec<Vec<Option<String>>> = vec![
        vec![
            Some("007".into()),
            Some("9007199254740993".into()),
            Some("12345678901234567890123456789012345678.90".into()),
            None,
            None,
        ],
        vec![
            Some("NA".into()),
            Some("1e3".into()),
            None,
            Some("say \"吉祥\"\n".into()),
            Some(r#"["a",{"b":1}]"#.into()),
        ],
    ];
    let lines = format!("\u{feff}{}\r\n\n{}", objects[0], objects[1]);
    let array = format!(" [\n{},{} ]\n", objects[0], objects[1]);
    let nested = format!(r#"{{"other":[1,{{}}],"data":{{"items":[{}]}},"more":null}}"#, objects.join(","));
    for (text, settings, at) in [(lines, "", [1, 3]), (array, "", [1, 2]), (nested, "records = '/data/items'", [1, 2])]
    {
        let encoded = if at == [1, 2] { encoding_rs::GB18030.encode(&text).0.into_owned() } else { text.into_bytes() };
        let (names, rows, unreadable) = load(&encoded, settings).unwrap();
        assert_eq!(names, ["code", "n", "d", "note", "tags"]);
        assert_eq!(rows, at.into_iter().zip(expected.clone()).collect::<Vec<_>>());
        assert_eq!(unreadable, []);
    }
}

#[test]
fn a_broken_line_costs_itself_and_no_other() {
    let text = b"{\"a\":1}\n{\"a\":\n[1]\n{\"a\":\"\xff\"}\n{\"a\":2}\n".to_vec();
    let proof = "{\"b\":\"长春市南关区某某有限公司人民大街一号楼\"}\n";
    let (_, rows, unreadable) = load(&[proof.as_bytes(), &text].concat(), "").unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 2, 6]);
    let found: Vec<_> = unreadable.iter().map(|row| (row.line, row.reason)).collect();
    assert_eq!(found, [(3, "JSON"), (4, "JSON"), (5, "ENCODING")]);
    assert_eq!(unreadable[0].raw, "{\"a\":");
}

#[test]
fn objects_within_become_columns_where_asked() {
    let text = br#"{"id":1,"place":{"code":"220100","at":{"x":1.50}}}"#;
    let (names, rows, _) = load(text, "flatten = true").unwrap();
    assert_eq!(names, ["id", "place.code", "place.at.x"]);
    assert_eq!(rows[0].1, some(&["1", "220100", "1.50"]));
}

#[test]
fn many_rows_come_in_batches_and_none_is_lost() {
    let rows: Vec<String> = (0..20_000).map(|n| format!("{{\"n\":{n}}}")).collect();
    for text in [rows.join("\n"), format!("[{}]", rows.join(","))] {
        let (_, found, _) = load(text.as_bytes(), "").unwrap();
        assert_eq!(found.len(), 20_000);
        assert!(
            found.iter().enumerate().all(|(n, (line, row))| *line == n as u64 + 1 && row == &some(&[&n.to_string()]))
        );
    }
}

#[test]
fn documents_that_are_no_rows_say_why() {
    for (text, settings, expected) in [
        ("", "", "is empty"),
        ("[]", "", "it holds no row"),
        ("{\"a\":[1]}", "records = '/b'", "it has no array at `/b`"),
        ("{\"a\":1}", "records = '/a'", "it has no array at `/a`"),
        ("[{\"a\":1},", "", "EOF while parsing"),
        ("[{\"a\":1}] x", "", "trailing characters"),
        ("[]", "records = 'a'", "`records` of the source cannot be `a`"),
    ] {
        let error = load(text.as_bytes(), settings).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let deep = format!("[{}1{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(load(deep.as_bytes(), "").unwrap().2.len(), 1, "nesting is no row and no crash");
    let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(17 << 20));
    assert!(load(long.as_bytes(), "").unwrap_err().to_string().contains("a row has more than 16777216 bytes"));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(17 << 20));
    assert!(load(long.as_bytes(), "").unwrap_err().to_string().contains("holds a row of more than 16777216 bytes"));
    let keys: Vec<String> = (0..10_001).map(|n| format!("\"k{n}\":1")).collect();
    assert!(
        load(format!("{{{}}}", keys.join(",")).as_bytes(), "")
            .unwrap_err()
            .to_string()
            .contains("10000 different keys")
    );
}
