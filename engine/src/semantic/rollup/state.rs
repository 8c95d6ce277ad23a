//! What a rollup keeps of an aggregate, and how the figures of parts become the figure of the whole.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use datafusion::functions::core::expr_fn::{coalesce, nullif};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Alias};
use datafusion::logical_expr::{AggregateUDF, Expr, cast, lit};
use std::sync::Arc;

use crate::functions::sketches::SketchKind;
use crate::semantic::expression::{Fault, aggregate_type, type_of};
use crate::semantic::plan::column;

/// Sums of whole numbers are kept in this type: it holds any that there can be, and so has no rounding.
const WHOLE: DataType = DataType::Decimal128(38, 0);
/// A count, where a decimal is divided by it.
const COUNT: DataType = DataType::Decimal128(20, 0);
/// Digits behind the point that an average of decimals has beyond those of its column.
const AVERAGE_DIGITS: i8 = 4;

/// How what parts keep becomes what the whole keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    Add,
    Least,
    Greatest,
    Together(SketchKind),
}

/// A column of a rollup: what is kept of a group's rows.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// Its name.
    pub(super) column: String,
    /// Its type in the rollup's table.
    pub(super) data_type: DataType,
    /// Over the rows of the source.
    aggregate: Expr,
    merge: Merge,
}

impl State {
    /// The aggregate over the rows of the source, under the column's name.
    pub(super) fn of_rows(&self) -> Expr {
        self.aggregate.clone().alias(&self.column)
    }

    /// The aggregate over rows of the rollup, under the column's name.
    pub(super) fn of_parts(&self) -> Expr {
        let kept = column(&self.column);
        let merged = match self.merge {
            Merge::Add => sum(kept),
            Merge::Least => min(kept),
            Merge::Greatest => max(kept),
            Merge::Together(kind) => kind.merge().call(vec![kept]),
        };
        merged.alias(&self.column)
    }

    /// The column as it is kept, from what either aggregate gave.
    pub(super) fn kept(&self) -> Expr {
        cast(column(&self.column), self.data_type.clone()).alias(&self.column)
    }
}

/// An aggregate as its states.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) states: Vec<State>,
    /// What the aggregate gives, of the merged states.
    pub(super) figure: Expr,
    /// The same aggregates over the rows themselves, and the figure of them, where the function's own way of adding up
    /// depends on the order of the rows.
    pub(super) exact: Option<(Vec<Expr>, Expr)>,
}

/// The type in which a value is kept; none for those that a table cannot hold, or that are not equal when they look so.
pub(super) fn stored(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Boolean | DataType::Date32 | DataType::Decimal128(..) => Some(data_type.clone()),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(data_type.clone()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8),
        // A table keeps microseconds, and instants rather than readings of a clock.
        DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Timestamp(_, None) => None,
        DataType::Timestamp(_, Some(_)) => Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        _ => None,
    }
}

/// Takes `aggregate`, one of a measure's over `schema`, apart. A sketch that is among the `known` states is kept once.
///
/// # Errors
/// A reason, in words that follow the measure's name, where the figure of the whole is not told exactly by the figures of
/// its parts.
pub(super) fn split(
    session: &SessionState,
    schema: &DFSchema,
    aggregate: &Expr,
    known: &[State],
) -> Result<Split, Fault> {
    let found = match aggregate {
        Expr::Alias(Alias { expr, name, .. }) => match expr.as_ref() {
            Expr::AggregateFunction(function) => Some((name.as_str(), function)),
            _ => None,
        },
        _ => None,
    };
    let (name, function) = found.ok_or_else(|| Fault::new("is no aggregate"))?;
    let called = function.func.name().to_owned();
    let params = &function.params;
    if params.distinct && !matches!(called.as_str(), "min" | "max") {
        return Err(Fault::new(format!(
            "counts each value once (`{called}(DISTINCT …)`): what occurs in two parts would count twice"
        )));
    }
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(Fault::new(format!("depends on the order of rows in `{called}`, which a rollup does not keep")));
    }
    let whole = aggregate_type(session, aggregate, schema)?;
    let one = |merge| {
        let data_type = stored(&whole).ok_or_else(|| inexact(&called, &whole))?;
        let states = vec![State {
            column: name.to_owned(),
            data_type,
            aggregate: Expr::AggregateFunction(function.clone()),
            merge,
        }];
        let figure = cast(column(name), whole.clone());
        Ok(Split { states, figure, exact: None })
    };
    if let Some(kind) = SketchKind::made_by(&called) {
        return Ok(sketch(name, function, kind, known));
    }
    match called.as_str() {
        "count" => {
            let counted = one(Merge::Add)?;
            // A sum over nothing is missing, a count is zero.
            let figure = cast(coalesce(vec![column(name), lit(0_i64)]), whole);
            Ok(Split { figure, ..counted })
        }
        "sum" => one(Merge::Add),
        "min" => one(Merge::Least),
        "max" => one(Merge::Greatest),
        "avg" => average(session, schema, name, function, &whole),
        _ => Err(Fault::new(format!("uses `{called}`, which the figures of parts do not tell"))
            .hint("a rollup keeps sums, counts, averages and extremes")),
    }
}

/// A sketch is kept as its bytes. Several percentiles of the same values are read from one.
fn sketch(name: &str, function: &AggregateFunction, kind: SketchKind, known: &[State]) -> Split {
    let aggregate = Expr::AggregateFunction(function.clone());
    let state = known.iter().find(|state| state.aggregate == aggregate).cloned().unwrap_or_else(|| State {
        column: name.to_owned(),
        data_type: DataType::Binary,
        aggregate,
        merge: Merge::Together(kind),
    });
    let merged = column(&state.column);
    // Of no rows there is none, and may have been one.
    let figure = match kind.of_nothing() {
        Some(nothing) => coalesce(vec![merged, lit(ScalarValue::Binary(Some(nothing)))]),
        None => merged,
    };
    Split { states: vec![state], figure, exact: None }
}

fn inexact(called: &str, data_type: &DataType) -> Fault {
    if data_type.is_floating() {
        let why = match called {
            "sum" | "avg" => "a sum of floating-point numbers depends on the order in which they are added",
            _ => "of floating-point numbers the least and the greatest are not always told apart",
        };
        return Fault::new(format!("is `{called}` of {data_type}: {why}")).hint("keep the column as a decimal");
    }
    Fault::new(format!("is `{called}` of type {data_type}, which a table cannot keep"))
}

/// An average is kept as sum and count.
fn average(
    session: &SessionState,
    schema: &DFSchema,
    name: &str,
    function: &AggregateFunction,
    whole: &DataType,
) -> Result<Split, Fault> {
    let [value] = function.params.args.as_slice() else {
        return Err(Fault::new("is an average of more than one value"));
    };
    let taken = type_of(session, value, schema)?;
    let part = |what: &str| format!("{name}#{what}");
    let over = |udaf: Arc<AggregateUDF>, value: Expr| {
        let filter = function.params.filter.clone();
        Expr::AggregateFunction(AggregateFunction::new_udf(udaf, vec![value], false, filter, vec![], None))
    };
    let (total, count) = (part("sum"), part("count"));
    let counted = || nullif(coalesce(vec![column(&count), lit(0_i64)]), lit(0_i64));
    let (value, kept, figure) = match &taken {
        whole_number if whole_number.is_integer() => {
            // In floating point, as the function itself answers.
            let quotient = cast(column(&total), DataType::Float64) / cast(counted(), DataType::Float64);
            (cast(value.clone(), WHOLE), WHOLE, quotient)
        }
        DataType::Decimal128(precision, scale) if *scale >= 0 && *scale <= 38 - AVERAGE_DIGITS => {
            let kept = DataType::Decimal128((precision + 10).min(38), *scale);
            // A quotient of decimals has four digits more than what is divided, and the rest is cut off: as of an average.
            let quotient = cast(column(&total), kept.clone()) / cast(counted(), COUNT);
            (value.clone(), kept, cast(quotient, whole.clone()))
        }
        other => return Err(inexact("avg", other)),
    };
    let states = vec![
        State { column: total.clone(), data_type: kept, aggregate: over(sum_udaf(), value), merge: Merge::Add },
        State {
            column: count.clone(),
            data_type: DataType::Int64,
            aggregate: over(count_udaf(), function.params.args[0].clone()),
            merge: Merge::Add,
        },
    ];
    let missing = lit(ScalarValue::try_from(whole)?);
    let figure = datafusion::logical_expr::when(counted().is_null(), missing).otherwise(figure)?;
    // The function adds integers up as floating-point numbers, which is exact only while they are small.
    let exact = taken.is_integer().then(|| (states.iter().map(State::of_rows).collect::<Vec<_>>(), figure.clone()));
    Ok(Split { states, figure, exact })
}
