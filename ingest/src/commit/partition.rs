//! Partition values: as texts for the log, as folders for the files.

use std::collections::HashMap;
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The values of the partition columns, in their order; `None` is a missing value.
pub(super) type PartitionKey = Vec<Option<String>>;

/// Splits `batch` by the values of `columns`. Each part keeps the order of its rows.
///
/// # Errors
/// An empty text: Delta cannot tell it from a missing value.
pub(super) fn split(batch: &RecordBatch, columns: &[String]) -> Result<Vec<(PartitionKey, RecordBatch)>, ArrowError> {
    if columns.is_empty() {
        return Ok(vec![(Vec::new(), batch.clone())]);
    }
    let texts = columns.iter().map(|name| texts(batch, name)).collect::<Result<Vec<_>, _>>()?;
    let mut rows_of: HashMap<PartitionKey, Vec<u32>> = HashMap::new();
    for row in 0..batch.num_rows() {
        let key = texts.iter().map(|column| column[row].clone()).collect();
        rows_of.entry(key).or_default().push(row as u32);
    }
    let parts = rows_of.into_iter().map(|(key, rows)| {
        let part = arrow::compute::take_record_batch(batch, &UInt32Array::from(rows))?;
        Ok((key, part))
    });
    parts.collect()
}

/// A column's values as Delta's protocol writes partition values.
fn texts(batch: &RecordBatch, name: &str) -> Result<Vec<Option<String>>, ArrowError> {
    let column: &ArrayRef = batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("partition column `{name}` is missing")))?;
    if let DataType::Utf8 = column.data_type() {
        let values = column.as_string::<i32>();
        if values.iter().flatten().any(str::is_empty) {
            let message = format!("partition column `{name}` holds an empty text; use a missing value instead");
            return Err(ArrowError::InvalidArgumentError(message));
        }
        return Ok(values.iter().map(|value| value.map(str::to_owned)).collect());
    }
    let options = FormatOptions::new().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
    let format = ArrayFormatter::try_new(column, &options)?;
    let value = |row| column.is_valid(row).then(|| format.value(row).try_to_string()).transpose();
    (0..column.len()).map(value).collect()
}

/// `name=value` folders, each followed by `/`, with everything but letters, digits and `-_.~` percent-encoded.
pub(super) fn folders(columns: &[String], key: &PartitionKey) -> String {
    let mut path = String::new();
    for (column, value) in columns.iter().zip(key) {
        path.push_str(column);
        path.push('=');
        match value {
            Some(value) => encode(value, &mut path),
            None => path.push_str("__HIVE_DEFAULT_PARTITION__"),
        }
        path.push('/');
    }
    path
}

fn encode(value: &str, path: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            path.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn folders_are_percent_encoded() {
        let columns = ["region".to_string(), "on".to_string()];
        let key = vec![Some("长春 a/b".to_string()), None];
        assert_eq!(folders(&columns, &key), "region=%E9%95%BF%E6%98%A5%20a%2Fb/on=__HIVE_DEFAULT_PARTITION__/");
    }

    #[test]
    fn values_are_written_as_the_protocol_says() {
        let columns: [(&str, ArrayRef); 4] = [
            ("d", Arc::new(Date32Array::from(vec![17_981]))),
            ("m", Arc::new(Decimal128Array::from(vec![1_500_000]).with_precision_and_scale(18, 6).unwrap())),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![1_553_558_400_000_001]).with_timezone("UTC"))),
            ("n", Arc::new(Int64Array::from(vec![-7]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let text = |name| texts(&batch, name).unwrap()[0].clone().unwrap();
        assert_eq!(text("d"), "2019-03-26");
        assert_eq!(text("m"), "1.500000");
        assert_eq!(text("t"), "2019-03-26 00:00:00.000001");
        assert_eq!(text("n"), "-7");
    }

    #[test]
    fn an_empty_text_is_refused() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("")]));
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        assert!(texts(&batch, "c").unwrap_err().to_string().contains("empty text"));
    }
}
