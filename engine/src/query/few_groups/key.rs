//! One column of a group's key: its values → codes, and back.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringViewArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::common::{DataFusionError, Result, ScalarValue};

use super::codes::Codes;

/// Bytes of a text that lies in its view.
const INLINE: u32 = 12;

/// Whether a column of this type has codes. Floats have none: some that are equal differ in their bits.
pub(super) fn has_codes(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Utf8View | T::Date32 | T::Timestamp(..) | T::Decimal128(..) => true,
        other => other.is_integer(),
    }
}

/// The values of one column that were seen.
#[derive(Debug)]
pub(super) struct Key {
    data_type: DataType,
    /// Codes of numbers by their value, and of short texts by their view, which holds all of them.
    codes: Codes,
    /// Codes of long texts by their view: it says where a text lies, in the buffers of one batch.
    in_batch: Codes,
    /// Codes of long texts by themselves.
    long: HashMap<Box<str>, u32>,
    null: Option<u32>,
    /// By code.
    values: Vec<ScalarValue>,
    /// Of the texts in `values`.
    text_bytes: usize,
}

impl Key {
    pub(super) fn new(data_type: DataType) -> Self {
        let (codes, in_batch) = (Codes::default(), Codes::default());
        Self { data_type, codes, in_batch, long: HashMap::new(), null: None, values: Vec::new(), text_bytes: 0 }
    }

    /// Puts the code of each row into `codes`, in place of what is there.
    pub(super) fn codes_of(&mut self, column: &ArrayRef, codes: &mut Vec<u32>) -> Result<()> {
        use DataType as T;
        codes.clear();
        codes.resize(column.len(), 0);
        match &self.data_type {
            T::Utf8View => self.codes_of_texts(column.as_string_view(), codes),
            T::Date32 => self.codes_of_numbers::<Date32Type>(column, codes),
            T::Int8 => self.codes_of_numbers::<Int8Type>(column, codes),
            T::Int16 => self.codes_of_numbers::<Int16Type>(column, codes),
            T::Int32 => self.codes_of_numbers::<Int32Type>(column, codes),
            T::Int64 => self.codes_of_numbers::<Int64Type>(column, codes),
            T::UInt8 => self.codes_of_numbers::<UInt8Type>(column, codes),
            T::UInt16 => self.codes_of_numbers::<UInt16Type>(column, codes),
            T::UInt32 => self.codes_of_numbers::<UInt32Type>(column, codes),
            T::UInt64 => self.codes_of_numbers::<UInt64Type>(column, codes),
            T::Decimal128(..) => self.codes_of_numbers::<Decimal128Type>(column, codes),
            T::Timestamp(TimeUnit::Second, _) => self.codes_of_numbers::<TimestampSecondType>(column, codes),
            T::Timestamp(TimeUnit::Millisecond, _) => self.codes_of_numbers::<TimestampMillisecondType>(column, codes),
            T::Timestamp(TimeUnit::Microsecond, _) => self.codes_of_numbers::<TimestampMicrosecondType>(column, codes),
            T::Timestamp(TimeUnit::Nanosecond, _) => self.codes_of_numbers::<TimestampNanosecondType>(column, codes),
            other => Err(DataFusionError::Internal(format!("a column of {other} has no codes"))),
        }
    }

    fn codes_of_numbers<T: ArrowPrimitiveType<Native: Bits>>(
        &mut self,
        column: &ArrayRef,
        codes: &mut [u32],
    ) -> Result<()> {
        let numbers: &PrimitiveArray<T> = column.as_primitive();
        let has_nulls = numbers.null_count() > 0;
        for (row, (place, number)) in codes.iter_mut().zip(numbers.values()).enumerate() {
            *place = if has_nulls && numbers.is_null(row) {
                self.code_of_null()?
            } else {
                let value = number.bits();
                match self.codes.get(value) {
                    Some(code) => code,
                    None => {
                        let code = self.see(ScalarValue::try_from_array(column, row)?);
                        self.codes.insert(value, code);
                        code
                    }
                }
            };
        }
        Ok(())
    }

    fn codes_of_texts(&mut self, texts: &StringViewArray, codes: &mut [u32]) -> Result<()> {
        self.in_batch.clear();
        let has_nulls = texts.null_count() > 0;
        for (row, (place, &view)) in codes.iter_mut().zip(texts.views()).enumerate() {
            *place = if has_nulls && texts.is_null(row) {
                self.code_of_null()?
            } else {
                // The lowest 32 bits of a view are the text's length.
                let known = if view as u32 <= INLINE { self.codes.get(view) } else { self.in_batch.get(view) };
                match known {
                    Some(code) => code,
                    None => self.code_of_text(texts.value(row), view),
                }
            };
        }
        Ok(())
    }

    #[cold]
    fn code_of_text(&mut self, text: &str, view: u128) -> u32 {
        if view as u32 <= INLINE {
            let code = self.see(ScalarValue::Utf8View(Some(text.to_owned())));
            self.codes.insert(view, code);
            return code;
        }
        let code = match self.long.get(text) {
            Some(code) => *code,
            None => {
                let code = self.see(ScalarValue::Utf8View(Some(text.to_owned())));
                self.long.insert(text.into(), code);
                // Once here, and once among the values.
                self.text_bytes += 2 * text.len();
                code
            }
        };
        self.in_batch.insert(view, code);
        code
    }

    fn code_of_null(&mut self) -> Result<u32> {
        if let Some(code) = self.null {
            return Ok(code);
        }
        let code = self.see(ScalarValue::try_from(&self.data_type)?);
        self.null = Some(code);
        Ok(code)
    }

    fn see(&mut self, value: ScalarValue) -> u32 {
        self.values.push(value);
        (self.values.len() - 1) as u32
    }

    /// The values that have these codes.
    pub(super) fn values(&self, codes: impl Iterator<Item = u32>) -> Result<ArrayRef> {
        ScalarValue::iter_to_array(codes.map(|code| self.values[code as usize].clone()))
    }

    /// Values that were seen.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let value = size_of::<ScalarValue>() + size_of::<(Box<str>, u32)>() + INLINE as usize;
        self.codes.bytes() + self.in_batch.bytes() + self.values.capacity() * value + self.text_bytes
    }
}

/// A number of at most 128 bits as just those.
trait Bits: Copy {
    fn bits(self) -> u128;
}

macro_rules! bits {
    ($($number:ty),*) => {
        $(impl Bits for $number {
            #[inline]
            fn bits(self) -> u128 {
                self as u128
            }
        })*
    };
}

bits!(i8, i16, i32, i64, i128, u8, u16, u32, u64);
