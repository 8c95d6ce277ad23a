#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::io::{Cursor, Write};

use ::zip::CompressionMethod;
use ::zip::write::{SimpleFileOptions, ZipWriter};

use super::super::content::{Limits, StoredBytes};
use super::*;

fn zip(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

fn list(bytes: &[u8], wanted: Option<&str>) -> (tempfile::TempDir, Result<Vec<SourceFile>, SourceError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    std::fs::write(&path, bytes).unwrap();
    let wanted = wanted.map(|pattern| Pattern::new(pattern).unwrap());
    let files = expand(SourceFile::local(path, "a.zip".into()), wanted.as_ref());
    (folder, files)
}

fn read(file: &SourceFile) -> Result<(Vec<u8>, StoredBytes), SourceError> {
    let mut content = Content::open(file)?;
    let mut bytes = Vec::new();
    content.copy(&mut bytes)?;
    Ok((bytes, content.finish()?))
}

const ENTRIES: [(&str, &[u8]); 5] =
    [("b/z.csv", b"abc"), ("a.csv", b"x\n1\n"), ("__MACOSX/a.csv", b"?"), (".DS_Store", b"?"), ("b/说明.txt", b"?")];

#[test]
fn entries_are_files_whatever_packs_them() {
    let methods =
        [CompressionMethod::Stored, CompressionMethod::Deflated, CompressionMethod::Bzip2, CompressionMethod::Zstd];
    let mut archives: Vec<_> = methods.into_iter().map(|method| zip(&ENTRIES, method)).collect();
    archives.extend([tar(&ENTRIES), gzip(&tar(&ENTRIES)), zstd::encode_all(tar(&ENTRIES).as_slice(), 3).unwrap()]);
    for bytes in archives {
        let (_folder, files) = list(&bytes, None);
        let files = files.unwrap();
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.zip/a.csv", "a.zip/b/z.csv", "a.zip/b/说明.txt"]);
        // SHA-256 of "abc": FIPS 180-2, appendix B.1.
        let (content, stored) = read(&files[1]).unwrap();
        assert_eq!((content.as_slice(), stored.size_bytes), (b"abc".as_slice(), 3));
        assert_eq!(stored.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let names =
            |wanted| list(&bytes, Some(wanted)).1.unwrap().into_iter().map(|file| file.name).collect::<Vec<_>>();
        assert_eq!(names("*.csv"), ["a.zip/a.csv", "a.zip/b/z.csv"]);
        assert_eq!(names("b/*"), ["a.zip/b/z.csv", "a.zip/b/说明.txt"]);
        let error = list(&bytes, Some("*.xml")).1.unwrap_err();
        assert_eq!(error.to_string(), "archive `a.zip` cannot be read: it has no entry `*.xml`");
    }
}

#[test]
fn names_of_chinese_windows_tools_are_read() {
    let bytes = zip(&[("NNNN.csv", b"x\n")], CompressionMethod::Deflated);
    // 企业 in GB2312.
    let (_folder, files) = list(&replaced(&bytes, b"NNNN", &[0xc6, 0xf3, 0xd2, 0xb5]), None);
    assert_eq!(files.unwrap()[0].name, "a.zip/企业.csv");
}

#[test]
fn what_cannot_be_read_is_told_with_its_entry() {
    let one = zip(&[("aa/bb.csv", b"x\n1\n")], CompressionMethod::Stored);
    let two = zip(&[("a.csv", b"x\n"), ("b.csv", b"x\n")], CompressionMethod::Stored);
    // The general purpose flags stand 6 bytes into a local header and 8 into the directory's; the method behind them.
    let encrypted = replaced(
        &replaced(&one, b"PK\x03\x04\x0a\0\0", b"PK\x03\x04\x0a\0\x01"),
        b"\x0a\0\0\0\0\0",
        b"\x0a\0\x01\0\0\0",
    );
    for (bytes, expected) in [
        (replaced(&one, b"aa/bb", b"../bb"), "entry `../bb.csv` has a name that leads out of the archive"),
        (replaced(&one, b"aa/bb", b"/a/bb"), "entry `/a/bb.csv` has a name that leads out of the archive"),
        (replaced(&one, b"aa/bb", b"C:\\bb"), "entry `C:/bb.csv` has a name that leads out of the archive"),
        (replaced(&one, b"aa/bb", b"\xff\xff\xff\xff\xff"), "neither UTF-8 nor GB18030"),
        (replaced(&two, b"b.csv", b"a.csv"), "several of its entries have the same name"),
        (tar(&[("a.csv", b"x"), ("a.csv", b"y")]), "entry `a.csv` stands in it twice"),
        (one[..one.len() - 30].to_vec(), "it is no complete zip file"),
        (tar(&[("a.csv", &[b'x'; 2000])])[..1024].to_vec(), "entry `a.csv` is cut off"),
        (encrypted, "entry `aa/bb.csv` is encrypted"),
        (zip(&[(".a", b"x")], CompressionMethod::Stored), "it holds no file"),
    ] {
        let error = list(&bytes, None).1.map(|files| files.len()).unwrap_err().to_string();
        assert!(
            error.starts_with("archive `a.zip` cannot be read: ") && error.contains(expected),
            "{expected}: {error}"
        );
    }
}

#[test]
fn damage_and_nesting_are_told_with_the_entry() {
    let text: Vec<u8> = (0..20_000u32).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let stored = zip(&[("a.csv", &text)], CompressionMethod::Stored);
    let (_folder, files) = list(&replaced(&stored, b"17171", b"17172"), None);
    let error = read(&files.unwrap()[0]).unwrap_err();
    assert_eq!(error.to_string(), "`a.zip/a.csv` is damaged in its archive");
    for inner in [stored, tar(&[("b.csv", b"x")]), gzip(&tar(&[("b.csv", b"x")]))] {
        for outer in [zip(&[("in", &inner)], CompressionMethod::Deflated), tar(&[("in", &inner)])] {
            let (_folder, files) = list(&outer, None);
            let error = read(&files.unwrap()[0]).unwrap_err();
            assert_eq!(error.to_string(), "`a.zip/in` is an archive within an archive");
        }
    }
}

#[test]
fn an_archive_that_changes_is_noticed_and_a_spreadsheet_is_none() {
    let bytes = zip(&ENTRIES, CompressionMethod::Deflated);
    let (folder, files) = list(&bytes, None);
    std::fs::write(folder.path().join("a.zip"), [bytes.as_slice(), b"x"].concat()).unwrap();
    assert!(matches!(read(&files.unwrap()[0]), Err(SourceError::Changed { .. })));
    let book = zip(&[("[Content_Types].xml", b"<a/>"), ("xl/workbook.xml", b"<a/>")], CompressionMethod::Deflated);
    let files = list(&book, None).1.unwrap();
    assert_eq!((files.len(), files[0].name.as_str()), (1, "a.zip"));
}

#[test]
fn ten_thousand_entries_are_read_where_they_stand() {
    let names: Vec<_> = (0..10_000).map(|number| format!("{number:05}.csv")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let (_folder, files) = list(&zip(&entries, CompressionMethod::Deflated), None);
    for (file, name) in files.unwrap().iter().zip(&names) {
        assert_eq!(read(file).unwrap().0, name.as_bytes());
    }
}

#[test]
fn entries_are_too_large_together() {
    let rows = b"x\n1234567\n".repeat(10);
    let plain = zip(&[("a", &rows), ("b", &rows), ("c", &rows)], CompressionMethod::Deflated);
    let packed = gzip(&rows);
    let inner = zip(&[("a", &packed), ("b", &packed), ("c", &packed)], CompressionMethod::Stored);
    let list = |bytes: &[u8], limit| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, bytes).unwrap();
        let limits = Limits::of_bytes(limit);
        (folder, expand(SourceFile { limits, ..SourceFile::local(path, "a.zip".into()) }, None))
    };
    // What the archive says of its entries is believed as a limit, since it is checked when they are read.
    let error = list(&plain, 299).1.unwrap_err().to_string();
    assert!(error.starts_with("`a.zip` is too large: "), "{error}");
    assert_eq!(list(&plain, 300).1.unwrap().len(), 3);
    // What they become in turn is counted as it comes, and once only however often it is read.
    let (_folder, files) = list(&inner, 299);
    let files = files.unwrap();
    for file in [0, 1, 0, 1, 0] {
        assert_eq!(read(&files[file]).unwrap().0, rows);
    }
    let error = read(&files[2]).unwrap_err().to_string();
    assert!(error.starts_with("`a.zip` is too large: ") && error.ends_with("become more than 300"), "{error}");
    let (_folder, files) = list(&inner, 300);
    files.unwrap().iter().for_each(|file| assert_eq!(read(file).unwrap().0, rows));
}

/// Bits as deflate writes them.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// A number, its lowest bit first.
    fn number(&mut self, value: u32, bits: u32) {
        (0..bits).for_each(|bit| self.0.push(value >> bit & 1 == 1));
    }

    /// A code, its highest bit first.
    fn code(&mut self, value: u32, bits: u32) {
        (0..bits).rev().for_each(|bit| self.0.push(value >> bit & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).collect()
    }
}

#[test]
fn deflate64_is_read() {
    // One block with the fixed codes of RFC 1951, section 3.2.6: a literal, a repetition, the end. Length code 285 is
    // where the method differs: in deflate it is 258 bytes, here 3 and a number of 16 bits.
    let mut bits = Bits::default();
    bits.number(1, 1);
    bits.number(1, 2);
    bits.code(0x30 + u32::from(b'a'), 8);
    bits.code(0xc0 + 285 - 280, 8);
    bits.number(50_000, 16);
    bits.code(0, 5);
    bits.code(0, 7);
    let content = vec![b'a'; 1 + 3 + 50_000];
    let stored = zip(&[("a.csv", &bits.bytes())], CompressionMethod::Stored);
    // Method, CRC-32 and size follow the version and flags in both headers (APPNOTE 4.3.7 and 4.3.12).
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    let mut bytes = stored.clone();
    for (magic, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let header = stored.windows(4).position(|bytes| bytes == magic).unwrap();
        bytes[header + at..header + at + 2].copy_from_slice(&9_u16.to_le_bytes());
        bytes[header + at + 6..header + at + 10].copy_from_slice(&crc.sum().to_le_bytes());
        bytes[header + at + 14..header + at + 18].copy_from_slice(&(content.len() as u32).to_le_bytes());
    }
    let (_folder, files) = list(&bytes, None);
    assert_eq!(read(&files.unwrap()[0]).unwrap().0, content);
}

#[test]
fn links_and_devices_are_refused() {
    for (kind, expected) in [
        (::tar::EntryType::Symlink, "entry `a.csv` is a link"),
        (::tar::EntryType::Link, "entry `a.csv` is a link"),
        (::tar::EntryType::Fifo, "entry `a.csv` is neither a file nor a folder"),
        (::tar::EntryType::Block, "entry `a.csv` is neither a file nor a folder"),
    ] {
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut header = ::tar::Header::new_gnu();
        header.set_size(0);
        header.set_entry_type(kind);
        header.set_link_name("/etc/passwd").unwrap();
        builder.append_data(&mut header, "a.csv", std::io::empty()).unwrap();
        let error = list(&builder.into_inner().unwrap(), None).1.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for name in ["../../a.csv", "/etc/a.csv", "b/../../a.csv"] {
        let mut header = ::tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(1);
        header.set_cksum();
        let mut builder = ::tar::Builder::new(Vec::new());
        builder.append(&header, b"x".as_slice()).unwrap();
        let error = list(&builder.into_inner().unwrap(), None).1.unwrap_err().to_string();
        assert!(error.contains("has a name that leads out of the archive"), "{error}");
    }
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let content = gzip(&[b'x'; 1000]);
    let bytes = zip(&[("a", &content), ("b", &content)], CompressionMethod::Stored);
    let directory: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(b"PK\x01\x02")).collect();
    // The second entry is said to stand where the first does: its header's place is 42 bytes into its record.
    let mut shared = bytes.clone();
    shared[directory[1] + 42..directory[1] + 46].copy_from_slice(&0_u32.to_le_bytes());
    let error = list(&shared, None).1.unwrap_err().to_string();
    assert!(error.starts_with("archive `a.zip` cannot be read: "), "{error}");
}
