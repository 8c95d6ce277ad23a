//! How large expressions become when they are rewritten, known before they are.
//!
//! The optimizer writes out what a name stands for where it moves a filter below the query that defines the name, and
//! writes `coalesce`, BETWEEN and CASE so that a part of them stands there twice. Both double with each level: thirty
//! levels of `SELECT a + a AS a FROM (...)` below a WHERE are a billion additions, and nothing stops the optimizer on
//! its way.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};

use super::error::QueryError;
use super::stack::with_room;

/// Columns and operators of one expression, once it is rewritten. Constants do not count: a list of ten thousand codes is
/// looked up, and stays one list.
const MAX_SIZE: u64 = 20_000;

/// Refuses a plan of which an expression would grow too large, its subqueries included.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut largest = 0;
    sizes(plan, &mut largest).map_err(|source| QueryError::Runtime { source })?;
    if largest > MAX_SIZE {
        return Err(QueryError::OutOfBounds {
            what: "parts of an expression, with what its names stand for written out",
            limit: MAX_SIZE,
        });
    }
    Ok(())
}

/// The size of each column that `plan` gives, if all below were written out; `largest` becomes that of the largest
/// expression which may be.
fn sizes(plan: &LogicalPlan, largest: &mut u64) -> Result<Vec<u64>> {
    let inputs = plan.inputs().into_iter();
    let inputs: Vec<_> = inputs.map(|input| with_room(|| sizes(input, largest))).collect::<Result<_>>()?;
    // Of a join or a union, one behind the other.
    let below =
        Below { schemas: plan.inputs().into_iter().map(LogicalPlan::schema).map(AsRef::as_ref).collect(), inputs };
    plan.apply_expressions(|expr| {
        // Columns are written out where a filter is pushed down, and rewritten on their own everywhere.
        let is_pushed = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        *largest = (*largest).max(if is_pushed { below.size(expr) } else { Below::NONE.size(expr) });
        expr.apply(|part| {
            let subquery = match part {
                Expr::ScalarSubquery(inner) => Some(inner),
                Expr::Exists(exists) => Some(&exists.subquery),
                Expr::InSubquery(list) => Some(&list.subquery),
                Expr::SetComparison(comparison) => Some(&comparison.subquery),
                _ => None,
            };
            if let Some(subquery) = subquery {
                sizes(&subquery.subquery, largest)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    let columns = plan.schema().fields().len();
    let mut given = match plan {
        LogicalPlan::Projection(projection) => projection.expr.iter().map(|expr| below.size(expr)).collect(),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.iter().map(|expr| below.size(expr)).collect(),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => below.inputs[1].clone(),
            _ => below.inputs.concat(),
        },
        // A filter is pushed into each of its inputs.
        LogicalPlan::Union(_) => (0..columns)
            .map(|at| below.inputs.iter().map(|input| input.get(at).copied().unwrap_or(1)).fold(0, u64::saturating_add))
            .collect(),
        LogicalPlan::Unnest(_) => Vec::new(),
        _ => below.inputs.into_iter().next().unwrap_or_default(),
    };
    given.resize(columns, 1);
    Ok(given)
}

/// The columns that expressions of a node may name.
struct Below<'a> {
    schemas: Vec<&'a DFSchema>,
    inputs: Vec<Vec<u64>>,
}

impl Below<'_> {
    const NONE: Self = Self { schemas: Vec::new(), inputs: Vec::new() };

    fn column(&self, column: &Column) -> u64 {
        let found = self
            .schemas
            .iter()
            .zip(&self.inputs)
            .find_map(|(schema, sizes)| schema.maybe_index_of_column(column).and_then(|at| sizes.get(at).copied()));
        found.unwrap_or(1)
    }

    /// What `expr` comes to once it is rewritten.
    fn size(&self, expr: &Expr) -> u64 {
        with_room(|| self.size_here(expr))
    }

    fn size_here(&self, expr: &Expr) -> u64 {
        let doubled = |expr: &Expr| self.size(expr).saturating_mul(2);
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(1, u64::saturating_add);
        match expr {
            Expr::Column(column) => self.column(column),
            Expr::Literal(..) => 0,
            Expr::ScalarFunction(call) if matches!(call.name(), "coalesce" | "nvl" | "nvl2") => {
                let (last, others) =
                    call.args.split_last().map_or((None, &[][..]), |(last, others)| (Some(last), others));
                sum(&mut others.iter().map(doubled).chain(last.map(|expr| self.size(expr))))
            }
            Expr::Between(between) => {
                sum(&mut [doubled(&between.expr), self.size(&between.low), self.size(&between.high)].into_iter())
            }
            Expr::Case(case) => {
                let conditions = case
                    .expr
                    .iter()
                    .map(|expr| doubled(expr))
                    .chain(case.when_then_expr.iter().map(|(when, _)| doubled(when)));
                let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
                sum(&mut conditions.chain(results.map(|expr| self.size(expr))))
            }
            other => {
                let mut total = 1_u64;
                let walked = other.apply_children(|child| {
                    total = total.saturating_add(self.size(child));
                    Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
                });
                if walked.is_ok() { total } else { u64::MAX }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use datafusion::functions::core::expr_fn::coalesce;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};

    use super::*;

    fn base() -> LogicalPlanBuilder {
        LogicalPlanBuilder::values(vec![vec![lit(1_i64)]]).unwrap().project(vec![col("column1").alias("a")]).unwrap()
    }

    fn is_refused(plan: &LogicalPlan) -> bool {
        matches!(check(plan), Err(QueryError::OutOfBounds { .. }))
    }

    #[test]
    fn names_are_written_out_where_a_filter_stands_above_them() {
        let doubled = |levels: usize| {
            (0..levels).fold(base(), |plan, _| plan.project(vec![(col("a") + col("a")).alias("a")]).unwrap())
        };
        assert!(check(&doubled(60).build().unwrap()).is_ok());
        let filtered = |levels| doubled(levels).filter(col("a").gt(lit(0_i64))).unwrap().build().unwrap();
        assert!(check(&filtered(10)).is_ok());
        for levels in [16, 60] {
            assert!(is_refused(&filtered(levels)), "{levels}");
        }
        let other = base().alias("o").unwrap().build().unwrap();
        let matches = [col("l.a").eq(col("o.a"))];
        let joined = doubled(60).alias("l").unwrap().join_on(other, JoinType::Inner, matches).unwrap();
        assert!(is_refused(&joined.build().unwrap()));
    }

    #[test]
    fn what_is_written_twice_doubles_with_each_level() {
        let nested = |levels: usize| (0..levels).fold(col("a"), |inner, _| coalesce(vec![inner, lit(2_i64)]));
        let behind = |levels: usize| (0..levels).fold(col("a"), |inner, _| coalesce(vec![col("a"), inner]));
        let plan = |expr: Expr| base().project(vec![expr]).unwrap().build().unwrap();
        assert!(check(&plan(nested(8))).is_ok());
        assert!(check(&plan(behind(90))).is_ok());
        assert!(is_refused(&plan(nested(90))));
        let between = (0..90).fold(col("a").gt(lit(1_i64)), |inner, _| inner.between(lit(false), lit(true)));
        assert!(is_refused(&plan(between)));
    }

    #[test]
    fn a_long_list_of_codes_is_one_part() {
        let codes = (0..50_000_i64).map(lit).collect();
        assert!(check(&base().filter(col("a").in_list(codes, false)).unwrap().build().unwrap()).is_ok());
    }
}
