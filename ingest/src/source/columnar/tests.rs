#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::super::Source;
use super::super::file::Files;
use super::*;

/// Written by pyarrow and fastavro: see `make.py` beside them.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)).unwrap()
}

fn load(bytes: &[u8], format: Columnar) -> Result<(RecordBatch, Vec<u64>), SourceError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), bytes).unwrap();
    let source = Files::open(folder.path(), "a", &format)?;
    let (mut batches, mut lines) = (Vec::new(), Vec::new());
    for batch in source.batches()? {
        let batch = batch?;
        lines.extend_from_slice(batch.lines.values());
        batches.push(batch.batch);
    }
    Ok((arrow::compute::concat_batches(&source.schema(), &batches).unwrap(), lines))
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch[column].as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn some(texts: [Option<&str>; 3]) -> Vec<Option<String>> {
    texts.into_iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn every_type_of_parquet_and_arrow() {
    for (name, format) in
        [("types.parquet", Columnar::Parquet), ("types.feather", Columnar::Arrow), ("types.arrows", Columnar::Arrow)]
    {
        let (batch, lines) = load(&fixture(name), format).unwrap();
        assert_eq!(lines, [1, 2, 3], "{name}");
        let data_type = |column: &str| batch[column].data_type().clone();
        assert_eq!(batch["id"].as_primitive::<Int64Type>().value(2), (1 << 53) + 1);
        assert_eq!(data_type("amount"), DataType::Decimal128(10, 2));
        assert_eq!(data_type("day"), DataType::Date32);
        assert_eq!(data_type("at"), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
        // 2024-03-07T01:30:00.123456Z.
        assert_eq!(batch["at"].as_primitive::<TimestampMicrosecondType>().value(0), 1_709_775_000_123_456);
        assert_eq!(data_type("big"), DataType::UInt64);
        assert_eq!(texts(&batch, "name"), some([Some("欧亚"), None, Some("吉化")]));
        assert_eq!(texts(&batch, "large"), some([Some("007"), Some("008"), Some("009")]));
        assert_eq!(texts(&batch, "kind"), some([Some("甲"), Some("乙"), Some("甲")]));
        assert_eq!(texts(&batch, "tags"), some([Some(r#"["a","b"]"#), Some("[]"), None]));
        assert_eq!(texts(&batch, "place"), some([Some(r#"{"x":1,"y":"北"}"#), None, Some(r#"{"x":2,"y":null}"#)]));
        assert_eq!(texts(&batch, "bytes"), some([Some("01ff"), Some(""), None]));
        assert_eq!(texts(&batch, "clock"), some([Some("09:30:00"), None, Some("23:59:59")]));
    }
}

#[test]
fn every_compression() {
    for name in ["snappy", "gzip", "brotli", "lz4", "none"] {
        let (batch, _) = load(&fixture(&format!("{name}.parquet")), Columnar::Parquet).unwrap();
        assert_eq!(texts(&batch, "name"), some([Some("欧亚"), None, Some("吉化")]), "{name}");
    }
    for name in ["null", "deflate", "zstandard", "snappy", "bzip2", "xz"] {
        let (batch, lines) = load(&fixture(&format!("{name}.avro")), Columnar::Avro).unwrap();
        assert_eq!(texts(&batch, "name"), some([Some("欧亚"), None, Some("欧亚")]), "{name}");
        assert_eq!(lines, [1, 2, 3]);
        assert_eq!(batch["amount"].data_type(), &DataType::Decimal128(10, 2));
        assert_eq!(batch["day"].data_type(), &DataType::Date32);
        assert_eq!(texts(&batch, "kind"), some([Some("B"); 3]));
        assert_eq!(texts(&batch, "tags"), some([Some(r#"["a"]"#); 3]));
    }
}

#[test]
fn other_and_cut_files_say_so() {
    let message = |bytes: &[u8], format| load(bytes, format).unwrap_err().to_string();
    for format in [Columnar::Parquet, Columnar::Arrow, Columnar::Avro] {
        let error = message(b"name,n\na,1\n", format);
        assert!(error.starts_with(&format!("`a` cannot be read as {}: ", format.kind())), "{error}");
        assert!(message(b"", format).contains("is empty"));
    }
    for (name, format) in [
        ("types.parquet", Columnar::Parquet),
        ("types.feather", Columnar::Arrow),
        ("types.arrows", Columnar::Arrow),
        ("deflate.avro", Columnar::Avro),
    ] {
        let sound = fixture(name);
        for end in [sound.len() / 3, sound.len() / 2, sound.len() - 20, sound.len() - 1] {
            let error = message(&sound[..end], format);
            assert!(error.starts_with(&format!("`a` cannot be read as {}: ", format.kind())), "{name} {end}: {error}");
        }
    }
}

/// Damage is an error, or is harmless, or is not to be seen; it ends neither the process nor the memory.
#[test]
fn damaged_files_never_end_the_process() {
    for (name, format) in [
        ("none.parquet", Columnar::Parquet),
        ("types.parquet", Columnar::Parquet),
        ("types.feather", Columnar::Arrow),
        ("types.arrows", Columnar::Arrow),
        ("null.avro", Columnar::Avro),
        ("deflate.avro", Columnar::Avro),
    ] {
        let sound = fixture(name);
        let step = (sound.len() / 250).max(1);
        for (at, flip) in (0..sound.len()).step_by(step).flat_map(|at| [(at, 0x80), (at, 0x7f)]) {
            let mut flipped = sound.clone();
            flipped[at] ^= flip;
            if let Err(error) = load(&flipped, format) {
                assert!(error.to_string().contains("`a`"), "{error}");
            }
        }
    }
}

#[test]
fn a_batch_that_says_it_is_endless_is_refused() {
    let mut bytes = fixture("types.arrows");
    // The length of the first message's description.
    bytes[4..8].copy_from_slice(&0x3fff_ffff_u32.to_le_bytes());
    let error = load(&bytes, Columnar::Arrow).unwrap_err().to_string();
    assert_eq!(error, "`a` cannot be read as Arrow: it is no Arrow data");
}

/// One turned bit made a batch endless.
#[test]
fn a_batch_that_says_it_has_endless_rows_is_refused() {
    let mut bytes = fixture("types.feather");
    bytes[2253] ^= 0x80;
    let error = load(&bytes, Columnar::Arrow).unwrap_err().to_string();
    assert!(error.starts_with("`a` cannot be read as Arrow: "), "{error}");
}

/// One turned bit left bytes behind a block's last row, and the reading never ended.
#[test]
fn a_block_with_bytes_behind_its_rows_is_refused() {
    let mut bytes = fixture("deflate.avro");
    bytes[603] ^= 0x80;
    let error = load(&bytes, Columnar::Avro).unwrap_err().to_string();
    assert!(error.starts_with("`a` cannot be read as Avro: it is damaged: "), "{error}");
}
