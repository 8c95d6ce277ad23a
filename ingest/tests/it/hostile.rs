//! Files that were made to do harm: each ends in an error that says what it is, within bounded memory and time.
//!
//! What is large is small on disk: zstd makes a gigabyte of one letter a few kilobytes.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use crate::alone::alone;
use crate::fuzz::judge::{read, source_of};
use crate::fuzz::packing::Packing;
use crate::memory::peak_of;

/// Generous: the machine may do other things, and what is not optimised unpacks slowly.
const MOST_TIME: Duration = Duration::from_secs(300);

/// Bytes of memory that the worst of them may take.
const MOST_BYTES: usize = 256 << 20;

const GIB: u64 = 1 << 30;

/// Each file with its source, and words of the error that it must end in.
fn refused(test: &str, files: impl FnOnce() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)>) {
    alone(
        &format!("hostile::{test}"),
        MOST_TIME,
        |_| {},
        |folder| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for (name, bytes, source, expected) in files() {
                std::fs::write(folder.join(name), &bytes).unwrap();
                drop(bytes);
                let (found, peak) = peak_of(|| read(runtime.handle(), &folder, &source_of(source, name)));
                let error = found.unwrap_err();
                eprintln!("~ {} MiB: {}", peak >> 20, &error[..error.floor_char_boundary(200)]);
                assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
                assert!(error.len() < 4096, "an error of {} bytes", error.len());
                assert!(peak <= MOST_BYTES, "{name} took {peak} bytes");
            }
        },
    );
}

/// `start`, so many bytes of one letter, and `end`, packed by zstd.
fn stretched(start: &str, bytes: u64, end: &str) -> Vec<u8> {
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(start.as_bytes()).unwrap();
    std::io::copy(&mut std::io::repeat(b'a').take(bytes), &mut packed).unwrap();
    packed.write_all(end.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn one_line_of_a_gigabyte() {
    refused("one_line_of_a_gigabyte", || {
        let rest = GIB - 100;
        vec![
            ("line.csv", stretched("a,b\n1,", rest, "\n"), "kind = \"csv\"\nencoding = \"utf-8\"", "line 2 of"),
            ("quote.csv", stretched("a,b\n1,\"", rest, "\n"), "kind = \"csv\"\nencoding = \"utf-8\"", "line 2 of"),
            ("header.csv", stretched("", rest, ""), "kind = \"csv\"\nencoding = \"utf-8\"", "line 1 of"),
            ("text.ndjson", stretched("{\"a\":\"", rest, "\"}\n"), "kind = \"json\"", "line 1 of"),
            ("text.json", stretched("[{\"a\":\"", rest, "\"}]"), "kind = \"json\"", "a row has more than"),
            ("text.xml", stretched("<r><i>", rest, "</i></r>"), "kind = \"xml\"\nencoding = \"utf-8\"", "line 1 of"),
            ("name.xml", stretched("<r><", rest, "/></r>"), "kind = \"xml\"\nencoding = \"utf-8\"", "line 1 of"),
        ]
    });
}

#[test]
fn bombs() {
    refused("bombs", || {
        let csv = "kind = \"csv\"\nencoding = \"utf-8\"";
        let limited = "kind = \"csv\"\nencoding = \"utf-8\"\nexpanded_limit_gib = 0";
        let rows = "a,b\n1,2\n".repeat(1000);
        let part = |bytes: Vec<u8>| [("a.csv".to_owned(), bytes)];
        let twice = Packing::Gzip.pack(&part(Packing::Gzip.pack(&part(rows.clone().into())).unwrap())).unwrap();
        let zip = Packing::Zip.pack(&part(rows.clone().into())).unwrap();
        let nested = Packing::Zip.pack(&[("b.zip".to_owned(), zip.clone())]).unwrap();
        let inner = Packing::Zip.pack(&part(stretched("a\n", 2 * GIB, "\n"))).unwrap();
        let packed = |packing: Packing| packing.pack(&part(rows.clone().into())).unwrap();
        vec![
            ("a.zst", stretched("a\n", 2 * GIB, "\n"), csv, "is too large"),
            ("entry.zip", inner, csv, "is too large"),
            ("nested.zip", nested, csv, "is an archive within an archive"),
            // What comes out of the first layer is no text.
            ("twice.gz", twice, csv, "twice.gz"),
            ("a.gz", packed(Packing::Gzip), limited, "is too large"),
            ("a.bz2", packed(Packing::Bzip2), limited, "is too large"),
            ("a.xz", packed(Packing::Xz), limited, "is too large"),
            ("a.zip", zip, limited, "is too large"),
            ("window.xz", large_window(), csv, "too much memory"),
        ]
    });
}

/// A file of xz whose dictionary is 4 GiB, by its own word.
fn large_window() -> Vec<u8> {
    let mut filters = liblzma::stream::Filters::new();
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(1 << 20);
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::None).unwrap();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(b"a,b\n1,2\n").unwrap();
    let mut bytes = encoder.finish().unwrap();
    // The header of the first block (file format 1.2, section 3.1): its size, flags, the filter LZMA2 with one byte of
    // properties, padding, CRC-32.
    assert_eq!(bytes[13..16], [0, 0x21, 1]);
    bytes[16] = 40;
    let end = 12 + (usize::from(bytes[12]) + 1) * 4 - 4;
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..end]);
    bytes[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    bytes
}

#[test]
fn a_million_columns() {
    refused("a_million_columns", || {
        let names = |count: usize| (0..count).map(|at| format!("c{at}")).collect::<Vec<_>>();
        let csv = |count| format!("{}\n{}\n", names(count).join(","), ",".repeat(count - 1)).into_bytes();
        let object = names(200_000).iter().map(|name| format!("\"{name}\":1")).collect::<Vec<_>>().join(",");
        let attributes = names(200_000).iter().map(|name| format!("{name}='1'")).collect::<Vec<_>>().join(" ");
        vec![
            ("a.csv", csv(1_000_000), "kind = \"csv\"", "line 1 of"),
            ("b.csv", csv(100_000), "kind = \"csv\"", "it names 100000 columns"),
            ("a.ndjson", format!("{{{object}}}\n").into_bytes(), "kind = \"json\"", "different keys"),
            ("a.json", format!("[{{{object}}}]").into_bytes(), "kind = \"json\"", "different keys"),
            ("a.xml", format!("<r><i {attributes}/></r>").into_bytes(), "kind = \"xml\"", "different columns"),
        ]
    });
}

#[test]
fn a_hundred_thousand_levels() {
    refused("a_hundred_thousand_levels", || {
        let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        vec![
            (
                "a.json",
                deep("{\"a\":", "}").into_bytes(),
                "kind = \"json\"\nrecords = \"/b\"",
                "cannot be read as JSON",
            ),
            ("a.xml", deep("<a>", "</a>").into_bytes(), "kind = \"xml\"", "stand in one another"),
        ]
    });
}

#[test]
fn entities() {
    refused("entities", || {
        let laughs: String =
            (1..10).map(|at| format!("<!ENTITY l{at} \"{}\">", format!("&l{};", at - 1).repeat(10))).collect();
        let laughs = format!("<!DOCTYPE r [<!ENTITY l0 \"lol\">{laughs}]><r><i>&l9;</i></r>");
        let file = "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r><i>&x;</i></r>";
        vec![
            ("laughs.xml", laughs.into_bytes(), "kind = \"xml\"", "declares entities"),
            ("file.xml", file.as_bytes().to_vec(), "kind = \"xml\"", "declares entities"),
        ]
    });
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)).unwrap()
}

/// A workbook of one sheet with these parts.
fn workbook(sheet: &str, strings: &str) -> Vec<u8> {
    let part = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    Packing::Zip
        .pack(&[
            part("[Content_Types].xml", "<Types/>"),
            part(
                "_rels/.rels",
                &format!(
                    "<Relationships><Relationship Id=\"r\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
                ),
            ),
            part(
                "xl/workbook.xml",
                &format!(
                    "<workbook xmlns:r=\"{relations}\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
                ),
            ),
            part(
                "xl/_rels/workbook.xml.rels",
                &format!(
                    "<Relationships><Relationship Id=\"r1\" Type=\"{relations}/worksheet\" Target=\"worksheets/s.xml\"/></Relationships>"
                ),
            ),
            part("xl/worksheets/s.xml", &format!("<worksheet>{sheet}</worksheet>")),
            part("xl/sharedStrings.xml", strings),
        ])
        .unwrap()
}

#[test]
fn sheets_that_say_they_are_large() {
    refused("sheets_that_say_they_are_large", || {
        let excel = "kind = \"excel\"";
        let all = "<dimension ref=\"A1:XFD1048576\"/><sheetData></sheetData>";
        let beyond = "<sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"99999999\"><c r=\"A99999999\"><v>1</v></c></row></sheetData>";
        let strings = "<sst uniqueCount=\"1000000000\"><si><t>a</t></si></sst>";
        vec![
            ("dimension.xlsx", workbook(all, "<sst/>"), excel, "is empty"),
            ("beyond.xlsx", workbook(beyond, "<sst/>"), excel, "row 99999999"),
            ("strings.xlsx", workbook("<sheetData/>", strings), excel, "says it holds 1000000000 texts"),
        ]
    });
}

#[test]
fn footers_and_lengths_that_lie() {
    refused("footers_and_lengths_that_lie", || {
        let parquet = fixture("types.parquet");
        let length = parquet.len() - 8;
        let with_length = |said: u32| {
            let mut bytes = parquet.clone();
            bytes[length..length + 4].copy_from_slice(&said.to_le_bytes());
            bytes
        };
        let no_footer = [&parquet[..length - 200], &parquet[length..]].concat();
        let arrow = fixture("types.feather");
        let mut message = arrow.clone();
        message[12..16].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
        // A block with a row of 65 MiB, which is stretched out of a few bytes.
        let content = [&[0x80, 0x80, 0xc0, 0x41][..], &vec![b'a'; 68 << 20]].concat();
        let block = zstd::encode_all(content.as_slice(), 1).unwrap();
        vec![
            ("long.parquet", with_length(u32::MAX), "kind = \"parquet\"", "cannot be read as Parquet"),
            ("signed.parquet", with_length(0x7fff_ffff), "kind = \"parquet\"", "cannot be read as Parquet"),
            ("none.parquet", with_length(0), "kind = \"parquet\"", "cannot be read as Parquet"),
            ("cut.parquet", no_footer, "kind = \"parquet\"", "cannot be read as Parquet"),
            ("end.parquet", parquet[..parquet.len() - 1].to_vec(), "kind = \"parquet\"", "cannot be read as Parquet"),
            ("message.arrow", message, "kind = \"arrow\"", "cannot be read as Arrow"),
            ("cut.arrow", arrow[..arrow.len() - 20].to_vec(), "kind = \"arrow\"", "cut off"),
            (
                "bomb.avro",
                avro("zstandard", 1, block.len() as u64, &block),
                "kind = \"avro\"",
                "when it is decompressed",
            ),
            ("size.avro", avro("null", 1, u64::MAX >> 2, b"a"), "kind = \"avro\"", "no size that can be"),
            ("rows.avro", avro("null", u64::MAX >> 2, 1, b"\0"), "kind = \"avro\"", "says it has"),
        ]
    });
}

/// An Avro file of texts with one block, which says of itself what is given.
fn avro(codec: &str, rows: u64, size: u64, block: &[u8]) -> Vec<u8> {
    fn long(bytes: &mut Vec<u8>, value: u64) {
        let mut rest = value << 1;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    fn text(bytes: &mut Vec<u8>, text: &str) {
        long(bytes, text.len() as u64);
        bytes.extend_from_slice(text.as_bytes());
    }
    let mut bytes = b"Obj\x01".to_vec();
    long(&mut bytes, 2);
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"string"}]}"#;
    for part in ["avro.schema", schema, "avro.codec", codec] {
        text(&mut bytes, part);
    }
    long(&mut bytes, 0);
    bytes.extend_from_slice(&[7; 16]);
    long(&mut bytes, rows);
    long(&mut bytes, size);
    bytes.extend_from_slice(block);
    bytes.extend_from_slice(&[7; 16]);
    bytes
}
