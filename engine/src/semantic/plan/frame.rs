//! One model's part of an answer: a row for each group and period, a column for each measure. One scan gives all
//! measures of a model; periods without rows are filled in behind the aggregation, on few rows.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::functions_nested::expr_fn::gen_series;
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, JoinType, LogicalPlan, LogicalPlanBuilder, WindowFunctionDefinition, WindowUDF, cast, lit,
    when,
};
use std::sync::Arc;

use super::fill_limit::bounded;
use super::question::Span;
use crate::semantic::definition::{EmptyPeriods, TimeGrain};
use crate::semantic::model::{Measure, Model, TimeColumn};
use crate::semantic::period::date;

/// Name of the period's column.
pub(super) const PERIOD: &str = "period";

/// What to compute over one model.
pub(super) struct Frame<'a> {
    pub(super) model: &'a Model,
    /// The table or view as the principal may see it.
    pub(super) table: LogicalPlan,
    /// The groups: expressions over the table, each with the name of its column.
    pub(super) keys: Vec<(Expr, String)>,
    pub(super) filter: Option<Expr>,
    pub(super) grain: Option<TimeGrain>,
    pub(super) span: Span,
    /// Whether the measures are stocks: only the rows of the last day of each period count.
    pub(super) stock: bool,
    /// The measures, each with the name of its column.
    pub(super) measures: Vec<(&'a Measure, String)>,
}

/// A column by its bare name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

impl Frame<'_> {
    /// The plan, with the period (where there is a grain), the keys and the measures as its columns.
    pub(super) fn plan(self) -> Result<LogicalPlan> {
        let source = LogicalPlanBuilder::from(self.table.clone()).alias("source")?;
        let rows = self.rows(source.clone())?;
        let figures = self.aggregate(rows)?;
        match (self.grain, &self.model.time) {
            (Some(grain), Some(time)) => self.fill(figures, source, time, grain)?.build(),
            _ => figures.build(),
        }
    }

    /// The rows of `source`, which is the table, that the measures look at.
    pub(super) fn rows(&self, source: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let mut rows = source;
        if let Some(time) = &self.model.time {
            if let Some(range) = time.within(self.span.first, self.span.last) {
                rows = rows.filter(range)?;
            }
            if self.grain.is_some() {
                rows = rows.filter(time.raw().is_not_null())?;
            }
            if self.stock {
                rows = last_days(rows, time, self.grain)?;
            }
        }
        if let Some(filter) = self.filter.clone() {
            rows = rows.filter(filter)?;
        }
        Ok(rows)
    }

    fn key_columns(&self) -> Vec<Expr> {
        self.keys.iter().map(|(_, name)| column(name)).collect()
    }

    fn aggregate(&self, rows: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let mut groups: Vec<_> = self.keys.iter().map(|(expr, name)| expr.clone().alias(name)).collect();
        if let (Some(grain), Some(time)) = (self.grain, &self.model.time) {
            groups.push(grain.truncate(time.china_date(time.raw())).alias(PERIOD));
        }
        let mut aggregates: Vec<_> =
            self.measures.iter().flat_map(|(measure, _)| measure.aggregation.aggregates.clone()).collect();
        // Without keys there is a row even where there are no rows: the count tells a true zero from nothing.
        let may_be_empty = groups.is_empty();
        if may_be_empty {
            aggregates.push(count(lit(1)).alias("rows"));
        }
        let mut columns: Vec<_> = self.key_columns();
        columns.extend(self.grain.map(|_| column(PERIOD)));
        for (measure, name) in &self.measures {
            let figure = measure.aggregation.figure.clone();
            let figure = if may_be_empty { present(column("rows").gt(lit(0)), figure, measure)? } else { figure };
            columns.push(figure.alias(name));
        }
        rows.aggregate(groups, aggregates)?.project(columns)
    }

    /// Adds the periods that a group lacks between the first and the last period of the whole table.
    ///
    /// Each row brings the periods up to the group's next row, and a group's first row those before it, so that no
    /// join with a calendar and no second scan of the rows is needed.
    fn fill(
        &self,
        figures: LogicalPlanBuilder,
        source: LogicalPlanBuilder,
        time: &TimeColumn,
        grain: TimeGrain,
    ) -> Result<LogicalPlanBuilder> {
        let neighbour = |function: Arc<WindowUDF>, name: &str| -> Result<Expr> {
            let function = WindowFunctionDefinition::WindowUDF(function);
            let call = Expr::from(WindowFunction::new(function, vec![column(PERIOD)]));
            let call = call.partition_by(self.key_columns()).order_by(vec![column(PERIOD).sort(true, false)]);
            Ok(call.build()?.alias(name))
        };
        let (previous, next) = (neighbour(lag_udwf(), "previous")?, neighbour(lead_udwf(), "next")?);
        let (first, last) = (column("first"), column("last"));
        let from = when(column("previous").is_null(), first).otherwise(column(PERIOD))?;
        let to = when(column("next").is_null(), last).otherwise(column("next") - lit(grain.step()))?;
        let mut with_series = self.key_columns();
        with_series.push(column(PERIOD));
        with_series.extend(self.measures.iter().map(|(_, name)| column(name)));
        with_series.push(gen_series(from, to, lit(grain.step())).alias("series"));
        let mut filled = self.key_columns();
        filled.push(column("series").alias(PERIOD));
        for (measure, name) in &self.measures {
            filled.push(present(column("series").eq(column(PERIOD)), column(name), measure)?.alias(name));
        }
        figures
            .window([previous, next])?
            .cross_join(self.coverage(source, time, grain)?.build()?)?
            .project(with_series)?
            .unnest_column(Column::new_unqualified("series"))?
            .project(filled)
    }

    /// First and last period of the table, whatever is filtered, within the range that was asked for: one row, which
    /// the table's statistics answer without reading it.
    fn coverage(&self, source: LogicalPlanBuilder, time: &TimeColumn, grain: TimeGrain) -> Result<LogicalPlanBuilder> {
        let period = |name| grain.truncate(time.china_date(column(name)));
        let first = match self.span.first.map(|day| date(grain.first_day(day))) {
            Some(bound) => when(period("earliest").lt(bound.clone()), bound).otherwise(period("earliest"))?,
            None => period("earliest"),
        };
        let last = match self.span.last.map(|day| date(grain.first_day(day))) {
            Some(bound) => when(period("latest").gt(bound.clone()), bound).otherwise(period("latest"))?,
            None => period("latest"),
        };
        source
            .aggregate(Vec::<Expr>::new(), [min(time.raw()).alias("earliest"), max(time.raw()).alias("latest")])?
            .project([first.clone().alias("first"), bounded(first, last, grain, time.name()).alias("last")])
    }
}

/// `figure` where there are rows; else what the measure says about empty periods.
fn present(has_rows: Expr, figure: Expr, measure: &Measure) -> Result<Expr> {
    let mut case = when(has_rows, figure);
    match measure.empty {
        EmptyPeriods::Missing => case.end(),
        EmptyPeriods::Zero => {
            let data_type: DataType = measure.aggregation.data_type.clone();
            case.otherwise(cast(lit(0_i64), data_type))
        }
    }
}

/// Only the rows of each period's last day, taken over all rows of the range and not per group: a group that is gone by
/// then has no stock, rather than its old one.
fn last_days(rows: LogicalPlanBuilder, time: &TimeColumn, grain: Option<TimeGrain>) -> Result<LogicalPlanBuilder> {
    let day = time.china_date(time.raw());
    let periods: Vec<_> = grain.map(|grain| grain.truncate(day.clone()).alias("last_period")).into_iter().collect();
    let last = rows
        .clone()
        .aggregate(periods, [max(day.clone()).alias("last_day")])?
        .project([column("last_day")])?
        .alias("last_days")?
        .build()?;
    let last_day = Expr::Column(Column::new(Some("last_days"), "last_day"));
    rows.join_on(last, JoinType::LeftSemi, [day.eq(last_day)])
}
