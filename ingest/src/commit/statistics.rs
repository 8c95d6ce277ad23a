//! The statistics that go into the log with a file: row count, and of each column the least and greatest value and
//! the number of missing ones, as one JSON text in the form of Delta's protocol.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringArray};
use arrow::compute::{concat, max, max_string, min, min_string};
use arrow::datatypes::{
    ArrowNumericType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, Schema, SchemaRef,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Datelike, Days, NaiveDate};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use xiangyun_engine::catalog::STATISTICS_TEXT_CHARS;
use xiangyun_engine::error::BoxError;

/// The statistics of a file whose rows come in pieces and are not kept.
#[derive(Debug)]
pub(super) struct Statistics {
    schema: SchemaRef,
    rows: usize,
    nulls: Vec<usize>,
    /// Of each column, arrays with the same least and greatest value as the rows.
    extremes: Vec<Vec<ArrayRef>>,
}

impl Statistics {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let columns = schema.fields().len();
        Self { schema: Arc::clone(schema), rows: 0, nulls: vec![0; columns], extremes: vec![Vec::new(); columns] }
    }

    /// Takes the rows of `batch` into account.
    pub(super) fn push(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows();
        for (index, column) in batch.columns().iter().enumerate() {
            self.nulls[index] += column.logical_null_count();
            self.extremes[index].extend(extremes(column));
        }
    }

    /// The statistics, with the bounds of texts from the file itself: comparing texts twice is what costs most.
    pub(super) fn close(mut self, file: &ParquetMetaData) -> Result<String, BoxError> {
        let parquet_schema = file.file_metadata().schema_descr();
        let mut columns = Vec::with_capacity(self.nulls.len());
        for (index, field) in self.schema.fields().iter().enumerate() {
            let mut arrays = std::mem::take(&mut self.extremes[index]);
            if *field.data_type() == DataType::Utf8 {
                let converter = StatisticsConverter::try_new(field.name(), &self.schema, parquet_schema)?;
                arrays.push(converter.row_group_mins(file.row_groups())?);
                arrays.push(converter.row_group_maxes(file.row_groups())?);
            }
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            let bounds = if arrays.is_empty() { None } else { bounds(concat(&arrays)?.as_ref()) };
            columns.push((bounds, self.nulls[index]));
        }
        Ok(json(&self.schema, self.rows, columns.into_iter()))
    }
}

/// An array of two rows with the column's least and greatest value, where they are quickly told; nothing where the
/// column has no values or its bounds come from elsewhere.
fn extremes(column: &ArrayRef) -> Option<ArrayRef> {
    fn two<T: ArrowNumericType>(column: &ArrayRef) -> Option<ArrayRef> {
        let values = column.as_primitive::<T>();
        let two = PrimitiveArray::<T>::from_iter_values([min(values)?, max(values)?]);
        Some(Arc::new(two.with_data_type(column.data_type().clone())))
    }
    match column.data_type() {
        DataType::Int64 => two::<Int64Type>(column),
        DataType::Float64 => two::<Float64Type>(column),
        DataType::Decimal128(..) => two::<Decimal128Type>(column),
        DataType::Date32 => two::<Date32Type>(column),
        DataType::Timestamp(TimeUnit::Microsecond, _) => two::<TimestampMicrosecondType>(column),
        // Bytes have no bounds, and those of a rollup's sketches are not to be held until the file is closed.
        DataType::Utf8 | DataType::Boolean | DataType::Binary => None,
        DataType::Dictionary(..) => {
            let used = used_texts(column.as_ref())?;
            Some(Arc::new(StringArray::from(vec![min_string(&used)?, max_string(&used)?])))
        }
        _ => Some(Arc::clone(column)),
    }
}

/// Of each column its bounds and the number of missing values.
fn json(schema: &Schema, rows: usize, columns: impl Iterator<Item = (Option<(String, String)>, usize)>) -> String {
    let mut minima = Object::new();
    let mut maxima = Object::new();
    let mut nulls = Object::new();
    for (field, (bounds, missing)) in schema.fields().iter().zip(columns) {
        if let Some((least, greatest)) = bounds {
            minima.push(field.name(), &least);
            maxima.push(field.name(), &greatest);
        }
        nulls.push(field.name(), &missing.to_string());
    }
    // Written by hand: a JSON library would pass decimals through floats.
    format!(
        r#"{{"numRecords":{rows},"minValues":{},"maxValues":{},"nullCount":{}}}"#,
        minima.close(),
        maxima.close(),
        nulls.close()
    )
}

/// A JSON object under construction.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".into())
    }

    /// `value` is JSON already.
    fn push(&mut self, key: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(value);
    }

    fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Least and greatest value as JSON; nothing where the column is empty, or where a bound cannot be told or written.
fn bounds(column: &dyn Array) -> Option<(String, String)> {
    match column.data_type() {
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            Some((min(column)?.to_string(), max(column)?.to_string()))
        }
        DataType::Float64 => {
            let column = column.as_primitive::<Float64Type>();
            let (least, greatest) = (min(column)?, max(column)?);
            // NaN has no place in the protocol's order, and JSON has no infinities.
            (least.is_finite() && greatest.is_finite()).then(|| (format!("{least:?}"), format!("{greatest:?}")))
        }
        DataType::Decimal128(_, scale) => {
            let column = column.as_primitive::<Decimal128Type>();
            let scale = usize::try_from(*scale).ok()?;
            Some((decimal(min(column)?, scale), decimal(max(column)?, scale)))
        }
        DataType::Date32 => {
            let column = column.as_primitive::<Date32Type>();
            Some((date(min(column)?)?, date(max(column)?)?))
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            Some((timestamp(min(column)?)?, timestamp(max(column)?)?))
        }
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            Some((quoted(&cut_down(min_string(column)?)), quoted(&cut_up(max_string(column)?)?)))
        }
        DataType::Dictionary(..) => {
            let used = used_texts(column)?;
            Some((quoted(&cut_down(min_string(&used)?)), quoted(&cut_up(max_string(&used)?)?)))
        }
        // The protocol gives booleans no bounds.
        _ => None,
    }
}

/// The texts of an encoded column that a row has: the dictionary may hold others.
fn used_texts(column: &dyn Array) -> Option<StringArray> {
    let column = column.as_dictionary_opt::<Int32Type>()?;
    let values = column.values().as_string_opt::<i32>()?;
    let mut used = vec![false; values.len()];
    column.keys().iter().flatten().for_each(|key| used[key as usize] = true);
    Some(values.iter().zip(used).filter(|(_, used)| *used).map(|(value, _)| value).collect())
}

fn decimal(value: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let mut text = String::from(if value < 0 { "-" } else { "" });
    text.push_str(whole);
    if scale > 0 {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ".{fraction}");
    }
    text
}

/// Four-digit years only: other readers understand no others.
fn four_digits(year: i32) -> bool {
    (0..=9999).contains(&year)
}

fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::default();
    let distance = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) }?;
    four_digits(date.year()).then(|| format!("\"{}\"", date.format("%Y-%m-%d")))
}

fn timestamp(micros: i64) -> Option<String> {
    let instant = DateTime::from_timestamp_micros(micros)?;
    four_digits(instant.year()).then(|| format!("\"{}\"", instant.format("%Y-%m-%dT%H:%M:%S%.6fZ")))
}

/// A text that is not greater than `text` and not long.
pub(super) fn cut_down(text: &str) -> String {
    text.chars().take(STATISTICS_TEXT_CHARS).collect()
}

/// A text that is not less than `text` and not long: cut, its last character raised by one.
pub(super) fn cut_up(text: &str) -> Option<String> {
    let mut characters: Vec<char> = text.chars().take(STATISTICS_TEXT_CHARS + 1).collect();
    if characters.len() <= STATISTICS_TEXT_CHARS {
        return Some(text.into());
    }
    characters.truncate(STATISTICS_TEXT_CHARS);
    let last = characters.pop()?;
    // The step over the surrogates keeps the order of UTF-8 bytes, which is that of code points.
    let raised = ((last as u32 + 1)..=char::MAX as u32).find_map(char::from_u32)?;
    characters.push(raised);
    Some(characters.into_iter().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Float64Array, StringArray, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    /// The statistics of rows that are all there.
    fn file_statistics(batch: &RecordBatch) -> String {
        let columns = batch.columns().iter().map(|column| (bounds(column.as_ref()), column.null_count()));
        json(batch.schema_ref(), batch.num_rows(), columns)
    }

    fn of(column: ArrayRef) -> String {
        file_statistics(&RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap())
    }

    #[test]
    fn decimals_are_written_with_every_digit() {
        let values = vec![Some(-1), Some(12_345_678_901_234_567_890_123_456), None];
        let column = Decimal128Array::from(values).with_precision_and_scale(38, 6).unwrap();
        assert_eq!(
            of(Arc::new(column)),
            r#"{"numRecords":3,"minValues":{"c":-0.000001},"maxValues":{"c":12345678901234567890.123456},"nullCount":{"c":1}}"#
        );
    }

    #[test]
    fn instants_are_utc_with_microseconds() {
        let column = TimestampMicrosecondArray::from(vec![1_553_558_400_000_001]).with_timezone("UTC");
        assert!(of(Arc::new(column)).contains(r#""minValues":{"c":"2019-03-26T00:00:00.000001Z"}"#));
    }

    #[test]
    fn columns_without_values_or_order_have_no_bounds() {
        let empty = of(Arc::new(StringArray::from(vec![None::<&str>])));
        assert_eq!(empty, r#"{"numRecords":1,"minValues":{},"maxValues":{},"nullCount":{"c":1}}"#);
        assert!(of(Arc::new(Float64Array::from(vec![1.0, f64::NAN]))).contains(r#""minValues":{}"#));
    }

    #[test]
    fn dates_are_days_since_the_epoch() {
        assert_eq!(date(17_981).unwrap(), "\"2019-03-26\"");
        assert_eq!(date(-1).unwrap(), "\"1969-12-31\"");
        assert_eq!(date(i32::MAX), None);
    }

    /// The same rows at once and in pieces.
    #[test]
    fn pieces_have_the_statistics_of_the_whole() {
        let texts =
            ["吉林", "", "z", "\u{10ffff}", "长春市南关区人民大街一号长春市南关区人民大街一号长春市南关区人民大街一号"];
        let rows = 40;
        let text = StringArray::from_iter((0..rows).map(|n| (n % 7 != 3).then(|| texts[n % 5].repeat(1 + n % 3))));
        let empty = StringArray::from(vec![None::<&str>; rows]);
        let float = Float64Array::from_iter((0..rows).map(|n| (n % 4 > 0).then_some(n as f64 - 20.5)));
        let broken = Float64Array::from_iter((0..rows).map(|n| Some(if n == 30 { f64::NAN } else { n as f64 })));
        let decimals = (0..rows).map(|n| (n % 3 > 0).then_some(n as i128 * 10_i128.pow(30) - 7));
        let decimal = Decimal128Array::from_iter(decimals).with_precision_and_scale(38, 6).unwrap();
        let flag = arrow::array::BooleanArray::from(vec![true; rows]);
        let instants = (0..rows as i64).map(|n| 1_553_558_400_000_001 - n * 3_600_000_000);
        let instant = TimestampMicrosecondArray::from_iter_values(instants).with_timezone("UTC");
        let columns: [(&str, ArrayRef); 7] = [
            ("text", Arc::new(text)),
            ("empty", Arc::new(empty)),
            ("float", Arc::new(float)),
            ("broken", Arc::new(broken)),
            ("decimal", Arc::new(decimal)),
            ("flag", Arc::new(flag)),
            ("instant", Arc::new(instant)),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let truncated = STATISTICS_TEXT_CHARS * char::MAX.len_utf8();
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_max_row_group_row_count(Some(13))
            .set_statistics_truncate_length(Some(truncated))
            .build();
        let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        let mut statistics = Statistics::new(&batch.schema());
        for from in (0..rows).step_by(9) {
            let piece = batch.slice(from, 9.min(rows - from));
            statistics.push(&piece);
            writer.write(&piece).unwrap();
        }
        assert_eq!(statistics.close(&writer.close().unwrap()).unwrap(), file_statistics(&batch));
    }

    proptest! {
        #[test]
        fn cut_texts_are_bounds(text in "\\PC{0,50}") {
            prop_assert!(cut_down(&text) <= text);
            if let Some(greater) = cut_up(&text) {
                prop_assert!(greater >= text);
                prop_assert!(greater.chars().count() <= STATISTICS_TEXT_CHARS);
            }
        }
    }
}
