//! Aggregate functions over sketches of any kind: one that makes them of values, and one that puts them together.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, DocSection, Documentation, Signature, Volatility,
};

use super::sketch::{InvalidSketch, Sketch};

/// What SQL calls the functions over one kind of sketch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// Makes a sketch of values.
    pub(super) sketch: &'static str,
    /// Puts sketches together.
    pub(super) merge: &'static str,
    /// Reads one.
    pub(super) estimate: &'static str,
    /// The chapter of the reference that they stand in.
    pub(super) chapter: &'static str,
}

/// A sketch that SQL makes of columns.
pub(super) trait SqlSketch: Sketch {
    const NAMES: Names;
    /// The kinds of values that it is made of, in words.
    const TAKES: &'static str;

    /// The type that a value is read as; none for those that it is not made of.
    fn read_as(given: &DataType) -> Option<DataType>;

    /// Adds the values of `array`, which is of a type that [`Self::read_as`] gives.
    fn insert_array(&mut self, array: &ArrayRef) -> Result<()>;
}

pub(super) fn documentation<S: SqlSketch>(call: &str, description: &str) -> Documentation {
    let section = DocSection { include: true, label: S::NAMES.chapter, description: None };
    Documentation::builder(section, description, call).build()
}

/// The aggregate that makes sketches of values.
pub(super) fn made<S: SqlSketch>(call: &str, description: &str) -> AggregateUDF {
    AggregateUDF::new_from_impl(SketchFunction::<S>::new(false, documentation::<S>(call, description)))
}

/// The aggregate that puts sketches together.
pub(super) fn merged<S: SqlSketch>(call: &str, description: &str) -> AggregateUDF {
    AggregateUDF::new_from_impl(SketchFunction::<S>::new(true, documentation::<S>(call, description)))
}

fn invalid<S: SqlSketch>(error: InvalidSketch) -> DataFusionError {
    let Names { sketch, merge, estimate, .. } = S::NAMES;
    DataFusionError::Execution(format!("{error}: `{estimate}` and `{merge}` take what `{sketch}` gave"))
}

/// The type in which `called` reads sketches, of those that hold bytes.
pub(super) fn sketch_type<S: SqlSketch>(called: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null => Ok(DataType::Binary),
        _ => plan_err!("{called} takes what {} gave, not {given}", S::NAMES.sketch),
    }
}

/// The sketches of a column of them.
pub(super) fn sketches<S: SqlSketch>(array: &ArrayRef) -> impl Iterator<Item = Result<Option<S>>> + '_ {
    let read = |bytes| S::from_bytes(bytes).map_err(invalid::<S>);
    array.as_binary::<i32>().iter().map(move |bytes| bytes.map(read).transpose())
}

/// One of the two functions, which differ in what they read.
#[derive(Debug)]
struct SketchFunction<S> {
    merges: bool,
    signature: Signature,
    documentation: Documentation,
    of: PhantomData<fn() -> S>,
}

impl<S> SketchFunction<S> {
    fn new(merges: bool, documentation: Documentation) -> Self {
        Self { merges, signature: Signature::user_defined(Volatility::Immutable), documentation, of: PhantomData }
    }
}

impl<S> PartialEq for SketchFunction<S> {
    fn eq(&self, other: &Self) -> bool {
        self.merges == other.merges
    }
}

impl<S> Eq for SketchFunction<S> {}

impl<S: SqlSketch> Hash for SketchFunction<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl<S: SqlSketch> AggregateUDFImpl for SketchFunction<S> {
    fn name(&self) -> &str {
        if self.merges { S::NAMES.merge } else { S::NAMES.sketch }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [given] = given else { return plan_err!("{} takes one argument, not {}", self.name(), given.len()) };
        if self.merges {
            return Ok(vec![sketch_type::<S>(&format!("{}(sketch)", S::NAMES.merge), given)?]);
        }
        match S::read_as(given) {
            Some(read) => Ok(vec![read]),
            None => plan_err!("{}(value) takes {}, not {given}", S::NAMES.sketch, S::TAKES),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let accumulator =
            if self.merges { SketchAccumulator::<S>::of_sketches() } else { SketchAccumulator::of_values() };
        Ok(Box::new(accumulator))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if self.merges { Ok(Box::new(SlidingMerge::<S>::default())) } else { self.accumulator(args) }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sketch"), DataType::Binary, true))])
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

fn value<S: SqlSketch>(sketch: Option<&S>) -> ScalarValue {
    ScalarValue::Binary(sketch.filter(|sketch| !sketch.is_missing()).map(S::to_bytes))
}

/// One group's sketch.
#[derive(Debug)]
struct SketchAccumulator<S> {
    /// None while nothing was merged; of values there is one from the beginning.
    sketch: Option<S>,
    merges: bool,
}

impl<S: SqlSketch> SketchAccumulator<S> {
    fn of_values() -> Self {
        Self { sketch: Some(S::default()), merges: false }
    }

    fn of_sketches() -> Self {
        Self { sketch: None, merges: true }
    }
}

impl<S: SqlSketch> Accumulator for SketchAccumulator<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.merges {
            return self.merge_batch(values);
        }
        self.sketch.get_or_insert_default().insert_array(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for sketch in sketches::<S>(&states[0]) {
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
        size_of_val(self) + self.sketch.as_ref().map_or(0, S::heap_bytes)
    }
}

/// The sketches of a frame that moves on. Nothing can be taken out of a sketch, so those that came and have not left are
/// kept: the older ones put together from each up to the last of them, the newer ones all together. Each is merged
/// twice, however long the frame is.
#[derive(Debug, Default)]
struct SlidingMerge<S> {
    /// The next to leave is the last; each is put together with those before it.
    older: Vec<Option<S>>,
    newer: Vec<Option<S>>,
    /// All of `newer` together.
    together: Option<S>,
}

/// Both together.
fn both<S: SqlSketch>(one: Option<&S>, other: Option<&S>) -> Option<S> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let mut merged = one.clone();
            merged.merge(other);
            Some(merged)
        }
        (one, other) => one.or(other).cloned(),
    }
}

impl<S: SqlSketch> Accumulator for SlidingMerge<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for sketch in sketches::<S>(&values[0]) {
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
        size_of_val(self) + held.map(|held| size_of_val(held) + held.as_ref().map_or(0, S::heap_bytes)).sum::<usize>()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::BinaryArray;
    use xxhash_rust::xxh3::xxh3_64;

    use super::super::{HyperLogLog, LogHistogram};
    use super::*;

    fn column<S: SqlSketch>(sketches: &[Option<&S>]) -> ArrayRef {
        let bytes: Vec<_> = sketches.iter().map(|sketch| sketch.map(S::to_bytes)).collect();
        Arc::new(bytes.iter().map(|bytes| bytes.as_deref()).collect::<BinaryArray>())
    }

    /// Frames of several widths over `all`, against what their sketches give together.
    fn slide<S: SqlSketch>(all: &[Option<S>]) {
        for width in [1, 2, 5, 20] {
            let mut sliding = SlidingMerge::<S>::default();
            for end in 0..all.len() {
                sliding.update_batch(&[column(&[all[end].as_ref()])]).unwrap();
                if end >= width {
                    sliding.retract_batch(&[column(&[all[end - width].as_ref()])]).unwrap();
                }
                let frame = &all[(end + 1).saturating_sub(width)..=end];
                let mut direct = SketchAccumulator::<S>::of_sketches();
                direct.update_batch(&[column(&frame.iter().map(Option::as_ref).collect::<Vec<_>>())]).unwrap();
                assert_eq!(sliding.evaluate().unwrap(), direct.evaluate().unwrap(), "{width} up to {end}");
            }
        }
    }

    #[test]
    fn a_moving_frame_gives_what_its_sketches_give_together() {
        let distinct = |at: u64| {
            let mut sketch = HyperLogLog::default();
            (at * 100..at * 140 + 90).for_each(|value| sketch.insert_hash(xxh3_64(&value.to_le_bytes())));
            // One of them was not delivered.
            (at != 4).then_some(sketch)
        };
        slide(&(0..20).map(distinct).collect::<Vec<_>>());
        let percentile = |at: u64| {
            let mut sketch = LogHistogram::default();
            (at * 100..at * 140 + 90).for_each(|value| sketch.insert(value as f64 - 700.0));
            (at != 4).then_some(sketch)
        };
        slide(&(0..20).map(percentile).collect::<Vec<_>>());
    }
}
