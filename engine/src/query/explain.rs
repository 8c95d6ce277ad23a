//! What a metric query would run, without running it.

use std::sync::Arc;

use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::displayable;
use indexmap::IndexMap;

use super::context::QueryContext;
use super::metrics::scan;
use super::planner;
use super::request::AsOf;
use super::result::TableVersion;
use super::scope::{Data, Pins, Resolver, Scope, reference};
use super::stack::Roomy;
use super::statement::ReadStatement;
use super::translate::from_datafusion;
use super::written::written;
use crate::error::{Error, ErrorKind, Result};
use crate::semantic::{MetricPlan, MetricQuery, MetricSummary, RollupState, RollupUse};

/// What a metric query would run.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MetricExplanation {
    /// What was asked about.
    pub metric: MetricSummary,
    /// The tables it would read, each at one version.
    pub tables: Vec<TableVersion>,
    /// The rollups that it would be read from, and those that would answer if they were not behind.
    pub rollups: Vec<RollupUse>,
    /// A statement that gives the same figures; none where the plan has no form in SQL.
    pub sql: Option<String>,
    /// Why there is no statement.
    pub sql_missing: Option<String>,
    /// The logical plan.
    pub logical_plan: String,
    /// The operators that would run.
    pub physical_plan: String,
}

impl QueryContext {
    /// What `query` would run over the tables of `pins`. Nothing is read but the tables' logs.
    ///
    /// # Errors
    /// As [`Self::metric`].
    pub async fn explain_metric(&self, pins: &Pins, query: &MetricQuery) -> Result<MetricExplanation> {
        let work = Roomy::new(self.explained(pins, query));
        match tokio::time::timeout(self.engine().limits().timeout, work).await {
            Ok(explained) => explained,
            Err(_) => Err(Error::new(ErrorKind::LimitExceeded, "the question could not be planned in time")),
        }
    }

    async fn explained(&self, pins: &Pins, query: &MetricQuery) -> Result<MetricExplanation> {
        let metric = self.metric_summary(&query.metric)?;
        let models = self.engine().models();
        let tables = self.tables_read(query)?;
        let today = self.engine().clock().today();
        let state = self.engine().runtime().session(self.engine().clock().now());
        let resolver = Resolver { data: Data::Pinned(pins), ..self.resolver(&state, &AsOf::Now) };
        let mut scope = Scope::default();
        resolver.resolve_names(&tables, &mut scope).await?;
        let scans = tables.iter().map(|table| Ok((table.clone(), scan(table, &scope)?)));
        let at_hand = self.rollups_at_hand(pins, &models.rollups_for(query)?).await;
        let MetricPlan { plan: planned, rollups, .. } =
            models.plan_over(query, &state, &scans.collect::<Result<_>>()?, &at_hand, today)?;
        let is_rolled = rollups.iter().any(|rollup| rollup.state == RollupState::Used);
        super::gate::check_plan(&planned)?;
        let limited = match query.limit {
            Some(rows) => LogicalPlanBuilder::from(planned.clone())
                .limit(0, Some(rows))
                .and_then(LogicalPlanBuilder::build)
                .map_err(|error| from_datafusion(&error))?,
            None => planned,
        };
        let physical = state.create_physical_plan(&limited).await.map_err(|error| from_datafusion(&error))?;
        let by_name = tables.iter().map(|table| Ok((table.clone(), by_name(table, &scope)?)));
        let nameable = models.plan(query, &state, &by_name.collect::<Result<_>>()?, today)?.plan;
        let sql = match written(&nameable, query.limit) {
            Ok(sql) => match check(&sql, self.engine().limits().sql_bytes, &resolver, &state, &limited).await {
                Ok(()) => Ok(sql),
                Err(error) => Err(format!("the plan could be written as SQL, but not read back: {}", error.chain())),
            },
            Err(error) => {
                Err(Error::new(ErrorKind::Unsupported, "the plan cannot be written as SQL").with_source(error).chain())
            }
        };
        let (sql, sql_missing) = match sql {
            Ok(sql) => (Some(sql), None),
            Err(reason) => (None, Some(reason)),
        };
        Ok(MetricExplanation {
            metric,
            tables: scope.versions,
            rollups,
            sql,
            sql_missing,
            logical_plan: if is_rolled { limited } else { nameable }.display_indent().to_string(),
            physical_plan: displayable(physical.as_ref()).indent(false).to_string(),
        })
    }
}

/// A scan of the table or view that stays one: a view is not replaced by what it selects.
fn by_name(table: &crate::catalog::TableName, scope: &Scope) -> Result<LogicalPlan> {
    let source = scope.source(table).map(|source| source.schema());
    let schema = source.ok_or_else(|| Error::new(ErrorKind::Internal, format!("`{table}` was not resolved")))?;
    let empty = provider_as_source(Arc::new(EmptyTable::new(schema)));
    LogicalPlanBuilder::scan(reference(table), empty, None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| from_datafusion(&error))
}

/// Plans the statement as a query would be, and compares the columns: what is shown can be run.
async fn check(
    sql: &str,
    sql_bytes: usize,
    resolver: &Resolver<'_>,
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<()> {
    let read = ReadStatement::parse(sql, sql_bytes)?;
    let mut scope = Scope::default();
    resolver.resolve(&read, &mut scope).await?;
    let planned = planner::plan(state, &scope, read, &IndexMap::new())?;
    let columns = |plan: &LogicalPlan| -> Vec<_> {
        plan.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    if columns(&planned) == columns(plan) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "its columns have other names or types"))
}
