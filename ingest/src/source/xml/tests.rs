#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;

use arrow::array::{Array, AsArray};
use encoding_rs::GB18030;

use super::super::Source;
use super::super::file::Files;
use super::*;

#[derive(Debug)]
struct Loaded {
    names: Vec<String>,
    rows: Vec<(u64, Vec<Option<String>>)>,
    unreadable: Vec<UnreadableRow>,
    encoding: Option<String>,
}

fn load(bytes: &[u8], settings: &str) -> Result<Loaded, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.xml"), bytes).unwrap();
    let def: XmlSource = toml::from_str(&format!("path = 'a.xml'\n{settings}")).unwrap();
    let source = Files::open(folder.path(), "a.xml", &Xml::try_new(&def)?)?;
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for batch in source.batches()? {
        let batch = batch?;
        unreadable.extend(batch.unreadable);
        for (row, line) in batch.lines.values().iter().enumerate() {
            let texts = batch.batch.columns().iter().map(|column| column.as_string::<i32>());
            rows.push((*line, texts.map(|text| text.is_valid(row).then(|| text.value(row).to_owned())).collect()));
        }
    }
    let names = source.schema().fields().iter().map(|field| field.name().clone()).collect();
    Ok(Loaded { names, rows, unreadable, encoding: source.files()[0].encoding.clone() })
}

fn message(text: &str, settings: &str) -> String {
    load(text.as_bytes(), settings).unwrap_err().to_string()
}

/// Texts, `-` for a missing value.
fn row(line: u64, texts: &str) -> (u64, Vec<Option<String>>) {
    (line, texts.split('|').map(|text| (text != "-").then(|| text.to_owned())).collect())
}

const REGISTER: &str = r#"<?xml version="1.0" encoding="GB18030"?>
<g:登记 xmlns:g="urn:g" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <g:企业 id="1" g:级别="省">
    <g:名称>欧亚 &amp; 集团&#x5409;</g:名称>
    <地址 kind="注册"><市>长春市</市><区/></地址>
    <电话>1</电话><电话>2</电话>
  </g:企业>
  <g:企业 id="2"><名称><![CDATA[<吉化>]]></名称><代码>007</代码>
    <地址 xsi:nil="true"/></g:企业>
</g:登记>
"#;

#[test]
fn elements_attributes_and_places() {
    for bytes in [GB18030.encode(REGISTER).0.into_owned(), REGISTER.replace("GB18030", "utf-8").into_bytes()] {
        let read = load(&bytes, "").unwrap();
        let names = ["@id", "@级别", "名称", "地址/@kind", "地址/市", "地址/区", "电话", "代码"];
        assert_eq!(read.names, names);
        let expected = [row(3, r#"1|省|欧亚 & 集团吉|注册|长春市|-|["1","2"]|-"#), row(8, "2|-|<吉化>|-|-|-|-|007")];
        assert_eq!(read.rows, expected);
        assert_eq!(read.unreadable, []);
    }
    assert_eq!(load(&GB18030.encode(REGISTER).0, "").unwrap().encoding.as_deref(), Some("GB18030"));
    // What is declared in the pipeline counts more than what the file says of itself.
    let wrong = REGISTER.replace("GB18030", "big5");
    assert_eq!(load(wrong.as_bytes(), "encoding = 'utf-8'").unwrap().rows.len(), 2);
}

#[test]
fn rows_by_name_and_by_place() {
    let text = "<r><meta><item>x</item></meta><list>\n<item n='1'><v>a</v></item>\n<item n='2'/></list></r>";
    let by_name = load(text.as_bytes(), "row = 'item'").unwrap();
    assert_eq!(by_name.names, ["#text", "@n", "v"]);
    assert_eq!(by_name.rows, [row(1, "x|-|-"), row(2, "-|1|a"), row(3, "-|2|-")]);
    let by_place = load(text.as_bytes(), "row = 'r/list/item'\nnull_values = ['a']").unwrap();
    assert_eq!(by_place.names, ["@n", "v"]);
    assert_eq!(by_place.rows, [row(2, "1|-"), row(3, "2|-")]);
    assert_eq!(
        message(text, "row = 'list/item'"),
        "`a.xml` cannot be read as XML: it has no row: there is no element at `list/item`"
    );
    assert_eq!(message(text, "row = 'a//b'"), "`row` of the source cannot be `a//b`");
    assert_eq!(message("<r/>", ""), "`a.xml` cannot be read as XML: it has no row: its own element holds no other");
}

#[test]
fn rows_that_cannot_be_told_are_rejected() {
    let text = "<r><a><i><x>1</x></i><i><x>2</x></i></a>\n<a><b>&nbsp;</b></a>\n<a><b>2</b></a></r>";
    let read = load(text.as_bytes(), "").unwrap();
    let found: Vec<_> = read.unreadable.iter().map(|row| (row.line, row.reason, row.message.as_str())).collect();
    let expected = [
        (1, "REPEATED", "`i` stands in the row more than once and has parts: make it the row"),
        (2, "XML", "`&nbsp;` is not known, since document types are not read"),
    ];
    assert_eq!(found, expected);
    assert_eq!(read.rows.len(), 1);
    let mut bytes = b"<r><a><b>1</b></a>\n<a><b>".to_vec();
    bytes.extend_from_slice(b"\xff</b></a></r>");
    let read = load(&bytes, "encoding = 'utf-8'").unwrap();
    assert_eq!((read.rows.len(), read.unreadable[0].line, read.unreadable[0].reason), (1, 2, "ENCODING"));
}

#[test]
fn broken_and_hostile_documents_are_refused() {
    let bomb = "<!DOCTYPE r [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><r><v>&b;</v></r>";
    assert!(message(bomb, "").contains("its document type declares entities"), "{}", message(bomb, ""));
    let file = "<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r><v>1</v></r>";
    assert_eq!(load(file.as_bytes(), "").unwrap().rows, [row(1, "1")].map(|(line, _)| row(line, "1")));
    let deep = format!("<r>{}{}</r>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert_eq!(
        message(&deep, ""),
        "`a.xml` cannot be read as XML: line 1: more than 256 elements stand in one another"
    );
    let long = format!("<r><a>\n{}</a></r>", "x".repeat(17 << 20));
    assert!(message(&long, "").contains("holds a row of more than 16777216 bytes"), "{}", message(&long, ""));
    let wide = format!("<r><a {}/></r>", (0..20_000).map(|n| format!("a{n}='1' ")).collect::<String>());
    assert!(message(&wide, "").contains("more than 10000 different columns"));
    assert_eq!(
        message("<r><a>1</a>\n<a>2", ""),
        "`a.xml` cannot be read as XML: it is cut off: on line 2 it ends within `a`"
    );
    assert!(message("<r><a>1</b></r>", "").starts_with("`a.xml` cannot be read as XML: line 1: "));
    assert!(message("name,n\na,1\n", "").contains("it has no element"));
    assert!(message("", "").contains("is empty"));
    let latin = "<?xml version='1.0' encoding='iso-8859-1'?><r><a>1</a></r>";
    assert_eq!(message(latin, ""), "`a.xml` cannot be read as XML: its encoding `iso-8859-1` is not read");
}
