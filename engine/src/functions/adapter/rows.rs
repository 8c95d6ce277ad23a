//! The arguments of one call as columns of plain values.

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, LargeStringArray, StringArray, StringViewArray};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::ColumnarValue;

use crate::functions::calendar::china_time::china_date;

/// The arguments of one call. Their types are those that [`super::coerce`] asked for.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    arguments: &'a [ColumnarValue],
    len: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(arguments: &'a [ColumnarValue], len: usize) -> Self {
        Self { arguments, len }
    }

    /// The numbers of the rows.
    pub(crate) fn iter(&self) -> std::ops::Range<usize> {
        0..self.len
    }

    /// Whether the optional argument at `position` was given.
    pub(crate) fn has(&self, position: usize) -> bool {
        position < self.arguments.len()
    }

    /// The text argument at `position`.
    pub(crate) fn text(&self, position: usize) -> Result<Texts<'a>> {
        match &self.arguments[position] {
            ColumnarValue::Scalar(
                ScalarValue::Utf8(value) | ScalarValue::LargeUtf8(value) | ScalarValue::Utf8View(value),
            ) => Ok(Texts::Scalar(value.as_deref())),
            ColumnarValue::Array(array) => match array.data_type() {
                DataType::Utf8 => Ok(Texts::Utf8(array.as_string())),
                DataType::LargeUtf8 => Ok(Texts::Large(array.as_string())),
                DataType::Utf8View => Ok(Texts::View(array.as_string_view())),
                other => internal_err!("argument {position} is {other} where text was asked for"),
            },
            other => internal_err!("argument {position} is {} where text was asked for", other.data_type()),
        }
    }

    /// The date argument at `position`, in days since 1970-01-01.
    pub(crate) fn date(&self, position: usize) -> Result<Dates> {
        match &self.arguments[position] {
            ColumnarValue::Array(array) => Dates::try_new(array),
            ColumnarValue::Scalar(value) => {
                let dates = Dates::try_new(&value.to_array()?)?;
                Ok(Dates::Scalar(dates.get(0)))
            }
        }
    }

    /// The whole number at `position`.
    pub(crate) fn integer(&self, position: usize) -> Result<Integers<'a>> {
        match &self.arguments[position] {
            ColumnarValue::Scalar(ScalarValue::Int64(value)) => Ok(Integers::Scalar(*value)),
            ColumnarValue::Array(array) if *array.data_type() == DataType::Int64 => {
                Ok(Integers::Array(array.as_primitive::<Int64Type>()))
            }
            other => internal_err!("argument {position} is {} where a number was asked for", other.data_type()),
        }
    }
}

/// A text argument, in whichever of Arrow's layouts it came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'a> {
    Scalar(Option<&'a str>),
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    /// The value of a row.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Scalar(value) => *value,
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A date argument, in days since 1970-01-01.
#[derive(Debug, Clone)]
pub(crate) enum Dates {
    Scalar(Option<i32>),
    Array(Date32Array),
}

impl Dates {
    /// Reads a `Date32` or microsecond timestamp column.
    pub(crate) fn try_new(array: &ArrayRef) -> Result<Self> {
        match array.data_type() {
            DataType::Date32 => Ok(Self::Array(array.as_primitive::<Date32Type>().clone())),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let instants = array.as_primitive::<TimestampMicrosecondType>();
                let has_zone = zone.is_some();
                Ok(Self::Array(instants.unary(|micros| china_date(micros, has_zone))))
            }
            other => internal_err!("{other} where a date was asked for"),
        }
    }

    /// The day of a row.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<i32> {
        match self {
            Self::Scalar(value) => *value,
            Self::Array(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A whole-number argument.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Integers<'a> {
    Scalar(Option<i64>),
    Array(&'a Int64Array),
}

impl Integers<'_> {
    /// The number of a row.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        match self {
            Self::Scalar(value) => *value,
            Self::Array(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}
