//! A statement that was planned and not run: what it reads is known, and whether the caller has the answer already.

use std::sync::Arc;

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::cache::{CacheUse, ResultKey, keeping};
use super::lanes::Lane;
use super::result::{Basis, QueryResult, QueryStatus, TableVersion};
use super::run::{Ticket, replayed, run};
use super::sink::QueryOutcome;
use crate::catalog::TableName;
use crate::engine::Engine;
use crate::error::Result;
use crate::policy::{self, Principal};

/// A planned statement. Dropping it cancels the query.
pub struct Prepared {
    pub(super) engine: Engine,
    pub(super) state: SessionState,
    pub(super) plan: LogicalPlan,
    pub(super) tables: Vec<TableVersion>,
    pub(super) reached: Vec<TableName>,
    pub(super) ticket: Ticket,
    pub(super) lane: Lane,
    pub(super) key: Option<ResultKey>,
}

impl Prepared {
    /// The query's id.
    pub fn id(&self) -> Uuid {
        self.ticket.id()
    }

    /// The tables it reads, each at one version.
    pub fn tables(&self) -> &[TableVersion] {
        &self.tables
    }

    /// Tells this question over these versions for this principal from every other, in hexadecimal. None where the
    /// answer depends on more: the time, chance, or what the platform knows of itself.
    pub fn fingerprint(&self) -> Option<String> {
        Some(self.key?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Ends the query: the caller has the answer already.
    pub fn unchanged(mut self) {
        self.ticket.close(0, QueryOutcome::Unchanged, None);
    }

    /// Runs it. Rows stream.
    ///
    /// # Errors
    /// `Busy` where too many wait for a slot of the class; `LimitExceeded` for limits.
    pub async fn run(self) -> Result<QueryResult> {
        let Self { engine, state, plan, tables, reached, ticket, lane, key } = self;
        let cache = engine.cache();
        let uses = |used| {
            ticket.uses(used);
            engine.cache_uses().count(used);
        };
        let Some(key) = key.filter(|_| cache.is_on()) else {
            uses(CacheUse::Bypass);
            return run(&engine, &state, plan, tables, ticket, lane).await;
        };
        let (id, statement) = (ticket.id(), ticket.statement());
        let basis = |status: &Arc<QueryStatus>, tables: &[TableVersion]| {
            let (tables, status) = (tables.into(), Arc::clone(status));
            Some(Arc::new(Basis { id, key, statement, tables, reached, status }))
        };
        if let Some(cached) = cache.get(&key) {
            let status = Arc::new(QueryStatus::default());
            let rows = cached.replay(&status);
            uses(CacheUse::Hit);
            let mut result = replayed(ticket, Arc::clone(&cached.schema), tables, status, rows);
            result.basis = basis(&result.status, &result.tables);
            return Ok(result);
        }
        uses(CacheUse::Miss);
        let mut result = run(&engine, &state, plan, tables, ticket, lane).await?;
        result.basis = basis(&result.status, &result.tables);
        let rows = std::mem::replace(&mut result.batches, futures::stream::empty().boxed());
        let (schema, status) = (Arc::clone(&result.schema), Arc::clone(&result.status));
        result.batches = keeping(Arc::clone(cache), key, schema, status, rows);
        result.cache = CacheUse::Miss;
        Ok(result)
    }
}

/// What decides the rows of `plan`: the question, the versions, the row limit, and what the principal may see. None where
/// something else does too.
pub(super) fn key(
    plan: &LogicalPlan,
    question: &str,
    tables: &[TableVersion],
    max_rows: Option<usize>,
    principal: &Principal,
) -> Option<ResultKey> {
    if matches!(plan, LogicalPlan::Analyze(_)) || !is_immutable(plan).unwrap_or(false) {
        return None;
    }
    let mut hash = Sha256::new();
    // Each part with its length, so that no two lists of parts read alike. The plan tells what views are made of, the
    // question what the plan's text leaves out.
    let versions: Vec<_> = tables.iter().map(|table| format!("{}@{}", table.name, table.version)).collect();
    let parts = [
        policy::scope(principal),
        question,
        &plan.display_indent().to_string(),
        &versions.join(","),
        &max_rows.map_or_else(String::new, |rows| rows.to_string()),
    ];
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Some(hash.finalize().into())
}

/// Whether no function of the plan depends on anything but its arguments.
pub(super) fn is_immutable(plan: &LogicalPlan) -> DataFusionResult<bool> {
    let mut immutable = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                let depends = match expression {
                    Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
                    Expr::AggregateFunction(call) => call.func.signature().volatility != Volatility::Immutable,
                    _ => false,
                };
                immutable &= !depends;
                Ok(if depends { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(immutable)
}
