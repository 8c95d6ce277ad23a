//! The second gate: whatever a statement looked like, its plan may hold reading nodes only.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFrameBound, WindowFrameUnits};

use super::error::QueryError;
use super::expansion;
use super::held::CONSTANT_BYTES;
use crate::functions::sketches::is_aggregate;

/// Rows, or groups of them, that a window's frame may reach: far more than there are, and far less than counters hold.
const MAX_FRAME_ROWS: u64 = 1 << 40;
/// Rows of a frame that are put into one list or text.
const MAX_LISTED_ROWS: u64 = 100;
/// Centroids of one digest; a hundred are usual.
const MAX_CENTROIDS: u64 = 10_000;

/// Operators of a plan, each counted as often as it stands there. A WITH query that is read twice stands there twice, and
/// forty such steps are more than any walk over them ends with.
const MAX_NODES: usize = 20_000;

/// Refuses a plan that later steps could not walk through.
pub(crate) fn check_size(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut nodes = 0_usize;
    let walked = plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok::<_, DataFusionError>(if nodes > MAX_NODES { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match walked {
        Err(source) => Err(QueryError::Runtime { source }),
        Ok(_) if nodes > MAX_NODES => Err(QueryError::OutOfBounds {
            what: "operators of the plan, WITH queries counted as often as they are read",
            limit: MAX_NODES as u64,
        }),
        Ok(_) => Ok(()),
    }
}

/// Refuses a plan with a node that is not on the allow-list, at any depth, subqueries included.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        refused = match refusal(node) {
            Some(what) => {
                let instead = "use SELECT, WITH, VALUES or EXPLAIN";
                Some(QueryError::Refused { what: what.into(), instead, position: None })
            }
            None => out_of_bounds(node)?,
        };
        Ok::<_, DataFusionError>(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (refused, walked) {
        (Some(error), _) => Err(error),
        (None, Ok(_)) => expansion::check(plan),
        (None, Err(source)) => Err(QueryError::Runtime { source }),
    }
}

/// A number or text of the statement, or of a parameter, that operators would allocate by.
fn out_of_bounds(node: &LogicalPlan) -> Result<Option<QueryError>, DataFusionError> {
    let mut found = None;
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            found = too_large(part);
            Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

fn too_large(expr: &Expr) -> Option<QueryError> {
    match expr {
        Expr::Literal(value, _) => {
            let bytes = value.try_as_str().flatten().map_or(0, str::len);
            (bytes > CONSTANT_BYTES).then_some(QueryError::LongConstant { bytes, limit: CONSTANT_BYTES })
        }
        Expr::AggregateFunction(call) => too_many_centroids(call.func.name(), &call.params.args),
        Expr::WindowFunction(call) => {
            let frame = &call.params.window_frame;
            let is_far = [&frame.start_bound, &frame.end_bound].into_iter().any(|bound| match bound {
                WindowFrameBound::Preceding(ScalarValue::UInt64(Some(rows)))
                | WindowFrameBound::Following(ScalarValue::UInt64(Some(rows))) => *rows > MAX_FRAME_ROWS,
                _ => false,
            });
            if is_far {
                return Some(QueryError::OutOfBounds {
                    what: "rows before or behind in a window's frame",
                    limit: MAX_FRAME_ROWS,
                });
            }
            grows_with_rows(call.fun.name(), &call.params)
                .or_else(|| too_many_centroids(call.fun.name(), &call.params.args))
        }
        _ => None,
    }
}

/// A value of many rows in each row: a list of all rows before it, for a million of them, is half a billion elements.
fn grows_with_rows(function: &str, params: &WindowFunctionParams) -> Option<QueryError> {
    let is_near = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow => true,
        WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
            matches!(rows, ScalarValue::UInt64(Some(rows)) if *rows <= MAX_LISTED_ROWS)
        }
    };
    let frame = &params.window_frame;
    let is_bounded = match function {
        "array_agg" | "string_agg" => {
            frame.units == WindowFrameUnits::Rows && is_near(&frame.start_bound) && is_near(&frame.end_bound)
        }
        // One sketch for all rows would be copied for each.
        sketch if is_aggregate(sketch) => !params.order_by.is_empty(),
        _ => true,
    };
    (!is_bounded).then(|| QueryError::NotSupported {
        what: format!("`{function}` over so many rows, for each of them,"),
        instead: "use GROUP BY, or a frame of few rows, as in ROWS BETWEEN 10 PRECEDING AND CURRENT ROW",
        position: None,
    })
}

/// The size of a digest, which is allocated at once, in each group, whatever there is to digest.
fn too_many_centroids(function: &str, args: &[Expr]) -> Option<QueryError> {
    let given = match function {
        "approx_percentile_cont" => args.get(2),
        "approx_percentile_cont_with_weight" => args.get(3),
        _ => None,
    }?;
    let count = match given {
        Expr::Literal(value, _) => value.cast_to(&DataType::UInt64).ok(),
        _ => None,
    };
    let is_fit = matches!(count, Some(ScalarValue::UInt64(Some(count))) if count <= MAX_CENTROIDS);
    (!is_fit)
        .then_some(QueryError::OutOfBounds { what: "centroids of a digest, written as a number", limit: MAX_CENTROIDS })
}

/// What a node that does more than read is called.
fn refusal(node: &LogicalPlan) -> Option<&'static str> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_) => None,
        LogicalPlan::Statement(_) => Some("a session statement"),
        LogicalPlan::Dml(_) => Some("a write"),
        LogicalPlan::Ddl(_) => Some("SELECT INTO or a definition"),
        LogicalPlan::Copy(_) => Some("COPY"),
        LogicalPlan::DescribeTable(_) => Some("DESCRIBE inside a query"),
        LogicalPlan::RecursiveQuery(_) => Some("a recursive query"),
        LogicalPlan::Extension(_) => Some("an extension of the planner"),
    }
}
