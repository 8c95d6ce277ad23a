use std::io::Cursor;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    ListArray, StringArray, TimestampMicrosecondArray, TimestampSecondArray,
};
use arrow::datatypes::Int32Type;
use calamine::{Data, Reader, Xlsx};
use xiangyun_engine::error::{Classify, ErrorKind};

use super::*;

fn pack(encoder: &mut XlsxEncoder, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out).unwrap();
    for batch in batches {
        encoder.batch(batch, &mut out).unwrap();
    }
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    encoder.end(Ending { rows, truncated: false }, &mut out).unwrap();
    assert!(out.is_empty(), "nothing is handed out before the workbook is whole");
    loop {
        let before = out.len();
        encoder.rest(&mut out).unwrap();
        if out.len() == before {
            return out;
        }
    }
}

fn read(bytes: Vec<u8>) -> Vec<(String, Vec<Vec<Data>>)> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).unwrap();
    let sheets = workbook.worksheets().into_iter();
    sheets.map(|(name, range)| (name, range.rows().map(<[Data]>::to_vec).collect())).collect()
}

fn one(batch: &RecordBatch) -> Vec<Vec<Data>> {
    let mut encoder = XlsxEncoder::try_new(&batch.schema()).unwrap();
    let mut sheets = read(pack(&mut encoder, std::slice::from_ref(batch)));
    assert_eq!((sheets.len(), sheets[0].0.as_str()), (1, "Sheet1"));
    sheets.remove(0).1
}

fn column(name: &str, array: impl Into<ArrayRef>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, array.into(), true)]).unwrap()
}

fn array(array: impl arrow::array::Array + 'static) -> ArrayRef {
    Arc::new(array)
}

/// What a reader makes of a cell of type date.
fn moment(cell: &Data) -> String {
    let Data::DateTime(value) = cell else { panic!("{cell:?} is no date") };
    value.as_datetime().unwrap().to_string()
}

#[test]
fn text_stays_text_whatever_it_looks_like() {
    let texts = [
        "吉林省，\"森工\"\n集团",
        "=1+1",
        "+86",
        "-1",
        "@x",
        "0220102",
        "2019-03-26",
        "TRUE",
        " x ",
        "a\u{1}b",
        "_x0041_",
        "<&>",
        "𠮷林",
    ];
    let rows = one(&column("名称", array(StringArray::from(texts.to_vec()))));
    assert_eq!(rows[0], [Data::String("名称".into())]);
    for (row, text) in rows[1..].iter().zip(texts) {
        assert_eq!(row[0], Data::String(text.into()));
    }
}

#[test]
fn numbers_are_numbers_where_every_digit_fits() {
    let wide = Decimal128Array::from(vec![Some(12_500_000), Some(72_685_427_318_400_123_456), None])
        .with_precision_and_scale(38, 6)
        .unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("small", array(Int32Array::from(vec![Some(7), Some(-1), None])), true),
        ("big", array(Int64Array::from(vec![Some(42), Some(9_007_199_254_740_993), None])), true),
        ("fee", array(wide), true),
        ("share", array(Float64Array::from(vec![Some(0.25), Some(f64::NAN), None])), true),
        ("single", array(Float32Array::from(vec![Some(0.1), Some(1e20), None])), true),
        ("late", array(BooleanArray::from(vec![Some(true), Some(false), None])), true),
        ("end", array(StringArray::from(vec!["a", "b", "c"])), true),
    ])
    .unwrap();
    let rows = one(&batch);
    let text = |text: &str| Data::String(text.into());
    let numbers = [7.0, 42.0, 12.5, 0.25, 0.1].map(Data::Float);
    assert_eq!(rows[1][..5], numbers);
    assert_eq!(rows[1][5], Data::Bool(true));
    assert_eq!(rows[2][0], Data::Float(-1.0));
    assert_eq!(rows[2][1..4], [text("9007199254740993"), text("72685427318400.123456"), text("NaN")]);
    assert_eq!((&rows[2][4], &rows[2][5]), (&Data::Float(1e20), &Data::Bool(false)));
    assert!(rows[3][..6].iter().all(|cell| *cell == Data::Empty), "{:?}", rows[3]);
}

#[test]
fn days_are_days_and_instants_are_chinas_time() {
    let at = vec![Some(1_553_558_400_000_000), Some(1_553_558_400_250_000), None];
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("day", array(Date32Array::from(vec![Some(17_981), Some(-25_567), None])), true),
        ("at", array(TimestampMicrosecondArray::from(at).with_timezone("UTC")), true),
        ("local", array(TimestampSecondArray::from(vec![Some(1_553_558_400), Some(-62_135_596_800), None])), true),
    ])
    .unwrap();
    let rows = one(&batch);
    assert_eq!(moment(&rows[1][0]), "2019-03-26 00:00:00");
    assert_eq!(moment(&rows[1][1]), "2019-03-26 08:00:00");
    assert_eq!(moment(&rows[1][2]), "2019-03-26 00:00:00");
    assert_eq!(moment(&rows[2][1]), "2019-03-26 08:00:00.250");
    // Before March 1900 spreadsheets count other days than everybody else.
    assert_eq!(rows[2][0], Data::String("1900-01-01".into()));
    assert_eq!(rows[2][2], Data::String("0001-01-01T00:00:00".into()));
}

#[test]
fn what_spreadsheets_have_no_type_for_is_text() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    let rows = one(&column("list", array(lists)));
    assert_eq!(rows[1], [Data::String("[1, ]".into())]);
    let codes: arrow::array::DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
    assert_eq!(one(&column("code", array(codes)))[2], [Data::String("b".into())]);
}

#[test]
fn a_result_without_rows_has_its_header() {
    let batch = column("a", array(Int32Array::from(vec![1])));
    let mut encoder = XlsxEncoder::try_new(&batch.schema()).unwrap();
    assert_eq!(read(pack(&mut encoder, &[])), [("Sheet1".into(), vec![vec![Data::String("a".into())]])]);
}

#[test]
fn rows_beyond_a_sheet_go_on_the_next_under_the_same_header() {
    let batch = column("n", array(Int32Array::from((1..=5).collect::<Vec<_>>())));
    let mut encoder = XlsxEncoder::with_sheets_of(4, &batch.schema()).unwrap();
    let sheets = read(pack(&mut encoder, &[batch.clone(), batch.slice(0, 1)]));
    let expected = |numbers: &[f64]| {
        let header = std::iter::once(vec![Data::String("n".into())]);
        header.chain(numbers.iter().map(|n| vec![Data::Float(*n)])).collect::<Vec<_>>()
    };
    assert_eq!(
        sheets,
        [("Sheet1".into(), expected(&[1.0, 2.0, 3.0])), ("Sheet2".into(), expected(&[4.0, 5.0, 1.0]))],
        "six rows fill two sheets of a header and three rows each"
    );
}

#[test]
fn a_text_that_no_cell_holds_is_an_error_that_names_its_place() {
    let fits = "祥".repeat(CELL_CHARACTERS);
    let batch = column("note", array(StringArray::from(vec![fits.clone(), format!("{fits}云")])));
    assert_eq!(one(&batch.slice(0, 1))[1], [Data::String(fits)]);
    let mut encoder = XlsxEncoder::try_new(&batch.schema()).unwrap();
    encoder.begin(&mut Vec::new()).unwrap();
    let error = encoder.batch(&batch, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "row 2 of column `note` has 32768 characters, and a cell of a workbook holds 32767");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("left(note, 32767)"));
}

#[test]
fn a_workbook_that_was_not_ended_is_none() {
    let batch = column("n", array(Int32Array::from(vec![1])));
    let mut encoder = XlsxEncoder::try_new(&batch.schema()).unwrap();
    let mut out = Vec::new();
    encoder.begin(&mut out).unwrap();
    encoder.batch(&batch, &mut out).unwrap();
    encoder.rest(&mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
fn no_column_is_wider_than_a_bound() {
    let batch = RecordBatch::try_from_iter([
        ("n", array(Int32Array::from(vec![1]))),
        ("长长的说明", array(StringArray::from(vec!["很".repeat(500)]))),
    ])
    .unwrap();
    let mut encoder = XlsxEncoder::try_new(&batch.schema()).unwrap();
    pack(&mut encoder, &[batch]);
    let widths: Vec<_> = encoder.columns.iter().map(Column::width).collect();
    assert_eq!(widths, [10.0, 62.0]);
}
