//! `hll_sketch`, `hll_merge`, `hll_estimate`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use xxhash_rust::xxh3::xxh3_64;

use super::aggregate::{Names, SqlSketch, documentation, made, merged, sketch_type, sketches};
use super::hyperloglog::HyperLogLog;

/// Name of the function that makes a sketch.
pub(super) const SKETCH: &str = "hll_sketch";
/// Name of the function that reads one.
pub(super) const ESTIMATE: &str = "hll_estimate";
/// Name of the function that puts them together.
pub(super) const MERGE: &str = "hll_merge";

/// `hll_sketch(value)`.
pub(super) fn hll_sketch() -> AggregateUDF {
    made::<HyperLogLog>(
        "hll_sketch(value)",
        "A HyperLogLog sketch of the distinct values, 16 KiB at the most; NULLs do not count. See `hll_estimate`.",
    )
}

/// `hll_merge(sketch)`.
pub(super) fn hll_merge() -> AggregateUDF {
    merged::<HyperLogLog>(
        "hll_merge(sketch)",
        "The sketch of all values that the sketches are of: exactly that which `hll_sketch` gives for them; NULL for none.",
    )
}

/// `hll_estimate(sketch)`.
pub(super) fn hll_estimate() -> ScalarUDF {
    ScalarUDF::new_from_impl(Estimate {
        signature: Signature::user_defined(Volatility::Immutable),
        documentation: documentation::<HyperLogLog>(
            "hll_estimate(sketch)",
            "About how many distinct values the sketch is of, with a standard error of 0.81 %; an error for bytes that are no sketch.",
        ),
    })
}

impl SqlSketch for HyperLogLog {
    const NAMES: Names =
        Names { sketch: SKETCH, merge: MERGE, estimate: ESTIMATE, chapter: "Distinct counts that can be put together" };
    const TAKES: &'static str = "texts, numbers, dates or times";

    /// One value is hashed as the same bytes whatever Arrow type carries it.
    fn read_as(given: &DataType) -> Option<DataType> {
        use DataType::*;
        Some(match given {
            Dictionary(_, values) => return Self::read_as(values),
            Null | Utf8 | LargeUtf8 | Utf8View => LargeUtf8,
            Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => LargeBinary,
            UInt64 => Decimal128(20, 0),
            integer if integer.is_integer() => Int64,
            Float16 | Float32 | Float64 => Float64,
            Decimal32(precision, scale) | Decimal64(precision, scale) | Decimal128(precision, scale) => {
                Decimal128(*precision, *scale)
            }
            Boolean => Boolean,
            Date32 | Date64 => Date32,
            Timestamp(_, zone) => Timestamp(TimeUnit::Microsecond, zone.clone()),
            _ => return None,
        })
    }

    fn insert_array(&mut self, array: &ArrayRef) -> Result<()> {
        fn numbers<T: ArrowPrimitiveType>(sketch: &mut HyperLogLog, array: &ArrayRef, hash: impl Fn(T::Native) -> u64) {
            array.as_primitive::<T>().iter().flatten().for_each(|value| sketch.insert_hash(hash(value)));
        }
        match array.data_type() {
            DataType::LargeUtf8 => {
                array.as_string::<i64>().iter().flatten().for_each(|text| self.insert_hash(xxh3_64(text.as_bytes())));
            }
            DataType::LargeBinary => {
                array.as_binary::<i64>().iter().flatten().for_each(|bytes| self.insert_hash(xxh3_64(bytes)));
            }
            DataType::Boolean => {
                array.as_boolean().iter().flatten().for_each(|value| self.insert_hash(xxh3_64(&[u8::from(value)])));
            }
            DataType::Int64 => numbers::<Int64Type>(self, array, |value| xxh3_64(&value.to_le_bytes())),
            DataType::Date32 => numbers::<Date32Type>(self, array, |value| xxh3_64(&value.to_le_bytes())),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                numbers::<TimestampMicrosecondType>(self, array, |value| xxh3_64(&value.to_le_bytes()));
            }
            DataType::Float64 => numbers::<Float64Type>(self, array, |value| {
                // Both zeros are one value to SQL, and so is whatever is no number.
                let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
                xxh3_64(&value.to_le_bytes())
            }),
            DataType::Decimal128(_, scale) => {
                let scale = *scale;
                numbers::<Decimal128Type>(self, array, |value| {
                    let (mut value, mut scale) = (value, scale);
                    while value != 0 && value % 10 == 0 {
                        (value, scale) = (value / 10, scale.saturating_sub(1));
                    }
                    let scale = if value == 0 { 0 } else { scale };
                    let mut bytes = [0; 17];
                    bytes[..16].copy_from_slice(&value.to_le_bytes());
                    bytes[16] = scale.to_le_bytes()[0];
                    xxh3_64(&bytes)
                });
            }
            other => return internal_err!("{SKETCH} was given {other}"),
        }
        Ok(())
    }
}

/// `hll_estimate`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Estimate {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Estimate {
    fn name(&self) -> &str {
        ESTIMATE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [given] => Ok(vec![sketch_type::<HyperLogLog>("hll_estimate(sketch)", given)?]),
            _ => plan_err!("{ESTIMATE} takes one argument, not {}", given.len()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let array = args.args[0].to_array(if is_constant { 1 } else { args.number_rows })?;
        let counts = sketches::<HyperLogLog>(&array)
            .map(|sketch| Ok(sketch?.map(|sketch| i64::try_from(sketch.estimate()).unwrap_or(i64::MAX))))
            .collect::<Result<Int64Array>>()?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&counts, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(counts)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array, LargeStringArray};

    use super::*;

    #[test]
    fn one_value_is_one_however_it_is_carried() {
        let of = |array: ArrayRef| {
            let mut sketch = HyperLogLog::default();
            sketch.insert_array(&array).unwrap();
            sketch.estimate()
        };
        assert_eq!(of(Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.5]))), 3);
        let mut decimals = HyperLogLog::default();
        for (value, scale) in [(150, 2), (15, 1), (1_500_000, 6), (0, 2), (0, 6)] {
            let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap();
            decimals.insert_array(&(Arc::new(array) as ArrayRef)).unwrap();
        }
        assert_eq!(decimals.estimate(), 2);
        assert_eq!(of(Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("a"), Some("")]))), 2);
    }
}
