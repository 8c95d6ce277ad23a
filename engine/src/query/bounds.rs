//! Functions that are looked at before they run.
//!
//! Some give results far larger than their arguments. DataFusion's memory pool does not see what a scalar function
//! allocates, so `repeat('a', 2000000000)` would take the process down. And `to_char` takes strftime's patterns:
//! `YYYY-MM`, which other databases understand, would be answered with the text `YYYY-MM`. The name of a type, as
//! `arrow_cast` takes it, is read recursively: one nested thousands deep would overflow the stack.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::kernels::length::length;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, FieldRef, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::held::held;
use super::statement::MAX_DEPTH;
use super::text_concat;

/// Bytes that one call may make for one batch of rows.
const MAX_CALL_BYTES: u128 = 256 << 20;

/// Estimates the bytes that a call makes: never less than half of what it will be.
type Weigh = fn(&ScalarFunctionArgs) -> Result<u128>;

/// What is looked at before a call.
#[derive(Clone, Copy)]
enum Guard {
    Weight(Weigh),
    Pattern,
    /// The last argument is the name of a type.
    TypeName,
}

/// The bounded form of `function`, or none where it needs no bound. What it makes is taken from `pool`.
pub(crate) fn bounded(function: &Arc<ScalarUDF>, pool: &Arc<dyn MemoryPool>) -> Option<ScalarUDF> {
    let guarded =
        |guard| Some(ScalarUDF::new_from_impl(Bounded { inner: Arc::clone(function), guard, pool: Arc::clone(pool) }));
    let weigh: Weigh = match function.name() {
        "to_char" => return guarded(Guard::Pattern),
        "arrow_cast" | "arrow_try_cast" => return guarded(Guard::TypeName),
        "repeat" => |args| sum(args, &[bytes, count], |row| row[0] * row[1]),
        "lpad" | "rpad" => |args| sum(args, &[bytes, count], |row| row[0] + 4 * row[1]),
        "array_repeat" => |args| sum(args, &[bytes, count], |row| (row[0] + 8) * row[1]),
        "array_resize" => |args| sum(args, &[bytes, count], |row| row[0] + 16 * row[1]),
        "replace" => |args| sum(args, &[bytes, bytes, bytes], |row| row[0] + row[0] / row[1].max(1) * row[2]),
        // Each letter may be what is replaced, and with a text that refers to what was found; most often it is not.
        "regexp_replace" => |args| sum(args, &[bytes, bytes, bytes], |row| row[0] + row[0] * row[2] / 4),
        // Bytes and places of the pieces, each of which may be one letter.
        "string_to_array" => |args| sum(args, &[bytes], |row| 5 * row[0]),
        "encode" => |args| sum(args, &[bytes], |row| 2 * row[0]),
        // Not bytes but steps: the whole of one text for each letter of the other, and nothing stops it in between.
        "levenshtein" => |args| sum(args, &[bytes, bytes], |row| row[0] * row[1] / 4),
        "concat" | "concat_ws" | "array_concat" | text_concat::NAME => |args| {
            let columns = vec![bytes as Measure; args.args.len()];
            sum(args, &columns, |row| row.iter().sum())
        },
        "range" | "generate_series" => series,
        _ => return None,
    };
    guarded(Guard::Weight(weigh))
}

/// One number a row, or one for all rows.
enum Sizes {
    One(u128),
    Each(Vec<u128>),
}

type Measure = fn(&ColumnarValue) -> Result<Sizes>;

/// Bytes of each text or array; eight for anything else.
fn bytes(value: &ColumnarValue) -> Result<Sizes> {
    let array = match value {
        ColumnarValue::Scalar(scalar) => scalar.to_array()?,
        ColumnarValue::Array(array) => Arc::clone(array),
    };
    let per_item = match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary | DataType::BinaryView => 1,
        DataType::List(_) | DataType::LargeList(_) => 16,
        _ => return Ok(Sizes::One(8)),
    };
    sizes(value, &cast(&length(&array)?, &DataType::Int64)?, per_item)
}

/// A repetition count; nothing for a negative or missing one.
fn count(value: &ColumnarValue) -> Result<Sizes> {
    let array = match value {
        ColumnarValue::Scalar(scalar) => scalar.to_array()?,
        ColumnarValue::Array(array) => Arc::clone(array),
    };
    sizes(value, &cast(&array, &DataType::Int64)?, 1)
}

fn cast(array: &arrow::array::ArrayRef, to: &DataType) -> Result<arrow::array::ArrayRef> {
    Ok(cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() })?)
}

fn sizes(value: &ColumnarValue, numbers: &arrow::array::ArrayRef, factor: u128) -> Result<Sizes> {
    let numbers = numbers.as_primitive::<Int64Type>();
    let size = |number: Option<i64>| u128::try_from(number.unwrap_or(0)).unwrap_or(0) * factor;
    Ok(match value {
        ColumnarValue::Scalar(_) => Sizes::One(numbers.iter().next().map_or(0, size)),
        ColumnarValue::Array(_) => Sizes::Each(numbers.iter().map(size).collect()),
    })
}

/// Adds up `weigh` over the rows of a call; one row where every argument is a constant.
fn sum(args: &ScalarFunctionArgs, measures: &[Measure], weigh: fn(&[u128]) -> u128) -> Result<u128> {
    let columns: Vec<_> =
        measures.iter().zip(&args.args).map(|(measure, value)| measure(value)).collect::<Result<_>>()?;
    let rows = if columns.iter().any(|column| matches!(column, Sizes::Each(_))) { args.number_rows } else { 1 };
    let mut row = vec![0; measures.len()];
    let mut total = 0_u128;
    for at in 0..rows {
        for (slot, column) in row.iter_mut().zip(&columns) {
            *slot = match column {
                Sizes::One(size) => *size,
                Sizes::Each(sizes) => sizes.get(at).copied().unwrap_or(0),
            };
        }
        total = total.saturating_add(weigh(&row));
    }
    Ok(total)
}

/// Eight bytes for each element of a series.
fn series(args: &ScalarFunctionArgs) -> Result<u128> {
    let constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let columns: Vec<Vec<Option<i128>>> =
        args.args.iter().map(|value| positions(value, rows)).collect::<Result<_>>()?;
    let mut total = 0_u128;
    for at in 0..rows {
        let value = |column: usize| columns.get(column).and_then(|values| values[at]);
        let (start, stop, step) = match columns.len() {
            1 => (Some(0), value(0), Some(1)),
            2 => (value(0), value(1), Some(1)),
            _ => (value(0), value(1), value(2)),
        };
        if let (Some(start), Some(stop), Some(step)) = (start, stop, step)
            && step != 0
        {
            total = total.saturating_add(8 * (1 + (stop - start).unsigned_abs() / step.unsigned_abs()));
        }
    }
    Ok(total)
}

/// Numbers as they are; dates, timestamps and intervals in nanoseconds (a month as its shortest length).
fn positions(value: &ColumnarValue, rows: usize) -> Result<Vec<Option<i128>>> {
    const DAY: i128 = 86_400_000_000_000;
    let array = value.to_array(rows)?;
    Ok(match array.data_type() {
        DataType::Date32 => {
            array.as_primitive::<Date32Type>().iter().map(|day| day.map(|day| i128::from(day) * DAY)).collect()
        }
        DataType::Timestamp(_, zone) => {
            let nanoseconds = cast(&array, &DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))?;
            let numbers = cast(&nanoseconds, &DataType::Int64)?;
            numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(i128::from)).collect()
        }
        DataType::Interval(_) => {
            let intervals = cast(&array, &DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano))?;
            let nanoseconds = |interval: arrow::datatypes::IntervalMonthDayNano| {
                (i128::from(interval.months) * 28 + i128::from(interval.days)) * DAY + i128::from(interval.nanoseconds)
            };
            intervals.as_primitive::<IntervalMonthDayNanoType>().iter().map(|i| i.map(nanoseconds)).collect()
        }
        DataType::Null => vec![None; rows],
        _ => {
            let numbers = cast(&array, &DataType::Int64)?;
            numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(i128::from)).collect()
        }
    })
}

/// Refuses a date pattern without a single strftime field.
fn check_pattern(args: &ScalarFunctionArgs) -> Result<()> {
    let Some(pattern) = args.args.get(1) else { return Ok(()) };
    let patterns = match pattern {
        ColumnarValue::Scalar(scalar) => scalar.to_array()?,
        ColumnarValue::Array(array) => Arc::clone(array),
    };
    let patterns = cast(&patterns, &DataType::Utf8)?;
    match patterns.as_string::<i32>().iter().flatten().find(|pattern| !pattern.contains('%')) {
        Some(pattern) => Err(DataFusionError::Execution(format!(
            "`{pattern}` is no pattern of to_char: write its fields as strftime does, as in `%Y-%m-%d`"
        ))),
        None => Ok(()),
    }
}

/// Refuses the name of a type that is nested too deep to be read.
fn check_type_name(args: &ReturnFieldArgs<'_>) -> Result<()> {
    let name = args.scalar_arguments.last().copied().flatten().and_then(|name| name.try_as_str().flatten());
    let mut depth = 0_usize;
    for byte in name.unwrap_or_default().bytes() {
        match byte {
            b'(' | b'<' | b'[' => depth += 1,
            b')' | b'>' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "a type is nested in more than the {MAX_DEPTH} others that are allowed"
            )));
        }
    }
    Ok(())
}

/// A function that is looked at before it is called, and otherwise itself.
struct Bounded {
    inner: Arc<ScalarUDF>,
    guard: Guard,
    pool: Arc<dyn MemoryPool>,
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bounded").field(&self.inner.name()).finish()
    }
}

// The name decides which function is weighed, and how.
impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.guard {
            Guard::Weight(weigh) => {
                let weight = weigh(&args)?;
                if weight > MAX_CALL_BYTES {
                    return Err(DataFusionError::ResourcesExhausted(format!(
                        "`{}` would make {weight} bytes at once, and {MAX_CALL_BYTES} are allowed",
                        self.inner.name()
                    )));
                }
                let makes = if self.inner.name() == "levenshtein" { 0 } else { weight };
                return held(self.inner.name(), makes, &self.pool, || self.inner.invoke_with_args(args));
            }
            Guard::Pattern => check_pattern(&args)?,
            Guard::TypeName => {}
        }
        self.inner.invoke_with_args(args)
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Guard::TypeName = self.guard {
            check_type_name(&args)?;
        }
        self.inner.return_field_from_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // The name was read: it may become the cast that it stands for.
        if let Guard::TypeName = self.guard {
            return self.inner.simplify(args, info);
        }
        // A function that rewrites itself into another call would leave its bound behind.
        match self.inner.simplify(args.clone(), info)? {
            ExprSimplifyResult::Simplified(simplified @ Expr::Literal(..)) => {
                Ok(ExprSimplifyResult::Simplified(simplified))
            }
            _ => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(input)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::Field;
    use datafusion::common::ScalarValue;
    use datafusion::execution::SessionStateDefaults;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn call(name: &str, args: Vec<ColumnarValue>, rows: usize) -> Result<ColumnarValue> {
        let functions = SessionStateDefaults::default_scalar_functions();
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 30));
        let function = functions.iter().find(|function| function.name() == name).unwrap();
        let function = bounded(function, &pool).unwrap();
        let arg_fields: Vec<FieldRef> =
            args.iter().map(|arg| Arc::new(Field::new("x", arg.data_type(), true))).collect();
        let scalars: Vec<Option<ScalarValue>> = vec![None; args.len()];
        let scalars: Vec<_> = scalars.iter().map(Option::as_ref).collect();
        let return_field =
            function.return_field_from_args(ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalars })?;
        function.invoke_with_args(ScalarFunctionArgs {
            args,
            arg_fields,
            number_rows: rows,
            return_field,
            config_options: Arc::default(),
        })
    }

    fn text(text: &str) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(text))
    }

    fn number(number: i64) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(number))
    }

    #[test]
    fn growth_is_refused_before_it_is_allocated() {
        for (name, args) in [
            ("repeat", vec![text("a"), number(1_500_000_000)]),
            ("lpad", vec![text("a"), number(2_000_000_000)]),
            ("rpad", vec![text("a"), number(2_000_000_000)]),
            ("array_repeat", vec![number(1), number(1_000_000_000)]),
            ("range", vec![number(1), number(300_000_000)]),
            ("generate_series", vec![number(300_000_000), number(1), number(-1)]),
            ("generate_series", vec![number(i64::MIN), number(i64::MAX)]),
        ] {
            let error = call(name, args, 1).unwrap_err();
            assert!(matches!(error, DataFusionError::ResourcesExhausted(_)), "{name}: {error}");
        }
    }

    #[test]
    fn the_rows_of_a_batch_count_together() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["abcdefgh"; 8192]));
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![10_000; 8192]));
        let args = vec![ColumnarValue::Array(texts), ColumnarValue::Array(counts)];
        assert!(matches!(call("repeat", args, 8192), Err(DataFusionError::ResourcesExhausted(_))));
    }

    #[test]
    fn ordinary_calls_pass() {
        let padded = call("lpad", vec![text("7"), number(3), text("0")], 1).unwrap().into_array(1).unwrap();
        assert_eq!(padded.as_string::<i32>().value(0), "007");
        assert!(call("range", vec![number(0), number(10)], 1).is_ok());
        assert!(call("repeat", vec![text("a"), number(-5)], 1).is_ok());
    }
}
