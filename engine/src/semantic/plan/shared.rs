//! Several questions over one plan, and the rows that a figure is made of.

use std::collections::HashMap;

use chrono::NaiveDate;
use datafusion::execution::SessionState;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::frame::column;
use super::question::{Question, Span};
use super::{Base, MetricPlan, Planner, columns, figure_names};
use crate::catalog::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::semantic::definition::TimeGrain;
use crate::semantic::error::SemanticError;
use crate::semantic::models::Models;
use crate::semantic::query::{MetricQuery, RegionMode};
use crate::semantic::region::Regions;
use crate::semantic::rollup::RollupTable;

/// What two questions must have in common to be answered by one plan: the same scans, groups, periods and order. The
/// groups and periods of an answer follow from them alone, and not from its measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShareKey {
    by: Vec<String>,
    filter: Option<String>,
    conditions: String,
    grain: Option<TimeGrain>,
    range: (Option<NaiveDate>, Option<NaiveDate>),
    regions: Option<RegionMode>,
    order: Vec<(usize, bool)>,
    /// Set where rows are ordered by the figure, which is then nobody else's.
    ordered_by: Option<String>,
    /// Model, whether of stocks, and days of each scan.
    scans: Vec<(usize, bool, Span)>,
}

/// Several queries, planned as one.
#[derive(Debug)]
pub struct SharedPlan {
    /// The answers in the order of the queries; the plan of each is the columns of the whole that are its own.
    pub answers: Vec<MetricPlan>,
    /// The columns of `plan` that belong to each answer, in the order of the answer's columns.
    pub columns: Vec<Vec<usize>>,
    /// The plan of all of them, unoptimized.
    pub plan: LogicalPlan,
}

impl Models {
    /// What `query` must have in common with another to be answered with it.
    ///
    /// # Errors
    /// As [`Models::plan`], for what can be told without the tables.
    pub fn share_key(&self, query: &MetricQuery, session: &SessionState) -> Result<ShareKey> {
        let metric = self.metric(&query.metric)?;
        let question = Question::check(self, metric, query, session)?;
        let (tables, nodes) = (HashMap::new(), vec![&question.node]);
        let planner = Planner::of(self, &question, nodes, None, &tables, NaiveDate::default(), session);
        let mut scans: Vec<_> =
            planner.bases(&planner.leaves())?.iter().map(|base| (base.model, base.stock, base.span)).collect();
        scans.sort_unstable();
        scans.dedup();
        let figure = question.order.iter().any(|(at, _)| *at >= places_before_figure(&question));
        Ok(ShareKey {
            by: query.by.clone(),
            filter: query.filter.clone().filter(|text| !text.trim().is_empty()),
            conditions: format!("{:?}", query.conditions),
            grain: query.grain,
            range: (query.from, query.to),
            regions: question.regions,
            order: question.order.clone(),
            ordered_by: figure.then(|| query.metric.clone()),
            scans,
        })
    }

    /// Plans `queries`, all of one [`ShareKey`], as one. See [`Models::plan_over`].
    ///
    /// # Errors
    /// As [`Models::plan`].
    pub fn plan_shared(
        &self,
        queries: &[&MetricQuery],
        session: &SessionState,
        tables: &HashMap<TableName, LogicalPlan>,
        rollups: &[RollupTable],
        today: NaiveDate,
    ) -> Result<SharedPlan> {
        let checked = queries.iter().map(|query| {
            let metric = self.metric(&query.metric)?;
            Ok(Question::check(self, metric, query, session)?)
        });
        let questions = checked.collect::<Result<Vec<_>>>()?;
        let first = questions.first().ok_or_else(|| Error::new(ErrorKind::Internal, "no question to plan"))?;
        let regions = match first.regions {
            Some(mode) => Some(Regions::try_new(session, mode, today)?),
            None => None,
        };
        let nodes = questions.iter().map(|question| &question.node).collect();
        let mut planner = Planner::of(self, first, nodes, regions.as_ref(), tables, today, session);
        planner.rollups = rollups;
        let plan = planner.plan()?;
        let names = figure_names(questions.len());
        let place = |name: &str| plan.schema().index_of_column_by_name(None, name);
        let mut shared = SharedPlan { answers: Vec::new(), columns: Vec::new(), plan: plan.clone() };
        for (question, (value, reason)) in questions.iter().zip(&names) {
            let columns = columns(question);
            let keys = 0..columns.len().saturating_sub(2);
            shared.columns.push(keys.chain([place(value), place(reason)].into_iter().flatten()).collect());
            shared.answers.push(MetricPlan {
                metric: self.summarize(question.metric),
                regions: question.regions,
                grain: question.grain(),
                columns,
                synthetic: planner.is_synthetic(question.metric)?,
                rollups: planner.uses.borrow().clone(),
                plan: plan.clone(),
            });
        }
        Ok(shared)
    }

    /// The rows that the figures of `query` are made of, a plan for each scan. `tables` are those of [`Models::plan`], with
    /// the columns `kept` beside their own, which are what the plans give. Groups and order mean nothing here; a
    /// measure's own condition is not applied.
    ///
    /// # Errors
    /// As [`Models::plan`].
    pub fn rows_behind(
        &self,
        query: &MetricQuery,
        kept: &[&str],
        session: &SessionState,
        tables: &HashMap<TableName, LogicalPlan>,
        today: NaiveDate,
    ) -> Result<Vec<LogicalPlan>> {
        let metric = self.metric(&query.metric)?;
        let question = Question::check(self, metric, query, session)?;
        let regions = match question.regions {
            Some(mode) => Some(Regions::try_new(session, mode, today)?),
            None => None,
        };
        let planner = Planner::of(self, &question, vec![&question.node], regions.as_ref(), tables, today, session);
        let bases = planner.bases(&planner.leaves())?;
        let mut scans: Vec<&Base> = Vec::new();
        for base in &bases {
            // The rows of a stock are among those of a flow over the same days.
            let covers =
                |other: &&Base| (other.model, other.span) == (base.model, base.span) && (!other.stock || base.stock);
            if !scans.iter().any(covers) {
                scans.retain(|other| (other.model, other.span) != (base.model, base.span));
                scans.push(base);
            }
        }
        let mut plans = Vec::new();
        for base in scans {
            let frame = planner.frame_of(&[base], &["figure".to_owned()])?;
            let rows = LogicalPlanBuilder::from(frame.table.clone())
                .alias("source")
                .and_then(|source| frame.rows(source))
                .and_then(|rows| rows.project(kept.iter().map(|name| column(name)).collect::<Vec<_>>()))
                .and_then(LogicalPlanBuilder::build);
            plans.push(rows.map_err(|source| planner.plan_error(source))?);
        }
        Ok(plans)
    }

    /// The last day, in China, for which every model under the metric has rows: one row with one date. None for a metric
    /// without time.
    ///
    /// # Errors
    /// As [`Models::plan`].
    pub fn newest_day(&self, metric: &str, tables: &HashMap<TableName, LogicalPlan>) -> Result<Option<LogicalPlan>> {
        let metric = self.metric(metric)?;
        let explain = |source| SemanticError::Plan { metric: metric.name.clone(), source: Box::new(source) };
        let mut whole: Option<LogicalPlanBuilder> = None;
        for model in self.models_under(metric) {
            let model = &self.models[model];
            let Some(time) = &model.time else { return Ok(None) };
            let table = tables.get(&model.table).ok_or_else(|| SemanticError::MissingTable {
                metric: metric.name.clone(),
                table: model.table.to_string(),
            })?;
            let newest = LogicalPlanBuilder::from(table.clone())
                .aggregate(Vec::<Expr>::new(), [max(time.raw()).alias("latest")])
                .and_then(|rows| rows.project([time.china_date(column("latest")).alias("day")]))
                .map_err(explain)?;
            whole = Some(match whole {
                None => newest,
                Some(others) => newest.build().and_then(|newest| others.union(newest)).map_err(explain)?,
            });
        }
        let Some(whole) = whole else { return Ok(None) };
        let day = whole
            .aggregate(Vec::<Expr>::new(), [min(column("day")).alias("newest")])
            .and_then(LogicalPlanBuilder::build);
        Ok(Some(day.map_err(explain)?))
    }
}

/// Columns that can be ordered by and stand before the figure.
fn places_before_figure(question: &Question<'_>) -> usize {
    let labels = question.keys.iter().filter(|key| key.label().is_some()).count();
    usize::from(question.periods.is_some()) + question.keys.len() + labels
}
