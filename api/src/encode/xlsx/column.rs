//! A column's values as cells: with their type where a spreadsheet has it, as text where it would change them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rust_xlsxwriter::Format as CellFormat;

use crate::encode::{EncodeError, Format};

/// Characters of a column, at the least and at the most.
const WIDTHS: (usize, usize) = (8, 60);
/// Digits that a spreadsheet keeps.
const DIGITS: usize = 15;
/// From here on doubles skip whole numbers.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
/// The number of 1 January 1970 in a spreadsheet.
const EPOCH: i64 = 25_569;
/// 1 March 1900, before which spreadsheets count a day that never was, to 31 December 9999.
const DAYS: std::ops::RangeInclusive<i64> = 61..=2_958_465;
const DAY_MICROS: i64 = 86_400_000_000;
/// Instants are shown in China's time.
const CHINA_MICROS: i64 = 8 * 3_600_000_000;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Nothing.
    Empty,
    /// A truth value.
    Truth(bool),
    /// A number, a day or a time, in its column's format.
    Number(f64),
    /// A time with a fraction of a second.
    Milliseconds(f64),
    /// Text, whatever it looks like.
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Truth,
    /// A double holds every value.
    Float,
    /// A double holds some values.
    Exact,
    Day,
    /// Microseconds to add to show it.
    Time(i64),
    Text,
}

/// One column of the result.
pub(super) struct Column {
    name: String,
    kind: Kind,
    format: Option<CellFormat>,
    width: usize,
}

/// The values of one column of a batch.
pub(super) enum Values {
    Truth(BooleanArray),
    Float(Float64Array),
    Exact(StringArray),
    Day(Date32Array, ArrayRef),
    Time(TimestampMicrosecondArray, ArrayRef, i64),
    Words(StringArray),
    Text(ArrayRef),
}

impl Column {
    pub(super) fn new(field: &Field) -> Self {
        let data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values,
            other => other,
        };
        let (kind, format) = match data_type {
            DataType::Boolean => (Kind::Truth, None),
            DataType::Int8 | DataType::Int16 | DataType::Int32 => (Kind::Float, None),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => (Kind::Float, None),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => (Kind::Float, None),
            // Without a format of its own a long number is shown with an exponent.
            DataType::Int64 | DataType::UInt64 => (Kind::Exact, Some("0".to_owned())),
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => (Kind::Exact, Some(decimal_format(*scale))),
            DataType::Date32 | DataType::Date64 => (Kind::Day, Some("yyyy-mm-dd".into())),
            DataType::Timestamp(_, zone) => {
                let shift = if zone.is_some() { CHINA_MICROS } else { 0 };
                (Kind::Time(shift), Some("yyyy-mm-dd hh:mm:ss".into()))
            }
            _ => (Kind::Text, Some("@".into())),
        };
        let mut column = Self {
            name: field.name().clone(),
            kind,
            format: format.map(|format| CellFormat::new().set_num_format(format)),
            width: WIDTHS.0,
        };
        column.measure_text(field.name());
        column
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How the column's numbers look; none for the spreadsheet's own way.
    pub(super) fn format(&self) -> Option<&CellFormat> {
        self.format.as_ref()
    }

    /// Its width in characters, with a little room.
    pub(super) fn width(&self) -> f64 {
        (self.width + 2) as f64
    }

    /// Makes the column wide enough for `cell`, within bounds.
    pub(super) fn measure(&mut self, cell: &Cell) {
        match (cell, self.kind) {
            (Cell::Text(text), _) => self.measure_text(text),
            (Cell::Milliseconds(_), _) => self.widen(23),
            (Cell::Number(_), Kind::Time(_)) => self.widen(19),
            (Cell::Number(_), Kind::Day) => self.widen(10),
            (Cell::Number(value), _) => self.widen(value.to_string().len().min(DIGITS + 3)),
            (Cell::Empty | Cell::Truth(_), _) => {}
        }
    }

    fn measure_text(&mut self, text: &str) {
        // A Chinese character takes the room of two letters.
        let wide = |line: &str| line.chars().take(WIDTHS.1).map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
        self.widen(text.lines().map(wide).max().unwrap_or(0));
    }

    fn widen(&mut self, characters: usize) {
        self.width = self.width.max(characters.min(WIDTHS.1));
    }

    /// The values of `array`, ready to be taken row by row.
    pub(super) fn values(&self, array: &ArrayRef) -> Result<Values, EncodeError> {
        self.try_values(array).map_err(EncodeError::of(Format::Xlsx))
    }

    fn try_values(&self, array: &ArrayRef) -> Result<Values, ArrowError> {
        let micros = |array: &ArrayRef| {
            let zone = match array.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))
        };
        let array = match array.data_type() {
            DataType::Dictionary(_, values) => cast(array, values)?,
            _ => Arc::clone(array),
        };
        Ok(match self.kind {
            Kind::Truth => Values::Truth(typed(&array)?),
            Kind::Float => match array.data_type() {
                // By its digits: 0.1 as a single is another number than 0.1 as a double.
                DataType::Float16 | DataType::Float32 => {
                    Values::Float(typed(&cast(&cast(&array, &DataType::Utf8)?, &DataType::Float64)?)?)
                }
                _ => Values::Float(typed(&cast(&array, &DataType::Float64)?)?),
            },
            Kind::Exact => Values::Exact(typed(&cast(&array, &DataType::Utf8)?)?),
            Kind::Day => Values::Day(typed(&cast(&array, &DataType::Date32)?)?, array),
            Kind::Time(shift) => Values::Time(typed(&micros(&array)?)?, array, shift),
            Kind::Text => match array.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                    Values::Words(typed(&cast(&array, &DataType::Utf8)?)?)
                }
                _ => Values::Text(array),
            },
        })
    }
}

impl Values {
    /// The cell of `row`.
    pub(super) fn cell(&self, row: usize) -> Result<Cell, EncodeError> {
        Ok(match self {
            Self::Truth(values) if values.is_valid(row) => Cell::Truth(values.value(row)),
            Self::Float(values) if values.is_valid(row) => float(values.value(row)),
            Self::Exact(values) if values.is_valid(row) => exact(values.value(row)),
            Self::Day(values, shown) if values.is_valid(row) => match i64::from(values.value(row)) + EPOCH {
                day if DAYS.contains(&day) => Cell::Number(day as f64),
                _ => Cell::Text(text(shown, row)?),
            },
            Self::Time(values, shown, shift) if values.is_valid(row) => {
                match time(values.value(row).saturating_add(*shift)) {
                    Some(cell) => cell,
                    None => Cell::Text(text(shown, row)?),
                }
            }
            Self::Words(values) if values.is_valid(row) => Cell::Text(values.value(row).into()),
            Self::Text(values) if !values.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) => {
                Cell::Text(text(values, row)?)
            }
            _ => Cell::Empty,
        })
    }
}

fn float(value: f64) -> Cell {
    if value.is_finite() { Cell::Number(value) } else { Cell::Text(value.to_string()) }
}

/// A number where a spreadsheet keeps every digit of it.
fn exact(text: &str) -> Cell {
    let digits = text.trim_start_matches('-');
    let whole = digits.trim_start_matches(['0', '.']);
    let significant =
        if digits.contains('.') { whole.trim_end_matches(['0', '.']) } else { whole.trim_end_matches('0') };
    let count = significant.bytes().filter(u8::is_ascii_digit).count();
    match text.parse::<f64>() {
        Ok(value) if count <= DIGITS && value.abs() < EXACT_BELOW => Cell::Number(value),
        _ => Cell::Text(text.into()),
    }
}

fn time(micros: i64) -> Option<Cell> {
    let (day, rest) = (micros.div_euclid(DAY_MICROS) + EPOCH, micros.rem_euclid(DAY_MICROS));
    let value = day as f64 + rest as f64 / DAY_MICROS as f64;
    let cell = if rest % 1_000_000 == 0 { Cell::Number } else { Cell::Milliseconds };
    DAYS.contains(&day).then(|| cell(value))
}

/// As many places as the type declares.
fn decimal_format(scale: i8) -> String {
    match usize::try_from(scale) {
        Ok(places) if places > 0 => format!("0.{}", "0".repeat(places.min(30))),
        _ => "0".into(),
    }
}

fn text(array: &ArrayRef, row: usize) -> Result<String, EncodeError> {
    const PLAIN: FormatOptions<'static> = FormatOptions::new();
    let shown = ArrayFormatter::try_new(array, &PLAIN).and_then(|formatter| formatter.value(row).try_to_string());
    shown.map_err(EncodeError::of(Format::Xlsx))
}

/// A value that does not fit is an error and not a null.
fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })
}

fn typed<T: Array + Clone + 'static>(array: &ArrayRef) -> Result<T, ArrowError> {
    let found = array.as_any().downcast_ref::<T>().cloned();
    found.ok_or_else(|| ArrowError::CastError(format!("a column came as {}", array.data_type())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_where_no_digit_is_lost() {
        for (text, value) in [
            ("0", 0.0),
            ("0.000000", 0.0),
            ("-12.500000", -12.5),
            ("0.000000000000123", 0.000_000_000_000_123),
            ("999999999999999", 999_999_999_999_999.0),
            ("9007199254740990", 9_007_199_254_740_990.0),
            ("100", 100.0),
        ] {
            assert_eq!(exact(text), Cell::Number(value), "{text}");
        }
        for text in
            ["9007199254740992", "-9007199254740993", "1234567890123456", "123456789012.3456", "1000000000000000000000"]
        {
            assert_eq!(exact(text), Cell::Text(text.into()), "{text}");
        }
    }

    #[test]
    fn times_outside_of_a_spreadsheets_calendar_stay_text() {
        assert_eq!(time(0), Some(Cell::Number(25_569.0)));
        assert_eq!(time(DAY_MICROS / 2 + 1_500), Some(Cell::Milliseconds(25_569.500_000_017_36)));
        assert_eq!(time(-DAY_MICROS * 30_000), None);
        assert_eq!(time(i64::MAX), None);
    }
}
