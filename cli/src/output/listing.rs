//! Columns of the lists that commands print, so that every list has every format.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};

/// A column of texts.
pub(crate) fn text<T: AsRef<str>>(values: impl IntoIterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

/// A column of counts.
pub(crate) fn count(values: impl IntoIterator<Item = Option<u64>>) -> ArrayRef {
    let values = values.into_iter().map(|value| value.map(|number| i64::try_from(number).unwrap_or(i64::MAX)));
    Arc::new(values.collect::<Int64Array>())
}

/// A column of instants.
pub(crate) fn instant(values: impl IntoIterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let values = values.into_iter().map(|value| value.map(|at| at.timestamp_micros()));
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
