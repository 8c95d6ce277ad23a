//! The statistics that a Delta log keeps of each data file, as DataFusion understands them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema};
use arrow::json::ReaderBuilder;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};

use super::data_file::STATISTICS_TEXT_CHARS;

/// Digits that a float keeps exactly: another writer may have passed a decimal's statistics through one.
const FLOAT_DIGITS: u8 = 15;

/// Writers may cut a timestamp's statistics to milliseconds: a maximum stands for the whole millisecond.
const MILLISECOND_REST: i64 = 999;

/// Parsed statistics of all files of a snapshot, a row each.
pub(super) struct LogStatistics {
    rows: Option<Int64Array>,
    minima: Option<StructArray>,
    maxima: Option<StructArray>,
    nulls: Option<StructArray>,
}

impl LogStatistics {
    /// Parses the statistics' JSON texts. Numbers go from text to their type at once, so decimals keep all digits.
    /// A text that does not parse counts as no statistics: they only ever speed up.
    pub(super) fn parse(texts: &[Option<String>], columns: &Fields) -> Self {
        let schema = statistics_schema(columns);
        let parsed = parse_lines(texts.iter().map(|text| text.as_deref().unwrap_or("{}")), &schema)
            .or_else(|| parse_lines(texts.iter().map(|text| readable(text.as_deref(), &schema)), &schema));
        let column = |name: &str| parsed.as_ref().and_then(|parsed| parsed.column_by_name(name).cloned());
        let nested = |name: &str| column(name).and_then(|column| column.as_struct_opt().cloned());
        Self {
            rows: column("numRecords").and_then(|column| column.as_primitive_opt::<Int64Type>().cloned()),
            minima: nested("minValues"),
            maxima: nested("maxValues"),
            nulls: nested("nullCount"),
        }
    }

    /// Statistics of the file in `row`: of the file's columns, then of the partition columns. `own` says that
    /// Xiangyun's writer made it.
    pub(super) fn of_file(&self, row: usize, columns: &Fields, partitions: &[ScalarValue], own: bool) -> Statistics {
        let rows = self.rows.as_ref().filter(|rows| rows.is_valid(row)).map(|rows| rows.value(row).max(0) as usize);
        let rows = rows.map_or(Precision::Absent, Precision::Exact);
        let of_column = |field: &Arc<Field>| ColumnStatistics {
            null_count: match value(self.nulls.as_ref(), field.name(), row) {
                Some(ScalarValue::Int64(Some(count))) => Precision::Exact(count.max(0) as usize),
                _ => Precision::Absent,
            },
            min_value: bound(value(self.minima.as_ref(), field.name(), row), field, own),
            max_value: widen(bound(value(self.maxima.as_ref(), field.name(), row), field, own)),
            ..ColumnStatistics::new_unknown()
        };
        let of_partition = |value: &ScalarValue| of_constant(value, rows);
        Statistics {
            num_rows: rows,
            total_byte_size: Precision::Absent,
            column_statistics: columns.iter().map(of_column).chain(partitions.iter().map(of_partition)).collect(),
        }
    }
}

fn statistics_schema(columns: &Fields) -> Arc<Schema> {
    let bounded = columns.iter().filter(|field| !field.data_type().is_nested() && !is_binary(field.data_type()));
    let values: Fields =
        bounded.map(|field| Arc::new(Field::new(field.name(), field.data_type().clone(), true))).collect();
    let nulls: Fields = values.iter().map(|field| Arc::new(Field::new(field.name(), DataType::Int64, true))).collect();
    Arc::new(Schema::new(vec![
        Field::new("numRecords", DataType::Int64, true),
        Field::new("minValues", DataType::Struct(values.clone()), true),
        Field::new("maxValues", DataType::Struct(values), true),
        Field::new("nullCount", DataType::Struct(nulls), true),
    ]))
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn parse_lines<'a>(
    lines: impl ExactSizeIterator<Item = &'a str>,
    schema: &Arc<Schema>,
) -> Option<arrow::record_batch::RecordBatch> {
    let count = lines.len();
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(count.max(1)).build_decoder().ok()?;
    for line in lines {
        decoder.decode(line.as_bytes()).ok()?;
        decoder.decode(b"\n").ok()?;
    }
    decoder.flush().ok().flatten().filter(|batch| batch.num_rows() == count)
}

/// `text` where it parses alone, else no statistics.
fn readable<'a>(text: Option<&'a str>, schema: &Arc<Schema>) -> &'a str {
    text.filter(|text| parse_lines(std::iter::once(*text), schema).is_some()).unwrap_or("{}")
}

fn value(columns: Option<&StructArray>, name: &str, row: usize) -> Option<ScalarValue> {
    let columns = columns.filter(|columns| columns.is_valid(row))?;
    ScalarValue::try_from_array(columns.column_by_name(name)?, row).ok().filter(|value| !value.is_null())
}

/// How far a bound may be trusted. Texts that were cut and values that another writer may have cut are bounds only;
/// a large decimal of another writer may have been rounded by a float, so it is no bound at all.
fn bound(value: Option<ScalarValue>, field: &Field, own: bool) -> Precision<ScalarValue> {
    let Some(value) = value else { return Precision::Absent };
    match (field.data_type(), &value) {
        (DataType::Utf8 | DataType::Utf8View, ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)))
            if own && text.chars().count() < STATISTICS_TEXT_CHARS =>
        {
            Precision::Exact(value)
        }
        (DataType::Decimal128(precision, _), _) if !own && *precision > FLOAT_DIGITS => Precision::Absent,
        // Floats leave NaN out.
        (DataType::Utf8 | DataType::Utf8View | DataType::Float32 | DataType::Float64, _) => Precision::Inexact(value),
        (DataType::Timestamp(..), _) if !own => Precision::Inexact(value),
        _ => Precision::Exact(value),
    }
}

/// An inexact maximum that is certainly not below the true one.
fn widen(bound: Precision<ScalarValue>) -> Precision<ScalarValue> {
    match bound {
        Precision::Inexact(ScalarValue::TimestampMicrosecond(Some(micros), zone)) => {
            let widened = micros.saturating_add(MILLISECOND_REST);
            Precision::Inexact(ScalarValue::TimestampMicrosecond(Some(widened), zone))
        }
        other => other,
    }
}

fn of_constant(value: &ScalarValue, rows: Precision<usize>) -> ColumnStatistics {
    if value.is_null() {
        return ColumnStatistics { null_count: rows, ..ColumnStatistics::new_unknown() };
    }
    ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(value.clone()),
        max_value: Precision::Exact(value.clone()),
        ..ColumnStatistics::new_unknown()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn columns() -> Fields {
        Fields::from(vec![
            Field::new("amount", DataType::Decimal128(38, 6), true),
            Field::new("name", DataType::Utf8, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        ])
    }

    const TEXT: &str = r#"{"numRecords":3,
        "minValues":{"amount":-12345678901234567890.123456,"name":"长春","at":"2019-03-26T00:00:00.001Z"},
        "maxValues":{"amount":99999999999999999999.999999,"name":"龍","at":"2019-03-26T00:00:00.001Z"},
        "nullCount":{"amount":1,"name":0,"at":0}}"#;

    #[test]
    fn decimals_keep_every_digit() {
        let parsed = LogStatistics::parse(&[Some(TEXT.replace('\n', ""))], &columns());
        let statistics = parsed.of_file(0, &columns(), &[], true);
        assert_eq!(statistics.num_rows, Precision::Exact(3));
        let amount = &statistics.column_statistics[0];
        let expected = ScalarValue::Decimal128(Some(-12_345_678_901_234_567_890_123_456), 38, 6);
        assert_eq!(amount.min_value, Precision::Exact(expected));
        assert_eq!(amount.null_count, Precision::Exact(1));
    }

    #[test]
    fn another_writers_bounds_are_trusted_less() {
        let parsed = LogStatistics::parse(&[Some(TEXT.replace('\n', ""))], &columns());
        let statistics = parsed.of_file(0, &columns(), &[], false);
        assert_eq!(statistics.column_statistics[0].min_value, Precision::Absent);
        assert!(matches!(statistics.column_statistics[1].min_value, Precision::Inexact(_)));
        let micros = |value: &Precision<ScalarValue>| match value {
            Precision::Inexact(ScalarValue::TimestampMicrosecond(Some(micros), _)) => *micros,
            other => panic!("{other:?}"),
        };
        let at = &statistics.column_statistics[2];
        assert_eq!(micros(&at.max_value) - micros(&at.min_value), 999);
    }

    #[test]
    fn one_unreadable_text_costs_only_its_own_file() {
        let texts = [Some("{\"numRecords\":\"x\"}".to_string()), Some("{\"numRecords\":7}".to_string()), None];
        let parsed = LogStatistics::parse(&texts, &columns());
        let rows = |row| parsed.of_file(row, &columns(), &[], true).num_rows;
        assert_eq!((rows(0), rows(1), rows(2)), (Precision::Absent, Precision::Exact(7), Precision::Absent));
    }
}
