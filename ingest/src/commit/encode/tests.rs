#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::sync::Arc;

use arrow::array::{Array, AsArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::basic::{Encoding, ZstdLevel};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, ReaderProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::schema::types::ColumnPath;

use super::*;

const ROWS: usize = 70_000;

fn text(of: impl Fn(usize) -> Option<String>) -> ArrayRef {
    Arc::new((0..ROWS).map(of).collect::<StringArray>())
}

/// Columns of every shape that the encoder treats in a way of its own.
fn rows() -> RecordBatch {
    // A stride that visits all residues, so that nothing is sorted by accident.
    let mixed = |row: usize| row * 7_919 % ROWS;
    let keys = Int32Array::from_iter((0..ROWS).map(|row| (row % 11 != 4).then_some((row / 30_000) as i32)));
    let files = StringArray::from(vec![Some("b.csv"), None, Some("a.csv"), Some("never used")]);
    let long = "长春市南关区人民大街".repeat(7);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("constant", text(|_| Some("吉林省".into())), false),
        ("few", text(|row| Some(format!("{}", mixed(row) % 10))), false),
        ("few_or_none", text(|row| (row % 3 > 0).then(|| format!("市{}", mixed(row) % 300))), true),
        ("none", text(|_| None), true),
        ("none_at_first", text(|row| (row > 45_000).then(|| format!("{}", mixed(row)))), true),
        ("different", text(|row| Some(format!("9122{:014}", mixed(row)))), false),
        ("different_or_none", text(|row| (row % 5 > 0).then(|| format!("公司{}", mixed(row)))), true),
        // The dictionary becomes too large after two pages.
        ("too_many", text(|row| Some(format!("{:040}", mixed(row / 2)))), false),
        ("long", text(|row| Some(format!("{long}{}", row % 7))), false),
        ("rising", text(|row| Some(format!("{:06}", row / 4))), false),
        ("falling", text(|row| Some(format!("{:06}", (ROWS - row) / 4))), true),
        ("empty", text(|row| Some("x".repeat(row % 2))), true),
        ("highest", text(|_| Some("\u{10ffff}".repeat(40))), true),
        ("file", Arc::new(DictionaryArray::new(keys, Arc::new(files))), true),
        ("number", Arc::new(Int64Array::from_iter((0..ROWS).map(|row| (row % 4 > 0).then_some(row as i64)))), true),
    ];
    let fields =
        columns.iter().map(|(name, values, nullable)| Field::new(*name, values.data_type().clone(), *nullable));
    let arrays = columns.iter().map(|(_, values, _)| values.clone()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays).unwrap()
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_bloom_filter_enabled(ColumnPath::from("different"), true)
        .set_column_bloom_filter_enabled(ColumnPath::from("too_many"), true)
        .set_column_statistics_enabled(ColumnPath::from("file"), EnabledStatistics::None)
        .build()
}

/// A file of `rows` that come in batches of different lengths.
fn encoded(rows: &RecordBatch) -> Bytes {
    let mut bytes = Vec::new();
    let mut encoder = FileEncoder::new(&mut bytes, &rows.schema(), properties()).unwrap();
    let (mut from, mut count) = (0, 1);
    while from < rows.num_rows() {
        let length = count.min(rows.num_rows() - from);
        encoder.write(&rows.slice(from, length)).unwrap();
        (from, count) = (from + length, (count * 5) % 9_001);
    }
    encoder.close().unwrap();
    bytes.into()
}

fn reader(file: &Bytes) -> SerializedFileReader<Bytes> {
    let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
    let options = ReadOptionsBuilder::new()
        .with_page_index()
        .with_encoding_stats_as_mask(false)
        .with_reader_properties(properties)
        .build();
    SerializedFileReader::new_with_options(file.clone(), options).unwrap()
}

/// `rows` as a reader of the file gives them.
fn unpacked(rows: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns.map(|(values, field)| cast(values, field.data_type()).unwrap()).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

#[test]
fn rows_come_back() {
    let rows = rows();
    let found = ParquetRecordBatchReaderBuilder::try_new(encoded(&rows)).unwrap();
    let schema = found.schema().clone();
    let found: Vec<_> = found.with_batch_size(10_000).build().unwrap().map(Result::unwrap).collect();
    assert_eq!(concat_batches(&schema, &found).unwrap(), unpacked(&rows, &schema));
}

#[test]
fn small_files_come_back() {
    let rows = rows();
    for count in [1, 7, 8, 9, 1_500] {
        let rows = rows.slice(3, count);
        let found = ParquetRecordBatchReaderBuilder::try_new(encoded(&rows)).unwrap();
        let schema = found.schema().clone();
        let found: Vec<_> = found.build().unwrap().map(Result::unwrap).collect();
        assert_eq!(concat_batches(&schema, &found).unwrap(), unpacked(&rows, &schema), "{count} rows");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let none = DictionaryArray::new(Int32Array::from(vec![0]), Arc::new(StringArray::from(vec![None::<&str>])));
    let schema = Arc::new(Schema::new(vec![Field::new("text", none.data_type().clone(), false)]));
    let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(none)]).unwrap();
    let mut encoder = FileEncoder::new(Vec::new(), &schema, properties()).unwrap();
    encoder.write(&rows).unwrap();
    let error = encoder.close().unwrap_err().to_string();
    assert!(error.contains("misses values and may not"), "{error}");
    let other = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    assert!(FileEncoder::new(Vec::new(), &schema, other).is_err());
}

/// Long texts of which each page has its own: no more than the short bounds of a page are kept.
#[test]
fn bounds_of_pages_are_short() {
    let texts = StringArray::from_iter_values((0..64).map(|row| format!("{row}{}", "x".repeat(1 << 20))));
    let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap();
    let mut bytes = Vec::new();
    let mut encoder = FileEncoder::new(&mut bytes, &batch.schema(), properties()).unwrap();
    (0..64).for_each(|row| encoder.write(&batch.slice(row, 1)).unwrap());
    encoder.close().unwrap();
    let bytes = Bytes::from(bytes);
    let file = reader(&bytes);
    let ColumnIndexMetaData::BYTE_ARRAY(pages) = &file.metadata().column_index().unwrap()[0][0] else {
        panic!("no index")
    };
    assert_eq!(pages.num_pages(), 64);
    assert!((0..64).all(|page| pages.max_value(page).unwrap().len() <= 32));
}

/// A reader that skips pages finds them where the index says.
#[test]
fn pages_are_where_the_index_says() {
    let rows = rows();
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let found = ParquetRecordBatchReaderBuilder::try_new_with_options(encoded(&rows), options).unwrap();
    let schema = found.schema().clone();
    let selected =
        [RowSelector::skip(41_000), RowSelector::select(500), RowSelector::skip(20_000), RowSelector::select(3)];
    let found = found.with_row_selection(RowSelection::from(selected.to_vec())).build().unwrap();
    let found: Vec<_> = found.map(Result::unwrap).collect();
    let expected = concat_batches(&rows.schema(), [&rows.slice(41_000, 500), &rows.slice(61_500, 3)]).unwrap();
    assert_eq!(concat_batches(&schema, &found).unwrap(), unpacked(&expected, &schema));
}

#[test]
fn texts_that_repeat_have_codes() {
    let file = encoded(&rows());
    let found = reader(&file);
    let group = found.metadata().row_group(0);
    let encodings = |name: &str| -> Vec<Encoding> {
        let column = group.columns().iter().find(|column| column.column_path().string() == name).unwrap();
        column.page_encoding_stats().unwrap().iter().map(|stats| stats.encoding).collect()
    };
    for name in ["constant", "few", "few_or_none", "rising", "file"] {
        assert_eq!(encodings(name), [Encoding::PLAIN, Encoding::RLE_DICTIONARY], "{name}");
    }
    assert_eq!(encodings("different"), [Encoding::PLAIN]);
    assert_eq!(encodings("different_or_none"), [Encoding::PLAIN]);
    assert_eq!(encodings("too_many"), [Encoding::PLAIN, Encoding::RLE_DICTIONARY, Encoding::PLAIN]);
}

/// What the footer and the indexes say, against the rows and against the library.
#[test]
fn statistics_are_those_of_the_rows() {
    let rows = rows();
    let file = encoded(&rows);
    let mut theirs = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut theirs, rows.schema(), Some(properties())).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let (found, theirs) = (reader(&file), reader(&Bytes::from(theirs)));
    let (metadata, expected) = (found.metadata(), theirs.metadata());
    assert_eq!(metadata.num_row_groups(), 1);
    for (index, field) in rows.schema().fields().iter().enumerate() {
        let name = field.name();
        let (column, their) = (metadata.row_group(0).column(index), expected.row_group(0).column(index));
        assert_eq!(column.num_values(), ROWS as i64, "{name}");
        assert_eq!(column.definition_level_histogram(), their.definition_level_histogram(), "{name}");
        assert_eq!(column.unencoded_byte_array_data_bytes(), their.unencoded_byte_array_data_bytes(), "{name}");
        let bounds = |column: &parquet::file::metadata::ColumnChunkMetaData| {
            let statistics = column.statistics()?;
            Some((
                statistics.null_count_opt(),
                statistics.min_bytes_opt().map(<[u8]>::to_vec),
                statistics.max_bytes_opt().map(<[u8]>::to_vec),
                (statistics.min_is_exact(), statistics.max_is_exact()),
            ))
        };
        // The library cuts texts elsewhere.
        if !["long", "highest", "too_many"].contains(&name.as_str()) {
            assert_eq!(bounds(column), bounds(their), "{name}");
        }
        let Some(texts) = rows.column(index).as_string_opt::<i32>() else { continue };
        if name == "highest" {
            // No text is greater and shorter.
            assert_eq!(column.statistics().unwrap().max_bytes_opt(), None);
            assert!(matches!(metadata.column_index().unwrap()[0][index], ColumnIndexMetaData::NONE));
            continue;
        }
        let ColumnIndexMetaData::BYTE_ARRAY(pages) = &metadata.column_index().unwrap()[0][index] else {
            panic!("{name} has no index")
        };
        let locations = metadata.offset_index().unwrap()[0][index].page_locations();
        assert_eq!(pages.num_pages() as usize, locations.len(), "{name}");
        assert!(locations.len() >= 4, "{name}");
        for (number, location) in locations.iter().enumerate() {
            let from = location.first_row_index as usize;
            let to = locations.get(number + 1).map_or(ROWS, |next| next.first_row_index as usize);
            let texts = texts.slice(from, to - from);
            assert_eq!(pages.null_count(number), Some(texts.null_count() as i64), "{name}");
            let least = texts.iter().flatten().min().map(str::as_bytes);
            let greatest = texts.iter().flatten().max().map(str::as_bytes);
            assert_eq!(pages.is_null_page(number), least.is_none(), "{name}");
            match (pages.min_value(number), pages.max_value(number)) {
                (None, None) => assert_eq!(least, None, "{name}"),
                (low, high) if ["long", "too_many"].contains(&name.as_str()) => {
                    assert!(low <= least && high >= greatest && low.unwrap().len() < least.unwrap().len(), "{name}");
                }
                found => assert_eq!(found, (least, greatest), "{name}"),
            }
        }
        let order = match name.as_str() {
            "constant" | "none" | "none_at_first" | "long" | "rising" | "empty" | "few" => "ASCENDING",
            "falling" => "DESCENDING",
            _ => continue,
        };
        if name != "none_at_first" {
            assert_eq!(
                metadata.column_index().unwrap()[0][index].get_boundary_order().unwrap().to_string(),
                order,
                "{name}"
            );
        }
    }
}

#[test]
fn filters_know_each_text_and_hardly_others() {
    let rows = rows();
    let file = encoded(&rows);
    let found = reader(&file);
    let group = found.get_row_group(0).unwrap();
    for name in ["different", "too_many"] {
        let index = rows.schema().index_of(name).unwrap();
        let filter = group.get_column_bloom_filter(index).unwrap();
        assert!(rows.column(index).as_string::<i32>().iter().flatten().all(|text| filter.check(text)), "{name}");
        let strange = (0..1_000).filter(|number| filter.check(format!("strange {number}").as_str())).count();
        assert!(strange < 200, "{name}: {strange}");
    }
}

#[test]
fn row_groups_are_cut_at_their_size() {
    let rows = ROW_GROUP_ROWS + 70_000;
    let values = StringArray::from_iter_values((0..rows).map(|row| if row < ROW_GROUP_ROWS { "a" } else { "b" }));
    let batch = RecordBatch::try_from_iter([("text", Arc::new(values) as ArrayRef)]).unwrap();
    let mut bytes = Vec::new();
    let mut encoder = FileEncoder::new(&mut bytes, &batch.schema(), properties()).unwrap();
    encoder.write(&batch).unwrap();
    assert!(encoder.bytes_written() > 0 && encoder.in_progress_size() > 0);
    encoder.close().unwrap();
    let found = reader(&bytes.into());
    let groups = found.metadata().row_groups();
    let bounds = groups.iter().map(|group| group.column(0).statistics().unwrap().max_bytes_opt().unwrap().to_vec());
    assert_eq!(bounds.collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(groups.iter().map(|group| group.num_rows()).collect::<Vec<_>>(), [ROW_GROUP_ROWS as i64, 70_000]);
}

/// Numbers of every kind, as the writer of tables has them stored.
fn numbers() -> (RecordBatch, WriterProperties) {
    // Without any pattern that could be compressed.
    let mixed =
        |row: usize| ((row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17 ^ (row as u64 * 7_919) << 7) as i64;
    let whole = |of: &dyn Fn(usize) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..ROWS).map(of))) };
    let halves = |of: &dyn Fn(usize) -> i64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| of(row) as f64 / 7.0)))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("rising", whole(&|row| row as i64)),
        ("different", whole(&|row| mixed(row) % 100_000_007)),
        ("far_apart", whole(&|row| (mixed(row) % 97) << 50)),
        ("ratio", halves(&|row| mixed(row))),
        ("some_ratio", halves(&|row| mixed(row) % 100)),
        ("constant", halves(&|_| 3)),
    ];
    let mut properties = properties().into_builder();
    for whole in ["rising", "different", "far_apart"] {
        properties = properties.set_column_encoding(ColumnPath::from(whole), Encoding::DELTA_BINARY_PACKED);
    }
    (RecordBatch::try_from_iter(columns).unwrap(), properties.build())
}

#[test]
fn numbers_are_stored_as_their_first_rows_ask_for() {
    let (rows, properties) = numbers();
    let file = |from| {
        let mut bytes = Vec::new();
        let mut encoder = FileEncoder::new(&mut bytes, &rows.schema(), properties.clone()).unwrap();
        encoder.write(&rows.slice(0, from)).unwrap();
        encoder.write(&rows.slice(from, ROWS - from)).unwrap();
        encoder.close().unwrap();
        Bytes::from(bytes)
    };
    let forms = |file: &Bytes| -> Vec<(String, bool, bool)> {
        let reader = reader(file);
        let columns = reader.metadata().row_group(0).columns();
        let form = |column: &parquet::file::metadata::ColumnChunkMetaData| {
            let has_dictionary = column.dictionary_page_offset().is_some();
            (column.column_path().string(), has_dictionary, column.compression() != Compression::UNCOMPRESSED)
        };
        columns.iter().map(form).collect()
    };
    let expected = [
        ("rising", false, true),
        ("different", false, false),
        ("far_apart", true, false),
        ("ratio", false, false),
        ("some_ratio", true, false),
        ("constant", true, false),
    ];
    let as_asked = file(ROWS / 2);
    assert_eq!(forms(&as_asked), expected.map(|(name, dictionary, packed)| (name.to_owned(), dictionary, packed)));
    // Too few rows to tell by.
    let as_said = file(100);
    assert!(forms(&as_said).iter().all(|(_, has_dictionary, is_compressed)| *has_dictionary && *is_compressed));
    assert!(as_asked.len() < as_said.len(), "{} and {} bytes", as_asked.len(), as_said.len());
    for file in [as_asked, as_said] {
        let found = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let schema = found.schema().clone();
        let found: Vec<_> = found.build().unwrap().map(Result::unwrap).collect();
        assert_eq!(concat_batches(&schema, &found).unwrap(), unpacked(&rows, &schema));
    }
}
