//! `percentile_sketch`, `percentile_merge`, `percentile_estimate`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::aggregate::{Names, SqlSketch, documentation, made, merged, sketch_type, sketches};
use super::log_histogram::LogHistogram;

/// Name of the function that makes a sketch.
pub(super) const SKETCH: &str = "percentile_sketch";
/// Name of the function that reads one.
pub(super) const ESTIMATE: &str = "percentile_estimate";
/// Name of the function that puts them together.
pub(super) const MERGE: &str = "percentile_merge";

/// `percentile_sketch(value)`.
pub(super) fn percentile_sketch() -> AggregateUDF {
    made::<LogHistogram>(
        "percentile_sketch(value)",
        "A sketch of numbers by their size (DDSketch), a few KiB as a rule and 89 KiB at the most; NULL, NaN and infinities do not count, and of no values it is NULL. See `percentile_estimate`.",
    )
}

/// `percentile_merge(sketch)`.
pub(super) fn percentile_merge() -> AggregateUDF {
    merged::<LogHistogram>(
        "percentile_merge(sketch)",
        "The sketch of all values that the sketches are of: exactly that which `percentile_sketch` gives for them; NULL for none.",
    )
}

/// `percentile_estimate(sketch, q)`.
pub(super) fn percentile_estimate() -> ScalarUDF {
    ScalarUDF::new_from_impl(Estimate {
        signature: Signature::user_defined(Volatility::Immutable),
        documentation: documentation::<LogHistogram>(
            "percentile_estimate(sketch, q)",
            "About `percentile_cont(q)` of the values that the sketch is of, q from 0 (exactly the least) to 1 (exactly the greatest). The values between which it lies are known within 1 %; below 1e-12 they count as zero, above 1.6e23 as that. An error for another q and for bytes that are no sketch.",
        ),
    })
}

impl SqlSketch for LogHistogram {
    const NAMES: Names =
        Names { sketch: SKETCH, merge: MERGE, estimate: ESTIMATE, chapter: "Percentiles that can be put together" };
    const TAKES: &'static str = "numbers";

    fn read_as(given: &DataType) -> Option<DataType> {
        match given {
            DataType::Dictionary(_, values) => Self::read_as(values),
            given if given.is_numeric() || given.is_null() => Some(DataType::Float64),
            _ => None,
        }
    }

    fn insert_array(&mut self, array: &ArrayRef) -> Result<()> {
        array.as_primitive::<Float64Type>().iter().flatten().for_each(|value| self.insert(value));
        Ok(())
    }
}

/// `percentile_estimate`.
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
        let [sketch, share] = given else { return plan_err!("{ESTIMATE} takes two arguments, not {}", given.len()) };
        if !share.is_numeric() && !share.is_null() {
            return plan_err!("{ESTIMATE}(sketch, q) takes a number from 0 to 1 as q, not {share}");
        }
        Ok(vec![sketch_type::<LogHistogram>("percentile_estimate(sketch, q)", sketch)?, DataType::Float64])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        let (sketch, share) = (&args.args[0], &args.args[1]);
        let rows = if is_constant(sketch) && is_constant(share) { 1 } else { args.number_rows };
        let shares = share.to_array(rows)?;
        let shares = shares.as_primitive::<Float64Type>().iter();
        // One that is the same for all rows is read once.
        let sketches_read = sketch.to_array(if is_constant(sketch) { 1 } else { rows })?;
        let mut read = sketches::<LogHistogram>(&sketches_read);
        let values: Float64Array = match sketch {
            ColumnarValue::Scalar(_) => {
                let one = read.next().transpose()?.flatten();
                shares.map(|share| estimate(one.as_ref(), share)).collect::<Result<_>>()?
            }
            ColumnarValue::Array(_) => {
                read.zip(shares).map(|(sketch, share)| estimate(sketch?.as_ref(), share)).collect::<Result<_>>()?
            }
        };
        if is_constant(sketch) && is_constant(share) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(values)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

fn estimate(sketch: Option<&LogHistogram>, share: Option<f64>) -> Result<Option<f64>> {
    match share {
        Some(share) if !(0.0..=1.0).contains(&share) => {
            exec_err!("`{ESTIMATE}` takes a number from 0 to 1 as q, not {share}")
        }
        Some(share) => Ok(sketch.and_then(|sketch| sketch.estimate(share))),
        None => Ok(None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::BinaryArray;
    use arrow::datatypes::Field;
    use datafusion::config::ConfigOptions;

    use super::super::sketch::Sketch;
    use super::*;

    fn call(sketch: ColumnarValue, share: ColumnarValue, rows: usize) -> Result<ColumnarValue> {
        let function = percentile_estimate();
        function.invoke_with_args(ScalarFunctionArgs {
            args: vec![sketch, share],
            arg_fields: Vec::new(),
            number_rows: rows,
            return_field: Arc::new(Field::new("value", DataType::Float64, true)),
            config_options: Arc::new(ConfigOptions::default()),
        })
    }

    #[test]
    fn constants_and_columns_go_together() {
        let mut sketch = LogHistogram::default();
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(4.0), None, Some(f64::NAN), Some(-2.0)]));
        sketch.insert_array(&numbers).unwrap();
        let bytes = sketch.to_bytes();
        let constant = || ColumnarValue::Scalar(ScalarValue::Binary(Some(bytes.clone())));
        let column: ArrayRef = Arc::new(BinaryArray::from(vec![Some(bytes.as_slice()), None, Some(&[1])]));
        let column = || ColumnarValue::Array(Arc::clone(&column));
        let share = |share: Option<f64>| ColumnarValue::Scalar(ScalarValue::Float64(share));
        let shares = ColumnarValue::Array(Arc::new(Float64Array::from(vec![Some(1.0), Some(0.0), None])));
        let values = |found: Result<ColumnarValue>| match found.unwrap() {
            ColumnarValue::Array(array) => array.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(),
            ColumnarValue::Scalar(value) => panic!("{value}"),
        };
        assert_eq!(values(call(constant(), shares.clone(), 3)), [Some(4.0), Some(-2.0), None]);
        assert_eq!(values(call(column(), shares, 3)), [Some(4.0), None, None]);
        assert_eq!(values(call(column(), share(Some(0.0)), 3)), [Some(-2.0), None, None]);
        assert_eq!(values(call(column(), share(None), 3)), [None, None, None]);
        let one = call(constant(), share(Some(1.0)), 3).unwrap();
        assert!(matches!(one, ColumnarValue::Scalar(ScalarValue::Float64(Some(4.0)))));
        for beyond in [-0.1, 1.1, f64::NAN] {
            assert!(call(constant(), share(Some(beyond)), 3).is_err(), "{beyond}");
        }
    }
}
