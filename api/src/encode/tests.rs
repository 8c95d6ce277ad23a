use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::ipc::reader::StreamReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::*;

/// Two rows: one of values that are easily spoiled, one of nulls.
fn batch() -> RecordBatch {
    let amount =
        Decimal128Array::from(vec![Some(72_685_427_318_400_i128), None]).with_precision_and_scale(38, 6).unwrap();
    let at = TimestampMicrosecondArray::from(vec![Some(1_553_558_400_000_000), None]).with_timezone("UTC");
    RecordBatch::try_from_iter_with_nullable([
        ("code", Arc::new(StringArray::from(vec![Some("=0220102"), None])) as ArrayRef, true),
        ("name", Arc::new(StringArray::from(vec![Some("吉林,\"森工\"\n集团"), None])), true),
        ("big", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None])), true),
        ("small", Arc::new(Int32Array::from(vec![Some(7), None])), true),
        ("amount", Arc::new(amount), true),
        ("share", Arc::new(Float64Array::from(vec![Some(0.25), Some(f64::NAN)])), true),
        ("day", Arc::new(Date32Array::from(vec![Some(17_981), None])), true),
        ("at", Arc::new(at), true),
    ])
    .unwrap()
}

fn encode(format: Format, options: EncodeOptions, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = encoder(format, batch().schema(), options).unwrap();
    encoder.begin(&mut out).unwrap();
    for batch in batches {
        encoder.batch(batch, &mut out).unwrap();
    }
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    encoder.end(Ending { rows, truncated: false }, &mut out).unwrap();
    out
}

fn encode_json(options: EncodeOptions, batches: &[RecordBatch]) -> Value {
    serde_json::from_slice(&encode(Format::Json, options, batches)).unwrap()
}

#[test]
fn json_keeps_every_digit_and_says_its_types() {
    let reply = encode_json(EncodeOptions::default(), &[batch()]);
    assert_eq!(
        reply["rows"][0],
        json!({
            "code": "=0220102", "name": "吉林,\"森工\"\n集团", "big": "9007199254740993", "small": 7,
            "amount": "72685427.318400", "share": 0.25, "day": "2019-03-26", "at": "2019-03-26T00:00:00Z",
        })
    );
    assert_eq!(reply["schema"][4], json!({"name": "amount", "type": "decimal(38,6)", "nullable": true}));
    assert_eq!(reply["schema"][7]["type"], "timestamp");
    assert_eq!((&reply["row_count"], &reply["truncated"]), (&json!(2), &json!(false)));
}

#[test]
fn json_writes_nulls_and_no_nan() {
    let reply = encode_json(EncodeOptions::default(), &[batch()]);
    let columns = reply["rows"][1].as_object().unwrap();
    assert_eq!(columns.len(), 8);
    assert!(columns.values().all(Value::is_null), "{columns:?}");
}

#[test]
fn json_of_no_rows_and_of_many_batches_is_one_document() {
    assert_eq!(encode_json(EncodeOptions::default(), &[])["rows"], json!([]));
    let empty = batch().slice(0, 0);
    let reply = encode_json(EncodeOptions::default(), &[empty.clone(), batch(), empty, batch()]);
    assert_eq!(reply["rows"].as_array().unwrap().len(), 4);
}

#[test]
fn json_head_comes_first_and_numbers_can_be_native() {
    let head = Map::from_iter([("query_id".into(), json!("q"))]);
    let options = EncodeOptions { head, native_numbers: true, ..EncodeOptions::default() };
    let text = String::from_utf8(encode(Format::Json, options, &[batch()])).unwrap();
    assert!(text.starts_with("{\"query_id\":\"q\",\"schema\":["), "{text}");
    assert!(text.contains("\"big\":9007199254740993,"), "{text}");
    assert!(text.contains("\"amount\":72685427.318400,"), "{text}");
}

#[test]
fn ndjson_is_a_line_a_row_and_may_end_with_its_status() {
    let options = EncodeOptions { status_record: true, ..EncodeOptions::default() };
    let text = String::from_utf8(encode(Format::Ndjson, options, &[batch()])).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2], json!({"status": {"complete": true, "row_count": 2, "truncated": false}}));
    assert_eq!(encode(Format::Ndjson, EncodeOptions::default(), &[]), b"");
}

#[test]
fn csv_has_a_header_even_without_rows_and_quotes_what_needs_it() {
    let header = "code,name,big,small,amount,share,day,at\n";
    assert_eq!(encode(Format::Csv, EncodeOptions::default(), &[]), header.as_bytes());
    let text = String::from_utf8(encode(Format::Csv, EncodeOptions::default(), &[batch().slice(0, 1)])).unwrap();
    let row = "=0220102,\"吉林,\"\"森工\"\"\n集团\",9007199254740993,7,72685427.318400,0.25,2019-03-26,2019-03-26T00:00:00Z\n";
    assert_eq!(text, format!("{header}{row}"));
}

#[test]
fn csv_for_spreadsheets_has_a_byte_order_mark_and_no_formulas() {
    let options = EncodeOptions { byte_order_mark: true, escape_formulas: true, ..EncodeOptions::default() };
    let text = String::from_utf8(encode(Format::Csv, options, &[batch()])).unwrap();
    assert!(text.starts_with('\u{feff}'));
    assert!(text.contains("\n'=0220102,"), "{text}");
}

#[test]
fn arrow_reads_back_as_it_was() {
    let bytes = encode(Format::Arrow, EncodeOptions::default(), &[batch(), batch()]);
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(read.len(), 2);
    assert_eq!(format!("{:?}", read[0]), format!("{:?}", batch()), "NaN is not equal to itself, its print is");
}

#[test]
fn an_arrow_stream_without_its_end_is_told_from_a_whole_one() {
    let mut out = Vec::new();
    let mut encoder = encoder(Format::Arrow, batch().schema(), EncodeOptions::default()).unwrap();
    encoder.begin(&mut out).unwrap();
    encoder.batch(&batch(), &mut out).unwrap();
    let cut = out.len();
    encoder.end(Ending { rows: 2, truncated: false }, &mut out).unwrap();
    assert!(out.len() > cut, "the end marker has bytes of its own");
}

#[test]
fn parquet_reads_back_and_lets_go_of_row_groups_as_it_goes() {
    // values that do not compress, or a row group would fit into the writer's own buffer
    let values = (0..80_000_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).cast_signed());
    let many: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    let many = RecordBatch::try_from_iter([("value", many)]).unwrap();
    let mut out = Vec::new();
    let mut encoder = encoder(Format::Parquet, many.schema(), EncodeOptions::default()).unwrap();
    encoder.begin(&mut out).unwrap();
    encoder.batch(&many, &mut out).unwrap();
    encoder.batch(&many, &mut out).unwrap();
    assert!(out.len() > 500_000, "160,000 rows are more than one row group: the first is out before the end");
    encoder.end(Ending { rows: 160_000, truncated: false }, &mut out).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(out)).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let read: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    let read = arrow::compute::concat_batches(&many.schema(), &read).unwrap();
    assert_eq!(read.slice(80_000, 80_000), many);
}

#[test]
fn parquet_keeps_types_and_nulls() {
    let bytes = encode(Format::Parquet, EncodeOptions::default(), &[batch()]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let read: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(format!("{:?}", read[0].columns()), format!("{:?}", batch().columns()));
}

#[test]
fn formats_are_found_by_name() {
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
    }
    assert_eq!("yaml".parse::<Format>().unwrap_err().to_string(), "`yaml` is not a format");
}
