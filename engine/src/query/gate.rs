//! The second gate: whatever a statement looked like, its plan may hold reading nodes only.

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::error::QueryError;

/// Refuses a plan with a node that is not on the allow-list, at any depth, subqueries included.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        Ok::<_, DataFusionError>(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (refused, walked) {
        (Some(what), _) => Err(QueryError::Refused {
            what: what.into(),
            instead: "use SELECT, WITH, VALUES or EXPLAIN",
            position: None,
        }),
        (None, Ok(_)) => Ok(()),
        (None, Err(source)) => Err(QueryError::Runtime { source }),
    }
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
