//! A plan whose rows say where they came from: the hidden columns of the tables, carried up through a view.

use datafusion::common::{Column, DataFusionError, JoinType};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident, lit};

use super::metrics::scan;
use super::scope::Scope;
use super::translate::from_datafusion;
use crate::catalog::{FILE_COLUMN, LINE_COLUMN, RUN_COLUMN, TableName};
use crate::error::{Error, ErrorKind, Result};

/// The columns that are added: table, run, file and line. A view may have columns called as the hidden ones are, so that
/// these are called otherwise.
pub(super) const ORIGIN_COLUMNS: [&str; 4] = ["_origin_table", "_origin_run", "_origin_file", "_origin_line"];

/// Why a row has no origin of its own.
enum Lost {
    /// By what the plan does.
    Because(String),
    /// The planner failed.
    Failed(DataFusionError),
}

impl From<DataFusionError> for Lost {
    fn from(error: DataFusionError) -> Self {
        Self::Failed(error)
    }
}

/// The table or view `name` with [`ORIGIN_COLUMNS`] beside its own.
///
/// # Errors
/// `Unsupported` where its rows are not rows of a table any more.
pub(super) fn traced_scan(name: &TableName, scope: &Scope) -> Result<LogicalPlan> {
    let plan = scan(name, scope)?;
    traced(&plan, scope).map_err(|lost| match lost {
        Lost::Failed(error) => from_datafusion(&error),
        Lost::Because(why) => {
            Error::new(ErrorKind::Unsupported, format!("the rows of `{name}` cannot be followed to their files: {why}"))
                .with_hint("`provenance=full` on the metric lists the runs and files under it")
        }
    })
}

fn traced(plan: &LogicalPlan, scope: &Scope) -> Result<LogicalPlan, Lost> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let lost = || Lost::Because(format!("`{}` has no hidden columns", scan.table_name));
            let source = scope.traced.get(&scan.table_name).cloned().ok_or_else(lost)?;
            let mut columns: Vec<Expr> = scan.projected_schema.columns().into_iter().map(Expr::Column).collect();
            let table = scan.table_name.to_string();
            let hidden = [lit(table), ident(RUN_COLUMN), ident(FILE_COLUMN), ident(LINE_COLUMN)];
            columns.extend(hidden.into_iter().zip(ORIGIN_COLUMNS).map(|(expr, name)| expr.alias(name)));
            Ok(LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.project(columns)?.build()?)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = LogicalPlanBuilder::from(traced(&alias.input, scope)?).alias(alias.alias.clone())?;
            // Under the alias like any column, and above it again as they were.
            let mut columns: Vec<Expr> = alias.schema.columns().into_iter().map(Expr::Column).collect();
            let under = |name: &str| Expr::Column(Column::new(Some(alias.alias.clone()), name)).alias(name);
            columns.extend(ORIGIN_COLUMNS.map(under));
            Ok(input.project(columns)?.build()?)
        }
        LogicalPlan::Projection(projection) => {
            let input = traced(&projection.input, scope)?;
            let columns = projection.expr.iter().cloned().chain(ORIGIN_COLUMNS.map(ident));
            Ok(LogicalPlanBuilder::from(input).project(columns.collect::<Vec<_>>())?.build()?)
        }
        LogicalPlan::Filter(_) | LogicalPlan::Window(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            let inputs = plan.inputs().into_iter().map(|input| traced(input, scope)).collect::<Result<Vec<_>, _>>()?;
            Ok(plan.with_new_exprs(plan.expressions(), inputs)?)
        }
        LogicalPlan::Join(join) => {
            let (left, right) = match join.join_type {
                JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => {
                    (traced(&join.left, scope)?, join.right.as_ref().clone())
                }
                JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => {
                    (join.left.as_ref().clone(), traced(&join.right, scope)?)
                }
                other => return Err(Lost::Because(format!("a {other} join has rows of neither side"))),
            };
            Ok(plan.with_new_exprs(plan.expressions(), vec![left, right])?)
        }
        LogicalPlan::Union(union) => {
            let mut whole: Option<LogicalPlanBuilder> = None;
            for input in &union.inputs {
                let columns = input.schema().columns().into_iter().map(Expr::Column).chain(ORIGIN_COLUMNS.map(ident));
                let part = LogicalPlanBuilder::from(traced(input, scope)?).project(columns.collect::<Vec<_>>())?;
                whole = Some(match whole {
                    None => part,
                    Some(whole) => whole.union(part.build()?)?,
                });
            }
            let whole = whole.ok_or_else(|| Lost::Because("a union has no parts".into()))?;
            Ok(whole.build()?)
        }
        LogicalPlan::Aggregate(_) => {
            Err(Lost::Because("it groups rows, so that a row of it stands for several".into()))
        }
        LogicalPlan::Distinct(_) => Err(Lost::Because("it keeps one of several equal rows".into())),
        other => Err(Lost::Because(format!("its rows are made by `{}`", other.display()))),
    }
}
