//! The `where` of a metric query: a condition over dimensions, and nothing else.
//!
//! The text is parsed by the session's SQL planner against a schema that holds the metric's dimensions only, then
//! every node of the typed expression is held against a short list. A table's column, a function or a subquery
//! therefore has no way in, and no part of the text reaches another parser.

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Operator};

use super::error::SemanticError;
use super::expression::{Fault, read, type_of};

/// Bytes of a condition that are read. Generous for people, and too short to overflow a stack.
const MAX_BYTES: usize = 4 << 10;

/// A condition over dimension names; `region.prefecture` is one name.
#[derive(Debug, Clone)]
pub(super) struct Filter(Expr);

impl Filter {
    /// Parses `sql` over `fields`, the names that may be used with their types.
    pub(super) fn parse(
        sql: &str,
        metric: &str,
        fields: &[(String, DataType)],
        session: &SessionState,
    ) -> Result<Self, SemanticError> {
        if sql.len() > MAX_BYTES {
            return Err(SemanticError::LongFilter { size_bytes: sql.len(), limit_bytes: MAX_BYTES });
        }
        let invalid = |error: DataFusionError| match unknown_name(&error) {
            Some(name) => SemanticError::UnknownDimension {
                metric: metric.into(),
                name,
                available: fields.iter().map(|(name, _)| name.clone()).collect(),
            },
            None => SemanticError::InvalidFilter { reason: Fault::from(error).message },
        };
        let schema = Schema::new(fields.iter().map(|(name, t)| Field::new(name, t.clone(), true)).collect::<Vec<_>>());
        let schema = DFSchema::try_from(schema).map_err(invalid)?;
        let expr = read(sql, &schema, session).map_err(invalid)?;
        check(&expr)?;
        let data_type =
            type_of(session, &expr, &schema).map_err(|fault| SemanticError::InvalidFilter { reason: fault.message })?;
        if data_type != DataType::Boolean {
            return Err(SemanticError::InvalidFilter { reason: format!("it is {data_type}, not true or false") });
        }
        Ok(Self(expr))
    }

    /// A condition that was compiled over dimension names.
    pub(super) fn of(condition: Expr) -> Self {
        Self(condition)
    }

    /// This one and `other`.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }

    /// The names it uses, as in `by`.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.column_refs().into_iter().map(|column| column.name.clone()).collect()
    }

    /// The condition with each name replaced by the expression that `meaning` gives.
    pub(super) fn over(&self, meaning: impl Fn(&str) -> Option<Expr>) -> Result<Expr, DataFusionError> {
        let replaced = self.0.clone().transform_up(|node| {
            Ok(match &node {
                Expr::Column(column) => match meaning(column.name()) {
                    Some(expr) => Transformed::yes(expr),
                    None => Transformed::no(node),
                },
                _ => Transformed::no(node),
            })
        })?;
        Ok(replaced.data)
    }
}

fn unknown_name(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } => Some(field.flat_name().replace('"', "")),
            _ => None,
        },
        _ => None,
    }
}

/// Holds every node against the list of what may stand in a condition.
fn check(expr: &Expr) -> Result<(), SemanticError> {
    let mut forbidden = None;
    let walked = expr.apply(|node| {
        forbidden = match node {
            Expr::Column(_)
            | Expr::Literal(..)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Like(_) => None,
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::And
                | Operator::Or
                | Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
                | Operator::IsDistinctFrom
                | Operator::IsNotDistinctFrom => None,
                other => Some(format!("the operator `{other}`")),
            },
            // `date '2019-03-26'` and `-1` are literals to whoever writes them.
            Expr::Cast(cast) if matches!(*cast.expr, Expr::Literal(..)) => None,
            Expr::Negative(inner) if matches!(**inner, Expr::Literal(..)) => None,
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
                Some("a subquery".into())
            }
            Expr::ScalarFunction(call) => Some(format!("the function `{}`", call.name())),
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) => Some("an aggregate".into()),
            Expr::Placeholder(_) => Some("a parameter".into()),
            _ => Some(format!("`{node}`")),
        };
        Ok(if forbidden.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (walked, forbidden) {
        (_, Some(what)) => Err(SemanticError::ForbiddenFilter { what }),
        (Err(error), None) => Err(SemanticError::InvalidFilter { reason: Fault::from(error).message }),
        (Ok(_), None) => Ok(()),
    }
}
