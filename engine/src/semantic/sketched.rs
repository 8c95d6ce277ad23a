//! Figures that are estimates, read from sketches: of what parts have, a whole is put together exactly.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, cast, lit};

use crate::functions::sketches::SketchKind;

/// A figure that is nothing but the estimate of one sketch.
#[derive(Debug, Clone)]
pub(super) struct Sketched {
    /// The sketch, over the columns that the measure's aggregates make.
    pub(super) column: Expr,
    pub(super) kind: SketchKind,
    /// What the estimate takes beside the sketch.
    rest: Vec<Expr>,
}

impl Sketched {
    /// The sketch under `figure`, over the columns of `aggregates`; none where there is more to it.
    pub(super) fn of(figure: &Expr, aggregates: &[Expr]) -> Option<Self> {
        let (Expr::ScalarFunction(call), [Expr::Alias(only)]) = (figure, aggregates) else { return None };
        let Expr::AggregateFunction(made) = only.expr.as_ref() else { return None };
        let kind = SketchKind::made_by(made.func.name())?;
        match call.args.split_first()? {
            (sketch @ Expr::Column(_), rest)
                if SketchKind::read_by(call.func.name()) == Some(kind)
                    && rest.iter().all(|argument| argument.column_refs().is_empty()) =>
            {
                Some(Self { column: sketch.clone(), kind, rest: rest.to_vec() })
            }
            _ => None,
        }
    }

    /// The figure of `sketch`.
    pub(super) fn figure(&self, sketch: Expr) -> Expr {
        self.kind.estimate().call([vec![sketch], self.rest.clone()].concat())
    }
}

/// Whether `function` gives an estimate.
pub(super) fn is_estimate(function: &AggregateFunction) -> bool {
    let name = function.func.name();
    SketchKind::made_by(name).is_some() || name.starts_with("approx_")
}

/// `expr` with approximate distinct counts and percentiles read from our own sketches, which can be put together over
/// periods.
pub(super) fn by_sketch(expr: Expr) -> Result<Expr> {
    let read = |node: Expr| match node {
        Expr::AggregateFunction(function) => match function.func.name() {
            "approx_distinct" => Ok(Transformed::yes(estimate(SketchKind::Distinct, function, Vec::new()))),
            "approx_median" if !function.params.distinct => {
                Ok(Transformed::yes(estimate(SketchKind::Percentile, function, vec![lit(0.5)])))
            }
            // Whoever says how many centroids there are wants those.
            "approx_percentile_cont" if !function.params.distinct && function.params.args.len() == 2 => {
                let share = share(&function)?;
                Ok(Transformed::yes(estimate(SketchKind::Percentile, function, vec![share])))
            }
            _ => Ok(Transformed::no(Expr::AggregateFunction(function))),
        },
        node => Ok(Transformed::no(node)),
    };
    Ok(expr.transform_up(read)?.data)
}

/// What `kind` tells of the values of `function`, which is no part of a figure any more.
fn estimate(kind: SketchKind, mut function: AggregateFunction, rest: Vec<Expr>) -> Expr {
    function.func = Arc::new(kind.sketch());
    function.params.distinct = false;
    function.params.args.truncate(1);
    // A sketch knows its values in one order only.
    function.params.order_by.clear();
    kind.estimate().call([vec![Expr::AggregateFunction(function)], rest].concat())
}

/// The share of values below the percentile that `function` asks for, counted from the least one.
fn share(function: &AggregateFunction) -> Result<Expr> {
    let given = &function.params.args[1];
    if !given.column_refs().is_empty() {
        return plan_err!("a percentile is a number from 0 to 1, and not of each row: `{given}`");
    }
    let is_descending = function.params.order_by.first().is_some_and(|sort| !sort.asc);
    let Expr::Literal(value, _) = given else {
        let given = cast(given.clone(), DataType::Float64);
        return Ok(if is_descending { lit(1.0) - given } else { given });
    };
    match value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(share))) if (0.0..=1.0).contains(&share) => {
            Ok(lit(if is_descending { 1.0 - share } else { share }))
        }
        _ => plan_err!("a percentile is a number from 0 to 1, not {value}"),
    }
}
