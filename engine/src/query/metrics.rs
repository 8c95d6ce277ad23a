//! Metrics for one principal: models are typed over the contracts, answered over the pinned tables.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::check::plan_views;
use super::context::QueryContext;
use super::prepared::Prepared;
use super::scope::{Pins, Resolver, Scope, reference};
use super::translate::from_datafusion;
use crate::catalog::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{self, Principal};
use crate::project::{Diagnostics, Project};
use crate::semantic::{MetricAnswer, MetricPlan, MetricQuery, MetricSummary, Models, TableShape};

/// What a project's SQL says without its data.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) models: Models,
    /// Views that rest, over whatever other views, on synthetic tables.
    pub(crate) synthetic_views: HashSet<TableName>,
}

/// Plans the project's views and types its models. Faults of both go to `diagnostics`.
pub(crate) async fn compile(project: &Project, state: &SessionState, diagnostics: &mut Diagnostics) -> Compiled {
    let mut synthetic_views = HashSet::new();
    let mut shapes = HashMap::new();
    for table in &project.tables {
        let (schema, primary_key) = (table.def.arrow_schema(), table.def.primary_key.clone());
        let shape = TableShape { schema, synthetic: table.def.synthetic, primary_key, view: None };
        shapes.insert(table.def.name.clone(), shape);
    }
    let principal = Principal::system();
    let resolver = Resolver::of_contracts(project, &principal, state);
    for (name, schema) in plan_views(project, state, diagnostics).await {
        let mut scope = Scope::default();
        // A view that planned resolves.
        let reached = resolver.resolve_names(std::slice::from_ref(&name), &mut scope).await.is_ok();
        let synthetic = reached
            && project.tables.iter().any(|table| table.def.synthetic && scope.source(&table.def.name).is_some());
        if synthetic {
            synthetic_views.insert(name.clone());
        }
        let view = scope.source(&name).map(|source| super::views::shape(source.as_ref()));
        shapes.insert(name, TableShape { schema, synthetic, primary_key: Vec::new(), view });
    }
    Compiled { models: Models::compile(project, &shapes, state, diagnostics), synthetic_views }
}

/// Checks what names the metrics of `models`: dashboards and alerts. Faults go to `diagnostics`.
pub(crate) async fn check_uses(
    project: &Project,
    models: &Models,
    state: &SessionState,
    today: NaiveDate,
    diagnostics: &mut Diagnostics,
) {
    let principal = Principal::system();
    let resolver = Resolver::of_contracts(project, &principal, state);
    super::dashboards::check_dashboards(models, resolver, today, diagnostics).await;
    super::alerts::check_alerts(models, resolver, today, diagnostics).await;
}

impl QueryContext {
    /// Asks a metric. Everything about the answer but its rows is known when this returns; rows stream, under the same
    /// limits as those of SQL.
    ///
    /// # Errors
    /// `NotFound` for an unknown metric, `InvalidInput` for a dimension, condition, grain or range that does not fit
    /// it, each with the nearest name or what to give instead.
    pub async fn metric(&self, query: MetricQuery) -> Result<MetricAnswer> {
        let pins = self.pin_metrics([query.metric.as_str()]).await;
        // Planning holds much until it is done.
        Box::pin(self.metric_in(&pins, query)).await
    }

    /// As [`Self::metric`], with the tables at the versions that `pins` holds.
    ///
    /// # Errors
    /// As [`Self::metric`].
    pub async fn metric_in(&self, pins: &Pins, query: MetricQuery) -> Result<MetricAnswer> {
        let prepared = Box::pin(self.prepare_metric(pins, query)).await?;
        Box::pin(prepared.run()).await
    }

    /// Plans a question to a metric and does not run it.
    ///
    /// # Errors
    /// As [`Self::metric`].
    pub async fn prepare_metric(&self, pins: &Pins, query: MetricQuery) -> Result<PreparedMetric> {
        let tables = self.tables_read(&query)?;
        let models = self.engine().models();
        let rollups = models.rollups_for(&query)?;
        let today = self.engine().clock().today();
        let mut planned = None;
        let prepared = self
            .plan_in(pins, query.to_string(), &tables, &rollups, query.limit, |state, scope| {
                let _compiling = tracing::info_span!("compile metric", xiangyun.metric.name = query.metric).entered();
                let plans = tables.iter().map(|table| Ok((table.clone(), scan(table, scope)?)));
                let plans = plans.collect::<Result<_>>()?;
                let answer = models.plan_over(&query, state, &plans, &scope.rollups, today)?;
                let plan = answer.plan.clone();
                planned = Some(answer);
                Ok(plan)
            })
            .await?;
        let planned = planned.ok_or_else(|| Error::new(ErrorKind::Internal, "a metric was prepared without a plan"))?;
        Ok(PreparedMetric { planned, prepared })
    }

    /// The tables that a question reads. What may not be seen is answered as what is not there.
    ///
    /// # Errors
    /// `NotFound` for a metric, `InvalidInput` for a dimension.
    pub(super) fn tables_read(&self, query: &MetricQuery) -> Result<Vec<TableName>> {
        let summary = self.metric_summary(&query.metric)?;
        let tables = self.engine().models().tables_for(query)?;
        if !tables.iter().all(|table| policy::sees(self.principal(), table)) {
            let message = format!("metric `{}` has no such dimension", summary.name);
            let hint = format!("there are {}", summary.dimensions.join(", "));
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint));
        }
        Ok(tables)
    }

    /// The metrics this principal may ask, in the order of their names.
    pub fn metrics(&self) -> Vec<MetricSummary> {
        let mut metrics = self.engine().models().summaries_seen(|table| policy::sees(self.principal(), table));
        metrics.retain(|metric| self.may_ask(&metric.name));
        metrics
    }

    /// The metric called `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, for one that there is not or that this principal may not ask.
    pub fn metric_summary(&self, name: &str) -> Result<MetricSummary> {
        let summary = self.engine().models().summary_seen(name, |table| policy::sees(self.principal(), table))?;
        if self.may_ask(name) {
            return Ok(summary);
        }
        Err(Error::new(ErrorKind::NotFound, format!("there is no metric `{name}`")))
    }

    /// Who may read all tables under a metric may ask it.
    fn may_ask(&self, name: &str) -> bool {
        let tables = self.engine().models().tables(name).unwrap_or_default();
        tables.iter().all(|table| policy::sees(self.principal(), table))
    }
}

/// A question to a metric that was planned and not run. Dropping it cancels the query.
pub struct PreparedMetric {
    planned: MetricPlan,
    prepared: Prepared,
}

impl PreparedMetric {
    /// What is to be run.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Ends the query: the caller has the answer already.
    pub fn unchanged(self) {
        self.prepared.unchanged();
    }

    /// Runs it. Rows stream.
    ///
    /// # Errors
    /// As [`Prepared::run`].
    pub async fn run(self) -> Result<MetricAnswer> {
        let MetricPlan { metric, regions, grain, columns, synthetic, rollups, .. } = self.planned;
        let result = self.prepared.run().await?;
        Ok(MetricAnswer { metric, regions, grain, columns, synthetic, rollups, result })
    }
}

/// The pinned table, or the view over pinned tables.
pub(super) fn scan(table: &TableName, scope: &Scope) -> Result<LogicalPlan> {
    let source = scope
        .source(table)
        .ok_or_else(|| Error::new(ErrorKind::Internal, format!("`{table}` was pinned and is not in the scope")))?;
    LogicalPlanBuilder::scan(reference(table), source, None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| from_datafusion(&error))
}
