//! `hll_sketch`, `hll_merge`, `hll_estimate`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, FieldRef, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, DocSection, Documentation, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use xxhash_rust::xxh3::xxh3_64;

use super::hyperloglog::{HyperLogLog, InvalidSketch};

/// Name of the function that makes a sketch.
pub(crate) const SKETCH: &str = "hll_sketch";
/// Name of the function that reads one.
pub(crate) const ESTIMATE: &str = "hll_estimate";
/// Name of the function that puts them together.
pub(crate) const MERGE: &str = "hll_merge";

fn documentation(call: &str, description: &str) -> Documentation {
    let section = DocSection { include: true, label: "Distinct counts that can be put together", description: None };
    Documentation::builder(section, description, call).build()
}

/// `hll_sketch(value)`.
pub(crate) fn hll_sketch() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sketch::new(
        SKETCH,
        "hll_sketch(value)",
        "A HyperLogLog sketch of the distinct values, 16 KiB at the most; NULLs do not count. See `hll_estimate`.",
    ))
}

/// `hll_merge(sketch)`.
pub(crate) fn hll_merge() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sketch::new(
        MERGE,
        "hll_merge(sketch)",
        "The sketch of all values that the sketches are of: exactly that which `hll_sketch` gives for them; NULL for none.",
    ))
}

/// `hll_estimate(sketch)`.
pub(crate) fn hll_estimate() -> ScalarUDF {
    ScalarUDF::new_from_impl(Estimate {
        signature: Signature::user_defined(Volatility::Immutable),
        documentation: documentation(
            "hll_estimate(sketch)",
            "About how many distinct values the sketch is of, with a standard error of 0.81 %; an error for bytes that are no sketch.",
        ),
    })
}

fn invalid(error: InvalidSketch) -> DataFusionError {
    DataFusionError::Execution(format!("{error}: `{ESTIMATE}` and `{MERGE}` take what `{SKETCH}` gave"))
}

/// The type that a value is read as, so that one value is hashed as the same bytes whatever Arrow type carries it.
fn read_as(given: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match given {
        Dictionary(_, values) => return read_as(values),
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

fn is_sketch(given: &DataType) -> bool {
    use DataType::*;
    matches!(given, Binary | LargeBinary | BinaryView | Null)
}

/// Adds the values of `array`, which is of a type that [`read_as`] gives.
fn insert(sketch: &mut HyperLogLog, array: &ArrayRef) -> Result<()> {
    fn numbers<T: ArrowPrimitiveType>(sketch: &mut HyperLogLog, array: &ArrayRef, hash: impl Fn(T::Native) -> u64) {
        array.as_primitive::<T>().iter().flatten().for_each(|value| sketch.insert_hash(hash(value)));
    }
    match array.data_type() {
        DataType::LargeUtf8 => {
            array.as_string::<i64>().iter().flatten().for_each(|text| sketch.insert_hash(xxh3_64(text.as_bytes())));
        }
        DataType::LargeBinary => {
            array.as_binary::<i64>().iter().flatten().for_each(|bytes| sketch.insert_hash(xxh3_64(bytes)));
        }
        DataType::Boolean => {
            array.as_boolean().iter().flatten().for_each(|value| sketch.insert_hash(xxh3_64(&[u8::from(value)])));
        }
        DataType::Int64 => numbers::<Int64Type>(sketch, array, |value| xxh3_64(&value.to_le_bytes())),
        DataType::Date32 => numbers::<Date32Type>(sketch, array, |value| xxh3_64(&value.to_le_bytes())),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers::<TimestampMicrosecondType>(sketch, array, |value| xxh3_64(&value.to_le_bytes()));
        }
        DataType::Float64 => numbers::<Float64Type>(sketch, array, |value| {
            // Both zeros are one value to SQL, and so is whatever is no number.
            let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
            xxh3_64(&value.to_le_bytes())
        }),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            numbers::<Decimal128Type>(sketch, array, |value| {
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

/// `hll_sketch` and `hll_merge`, which differ in what they read.
#[derive(Debug)]
struct Sketch {
    name: &'static str,
    signature: Signature,
    documentation: Documentation,
}

impl Sketch {
    fn new(name: &'static str, call: &str, description: &str) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name, signature, documentation: documentation(call, description) }
    }

    fn merges(&self) -> bool {
        self.name == MERGE
    }
}

impl PartialEq for Sketch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Sketch {}

impl Hash for Sketch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for Sketch {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [given] = given else { return plan_err!("{} takes one argument, not {}", self.name, given.len()) };
        if self.merges() {
            return sketch_type(MERGE, given);
        }
        match read_as(given) {
            Some(read) => Ok(vec![read]),
            None => plan_err!("{SKETCH}(value) takes texts, numbers, dates or times, not {given}"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let sketch = (!self.merges()).then(HyperLogLog::default);
        Ok(Box::new(SketchAccumulator { sketch, merges: self.merges() }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if self.merges() { Ok(Box::new(SlidingMerge::default())) } else { self.accumulator(args) }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sketch"), DataType::Binary, true))])
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

fn sketch_type(function: &str, given: &DataType) -> Result<Vec<DataType>> {
    if is_sketch(given) {
        return Ok(vec![DataType::Binary]);
    }
    plan_err!("{function}(sketch) takes what {SKETCH} gave, not {given}")
}

/// The sketches of a column of them.
fn sketches(array: &ArrayRef) -> impl Iterator<Item = Result<Option<HyperLogLog>>> + '_ {
    let read = |bytes| HyperLogLog::from_bytes(bytes).map_err(invalid);
    array.as_binary::<i32>().iter().map(move |bytes| bytes.map(read).transpose())
}

fn value(sketch: Option<&HyperLogLog>) -> ScalarValue {
    ScalarValue::Binary(sketch.map(HyperLogLog::to_bytes))
}

/// One group's sketch.
#[derive(Debug)]
struct SketchAccumulator {
    /// None while nothing was merged; of values there is one from the beginning.
    sketch: Option<HyperLogLog>,
    merges: bool,
}

impl Accumulator for SketchAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.merges {
            return self.merge_batch(values);
        }
        insert(self.sketch.get_or_insert_default(), &values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for sketch in sketches(&states[0]) {
            if let Some(sketch) = sketch? {
                self.sketch.get_or_insert_default().merge(&sketch);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![value(self.sketch.as_ref())])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(value(self.sketch.as_ref()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sketch.as_ref().map_or(0, HyperLogLog::heap_bytes)
    }
}

/// The sketches of a frame that moves on. Nothing can be taken out of a sketch, so those that came and have not left are
/// kept: the older ones put together from each up to the last of them, the newer ones all together. Each is merged
/// twice, however long the frame is.
#[derive(Debug, Default)]
struct SlidingMerge {
    /// The next to leave is the last; each is put together with those before it.
    older: Vec<Option<HyperLogLog>>,
    newer: Vec<Option<HyperLogLog>>,
    /// All of `newer` together.
    together: Option<HyperLogLog>,
}

/// Both together.
fn both(one: Option<&HyperLogLog>, other: Option<&HyperLogLog>) -> Option<HyperLogLog> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let mut merged = one.clone();
            merged.merge(other);
            Some(merged)
        }
        (one, other) => one.or(other).cloned(),
    }
}

impl Accumulator for SlidingMerge {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for sketch in sketches(&values[0]) {
            let sketch = sketch?;
            if let Some(sketch) = &sketch {
                self.together.get_or_insert_default().merge(sketch);
            }
            self.newer.push(sketch);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for _ in 0..values[0].len() {
            if self.older.is_empty() {
                self.together = None;
                for sketch in std::mem::take(&mut self.newer).into_iter().rev() {
                    let merged = both(sketch.as_ref(), self.older.last().and_then(Option::as_ref));
                    self.older.push(merged);
                }
            }
            self.older.pop();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let older = self.older.last().and_then(Option::as_ref);
        Ok(value(both(older, self.together.as_ref()).as_ref()))
    }

    fn size(&self) -> usize {
        let held = self.older.iter().chain(&self.newer).chain([&self.together]);
        size_of_val(self)
            + held.map(|held| size_of_val(held) + held.as_ref().map_or(0, HyperLogLog::heap_bytes)).sum::<usize>()
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
            [given] => sketch_type(ESTIMATE, given),
            _ => plan_err!("{ESTIMATE} takes one argument, not {}", given.len()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let array = args.args[0].to_array(if is_constant { 1 } else { args.number_rows })?;
        let counts = sketches(&array)
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
    use arrow::array::{BinaryArray, Decimal128Array, Float64Array, LargeStringArray};

    use super::*;

    fn column(sketches: &[Option<&HyperLogLog>]) -> ArrayRef {
        let bytes: Vec<_> = sketches.iter().map(|sketch| sketch.map(HyperLogLog::to_bytes)).collect();
        Arc::new(bytes.iter().map(|bytes| bytes.as_deref()).collect::<BinaryArray>())
    }

    #[test]
    fn a_moving_frame_gives_what_its_sketches_give_together() {
        let sketch = |at: u64| {
            let mut sketch = HyperLogLog::default();
            (at * 100..at * 140 + 90).for_each(|value| sketch.insert_hash(xxh3_64(&value.to_le_bytes())));
            // One of them was not delivered.
            (at != 4).then_some(sketch)
        };
        let all: Vec<_> = (0..20).map(sketch).collect();
        for width in [1, 2, 5, 20] {
            let mut sliding = SlidingMerge::default();
            for end in 0..all.len() {
                sliding.update_batch(&[column(&[all[end].as_ref()])]).unwrap();
                if end >= width {
                    sliding.retract_batch(&[column(&[all[end - width].as_ref()])]).unwrap();
                }
                let frame = &all[(end + 1).saturating_sub(width)..=end];
                let mut direct = SketchAccumulator { sketch: None, merges: true };
                direct.update_batch(&[column(&frame.iter().map(Option::as_ref).collect::<Vec<_>>())]).unwrap();
                assert_eq!(sliding.evaluate().unwrap(), direct.evaluate().unwrap(), "{width} up to {end}");
            }
        }
    }

    #[test]
    fn one_value_is_one_however_it_is_carried() {
        let of = |array: ArrayRef| {
            let mut sketch = HyperLogLog::default();
            insert(&mut sketch, &array).unwrap();
            sketch.estimate()
        };
        assert_eq!(of(Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.5]))), 3);
        let mut decimals = HyperLogLog::default();
        for (value, scale) in [(150, 2), (15, 1), (1_500_000, 6), (0, 2), (0, 6)] {
            let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap();
            insert(&mut decimals, &(Arc::new(array) as ArrayRef)).unwrap();
        }
        assert_eq!(decimals.estimate(), 2);
        assert_eq!(of(Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("a"), Some("")]))), 2);
    }
}
