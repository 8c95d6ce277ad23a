//! SQL expressions of model files: parsed and typed by the session's own planner, never glued as text.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    EmptyRelation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Volatility,
};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, visit_expressions_mut};

use super::error::suggest;
use super::sketched::{Sketched, by_sketch, is_estimate};
use crate::functions::sketches::SketchKind;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<DataFusionError> for Fault {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { field, valid_fields } => {
                    // The planner quotes a name with a dot.
                    let shown = |column: &Column| column.flat_name().replace('"', "");
                    let names: Vec<_> = valid_fields.iter().map(shown).collect();
                    Self::new(format!("there is no column `{}`", shown(field))).hint(suggest(&shown(field), &names))
                }
                other => Self::new(other.to_string()),
            },
            root => {
                // The parser's message and the first line of the planner's: what follows lists candidates.
                let text = root.strip_backtrace();
                let text = text.trim_start_matches("Error during planning: ").trim_start_matches("SQL error: ");
                Self::new(text.lines().next().unwrap_or_default())
            }
        }
    }
}

/// Parses `sql` over `schema`, taking a dotted name as one name rather than as a column of a table.
pub(super) fn read(sql: &str, schema: &DFSchema, session: &SessionState) -> Result<Expr, DataFusionError> {
    let dialect = session.config_options().sql_parser.dialect;
    let mut parsed = session.sql_to_expr_with_alias(sql, &dialect)?;
    let _ = visit_expressions_mut(&mut parsed.expr, |node| {
        if let SqlExpr::CompoundIdentifier(parts) = node {
            let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
            *node = SqlExpr::Identifier(Ident::with_quote('"', name));
        }
        ControlFlow::<()>::Continue(())
    });
    session.create_logical_expr_from_sql_expr(parsed, schema)
}

/// Parses `sql` over `schema`. Subqueries, window functions, parameters and volatile functions are refused.
pub(super) fn parse(session: &SessionState, sql: &str, schema: &DFSchema) -> Result<Expr, Fault> {
    let expr = read(sql, schema, session)?;
    let mut fault = None;
    expr.apply(|node| {
        let what = match node {
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => "a subquery",
            Expr::WindowFunction(_) => "a window function",
            Expr::Placeholder(_) => "a parameter",
            Expr::ScalarVariable(..) => "a variable",
            Expr::Unnest(_) => "unnest",
            node if node.is_volatile_node() => "a function whose result changes from call to call",
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        fault = Some(Fault::new(format!("an expression of a model may not hold {what}")));
        Ok(TreeNodeRecursion::Stop)
    })?;
    match fault {
        Some(fault) => Err(fault),
        None => Ok(expr.unalias()),
    }
}

/// Parses an expression about one row, and gives its type.
pub(super) fn parse_scalar(session: &SessionState, sql: &str, schema: &DFSchema) -> Result<(Expr, DataType), Fault> {
    let expr = parse(session, sql, schema)?;
    if has_aggregate(&expr)? {
        return Err(Fault::new("an aggregate cannot stand here").hint("aggregates belong into `measures`"));
    }
    let plan = LogicalPlanBuilder::from(empty(schema)?).project([expr.clone().alias("value")])?.build()?;
    let checked = analyze(session, plan)?;
    let data_type = checked.schema().field(0).data_type().clone();
    Ok((expr, data_type))
}

/// A measure: its aggregates, and the figure made of them.
#[derive(Debug, Clone)]
pub(super) struct Aggregation {
    /// The aggregates, each under its alias.
    pub(super) aggregates: Vec<Expr>,
    /// The figure, over columns named by those aliases.
    pub(super) figure: Expr,
    /// Type of the figure.
    pub(super) data_type: DataType,
    /// Whether the figure of a whole is the sum of the figures of its parts: sums and counts, added, subtracted or
    /// scaled by constants. Averages, extremes, quantiles and distinct counts are not.
    pub(super) additive: bool,
    /// Whether the figure over no rows is zero: sums and counts, distinct ones too.
    pub(super) zero_of_nothing: bool,
    /// Whether any of the aggregates is an estimate.
    pub(super) approximate: bool,
    /// Where the figure is read from one sketch, that sketch over the same columns: the figure of a whole is the one of
    /// the sketches of its parts, put together.
    pub(super) sketch: Option<Sketched>,
}

impl Aggregation {
    /// Why its figures are not added up, in words that follow a colon, and what can be done about it.
    pub(super) fn why_not_added(&self) -> (String, Option<&'static str>) {
        let distinct = |function: &AggregateFunction| function.params.distinct;
        let sketch = |function: &AggregateFunction| SketchKind::made_by(function.func.name());
        let functions = self.aggregates.iter().filter_map(|aggregate| match aggregate {
            Expr::Alias(alias) => match alias.expr.as_ref() {
                Expr::AggregateFunction(function) => Some(function),
                _ => None,
            },
            _ => None,
        });
        let not_added: Vec<_> =
            functions.filter(|f| distinct(f) || !matches!(f.func.name(), "sum" | "count")).collect();
        match not_added.first() {
            Some(function) if distinct(function) => {
                let hint = "`approx_distinct(x)` counts with an error of 0.8 % and can be put together over periods";
                ("a distinct count would count what occurs in two periods twice".into(), Some(hint))
            }
            Some(function) if sketch(function) == Some(SketchKind::Distinct) => {
                let hint = "let the measure be `approx_distinct(x)` alone, and compute with it in a derived metric";
                ("an estimate that is computed with is not one of distinct values any more".into(), Some(hint))
            }
            Some(function) if sketch(function) == Some(SketchKind::Percentile) => {
                let hint = "let the measure be the percentile alone, and compute with it in a derived metric";
                ("an estimate that is computed with is not one of a percentile any more".into(), Some(hint))
            }
            Some(function) => {
                let name = function.func.name();
                let hint = "`approx_percentile_cont(q) WITHIN GROUP (ORDER BY x)` has an error of 1 % and can be put \
                            together over periods";
                let is_percentile = matches!(name, "median" | "percentile_cont");
                (format!("the `{name}` of a year is not the sum of its months'"), is_percentile.then_some(hint))
            }
            None => ("a quotient or product of sums is not one".into(), None),
        }
    }
}

/// Parses an expression about a group of rows; its aggregates get aliases that begin with `prefix`.
pub(super) fn parse_aggregate(
    session: &SessionState,
    sql: &str,
    schema: &DFSchema,
    prefix: &str,
) -> Result<Aggregation, Fault> {
    let expr = parse(session, sql, schema)?;
    let mut aggregates: Vec<Expr> = Vec::new();
    let additive = is_linear(&expr, &is_added);
    let zero_of_nothing = is_linear(&expr, &is_zero_of_nothing);
    let figure = by_sketch(expr)?
        .transform_down(|node| {
            if !matches!(node, Expr::AggregateFunction(_)) {
                return Ok(Transformed::no(node));
            }
            let place = aggregates.iter().position(|known| *known == node).unwrap_or_else(|| {
                aggregates.push(node);
                aggregates.len() - 1
            });
            let column = Expr::Column(Column::new_unqualified(aggregate_name(prefix, place)));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })?
        .data;
    if aggregates.is_empty() {
        return Err(Fault::new("a measure must aggregate").hint("as in `count(*)` or `sum(amount)`"));
    }
    let loose = figure.column_refs().into_iter().find(|column| schema.has_column(column));
    if let Some(column) = loose {
        return Err(Fault::new(format!("column `{}` stands outside an aggregate", column.name())));
    }
    let aggregates: Vec<_> =
        aggregates.into_iter().enumerate().map(|(i, e)| e.alias(aggregate_name(prefix, i))).collect();
    let plan = LogicalPlanBuilder::from(empty(schema)?)
        .aggregate(Vec::<Expr>::new(), aggregates.clone())?
        .project([figure.clone().alias("value")])?
        .build()?;
    let data_type = analyze(session, plan)?.schema().field(0).data_type().clone();
    let approximate = aggregates.iter().any(|aggregate| {
        let estimates = |node: &Expr| matches!(node, Expr::AggregateFunction(function) if is_estimate(function));
        aggregate.exists(|node| Ok(estimates(node))).unwrap_or(false)
    });
    let sketch = Sketched::of(&figure, &aggregates);
    let zero_of_nothing = zero_of_nothing || sketch.as_ref().is_some_and(|sketch| sketch.kind.of_nothing().is_some());
    Ok(Aggregation { aggregates, figure, data_type, additive, zero_of_nothing, approximate, sketch })
}

fn aggregate_name(prefix: &str, place: usize) -> String {
    format!("{prefix}#{place}")
}

/// Whether any aggregate is in `expr`.
fn has_aggregate(expr: &Expr) -> Result<bool, DataFusionError> {
    expr.exists(|node| Ok(matches!(node, Expr::AggregateFunction(_))))
}

/// Aggregates of a whole that are the sum of those of its parts.
fn is_added(function: &AggregateFunction) -> bool {
    matches!(function.func.name(), "sum" | "count") && !function.params.distinct
}

/// Aggregates that are zero over no rows.
fn is_zero_of_nothing(function: &AggregateFunction) -> bool {
    matches!(function.func.name(), "sum" | "count" | "approx_distinct")
}

/// Whether `expr` is made of aggregates that `fits` accepts, added, subtracted or scaled by constants.
fn is_linear(expr: &Expr, fits: &dyn Fn(&AggregateFunction) -> bool) -> bool {
    match expr {
        Expr::AggregateFunction(function) => fits(function),
        Expr::Alias(alias) => is_linear(&alias.expr, fits),
        Expr::Negative(inner) => is_linear(inner, fits),
        Expr::Cast(cast) => is_linear(&cast.expr, fits),
        Expr::BinaryExpr(binary) => {
            let constant = |e: &Expr| e.column_refs().is_empty() && !has_aggregate(e).unwrap_or(true);
            let (left, right) = (&binary.left, &binary.right);
            match binary.op {
                Operator::Plus | Operator::Minus => is_linear(left, fits) && is_linear(right, fits),
                Operator::Multiply => {
                    (is_linear(left, fits) && constant(right)) || (constant(left) && is_linear(right, fits))
                }
                Operator::Divide => is_linear(left, fits) && constant(right),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Runs the planner's own checks: names, function signatures, type coercion.
fn analyze(session: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    session.analyzer().execute_and_check(plan, session.config_options(), |_, _| {})
}

fn empty(schema: &DFSchema) -> Result<LogicalPlan, DataFusionError> {
    let relation = EmptyRelation { produce_one_row: false, schema: std::sync::Arc::new(schema.clone()) };
    Ok(LogicalPlan::EmptyRelation(relation))
}

/// Whether figures can be computed from it.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// Type of the aggregate `expr` over `schema`, coerced as the planner would.
pub(super) fn aggregate_type(session: &SessionState, expr: &Expr, schema: &DFSchema) -> Result<DataType, Fault> {
    let plan = LogicalPlanBuilder::from(empty(schema)?).aggregate(Vec::<Expr>::new(), [expr.clone()])?.build()?;
    Ok(analyze(session, plan)?.schema().field(0).data_type().clone())
}

/// Whether `expr` depends on nothing but a row: neither on the time nor on chance.
pub(super) fn is_immutable(expr: &Expr) -> bool {
    let depends = expr.exists(|node| {
        Ok(match node {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::AggregateFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            _ => false,
        })
    });
    !depends.unwrap_or(true)
}

/// Type of `expr` over `schema`, coerced as the planner would.
pub(super) fn type_of(session: &SessionState, expr: &Expr, schema: &DFSchema) -> Result<DataType, Fault> {
    let plan = LogicalPlanBuilder::from(empty(schema)?).project([expr.clone().alias("value")])?.build()?;
    let plan = analyze(session, plan)?;
    Ok(plan.expressions().first().map_or(Ok(DataType::Null), |expr| expr.get_type(plan.inputs()[0].schema()))?)
}
