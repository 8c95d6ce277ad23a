//! Columns of any type → columns of the types that a contract knows, without loss.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType};
use arrow::datatypes::{TimestampNanosecondType, TimestampSecondType};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Digits that a decimal of 128 bits has.
const DIGITS: u8 = 38;

/// The type that a column of `data_type` comes in.
pub(super) fn data_type(data_type: &DataType) -> DataType {
    use DataType::{
        Binary, BinaryView, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, Duration, FixedSizeBinary,
        FixedSizeList, Float16, Float32, Interval, LargeBinary, LargeList, LargeListView, LargeUtf8, List, ListView,
        Map, RunEndEncoded, Struct, Time32, Time64, Timestamp, Union, Utf8, Utf8View,
    };
    match data_type {
        Dictionary(_, values) => self::data_type(values),
        RunEndEncoded(_, values) => self::data_type(values.data_type()),
        LargeUtf8 | Utf8View => Utf8,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Utf8,
        Time32(_) | Time64(_) | Duration(_) | Interval(_) => Utf8,
        List(_) | LargeList(_) | FixedSizeList(..) | ListView(_) | LargeListView(_) | Struct(_) | Map(..) => Utf8,
        Union(..) => Utf8,
        // The instant is the same; the zone is where it was written down.
        Timestamp(unit, Some(_)) => Timestamp(*unit, Some("UTC".into())),
        Float16 => Float32,
        Decimal32(precision, scale)
        | Decimal64(precision, scale)
        | Decimal128(precision, scale)
        | Decimal256(precision, scale) => decimal(*precision, *scale),
        other => other.clone(),
    }
}

/// A decimal of the contract's, or text where it has more digits.
fn decimal(precision: u8, scale: i8) -> DataType {
    // A negative scale stands for zeros before the point.
    let digits = if scale < 0 { precision.saturating_add(scale.unsigned_abs()) } else { precision };
    if digits <= DIGITS { DataType::Decimal128(digits, scale.max(0)) } else { DataType::Utf8 }
}

/// The column in the type that [`data_type`] says.
pub(super) fn column(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    let (own, wanted) = (column.data_type(), data_type(column.data_type()));
    if *own == wanted {
        return Ok(Arc::clone(column));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    match own {
        DataType::Dictionary(_, values) => self::column(&cast_with_options(column, values, &options)?, field),
        DataType::RunEndEncoded(_, values) => {
            self::column(&cast_with_options(column, values.data_type(), &options)?, field)
        }
        DataType::Timestamp(unit, _) => Ok(in_utc(column, *unit)),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let bytes = cast_with_options(column, &DataType::LargeBinary, &options)?;
            Ok(texts(column.len(), |row| {
                Ok((!bytes.is_null(row)).then(|| crate::source::hex(bytes.as_binary::<i64>().value(row))))
            })?)
        }
        nested if nested.is_nested() => json(column, field),
        _ if wanted == DataType::Utf8 && !own.is_string() => {
            let formatter = ArrayFormatter::try_new(column, &FormatOptions::default())?;
            texts(column.len(), |row| {
                Ok(if column.is_null(row) { None } else { Some(formatter.value(row).try_to_string()?) })
            })
        }
        _ => cast_with_options(column, &wanted, &options),
    }
}

fn in_utc(column: &ArrayRef, unit: TimeUnit) -> ArrayRef {
    match unit {
        TimeUnit::Second => Arc::new(column.as_primitive::<TimestampSecondType>().clone().with_timezone("UTC")),
        TimeUnit::Millisecond => {
            Arc::new(column.as_primitive::<TimestampMillisecondType>().clone().with_timezone("UTC"))
        }
        TimeUnit::Microsecond => {
            Arc::new(column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
        }
        TimeUnit::Nanosecond => Arc::new(column.as_primitive::<TimestampNanosecondType>().clone().with_timezone("UTC")),
    }
}

/// Lists, maps and records as JSON text.
fn json(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new(field.name(), column.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, column.as_ref(), &options)?;
    texts(column.len(), |row| {
        if encoder.is_null(row) {
            return Ok(None);
        }
        let mut text = Vec::new();
        encoder.encode(row, &mut text);
        String::from_utf8(text).map(Some).map_err(|error| ArrowError::JsonError(error.to_string()))
    })
}

fn texts(
    rows: usize,
    mut text: impl FnMut(usize) -> Result<Option<String>, ArrowError>,
) -> Result<ArrayRef, ArrowError> {
    let mut texts = StringBuilder::new();
    for row in 0..rows {
        texts.append_option(text(row)?);
    }
    Ok(Arc::new(texts.finish()))
}
