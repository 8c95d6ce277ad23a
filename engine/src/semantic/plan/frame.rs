//! One model's part of an answer: a row for each group and period, a column for each measure. One scan gives all
//! measures of a model; periods without rows are filled in behind the aggregation, on few rows.

use datafusion::common::{Column, Result, ScalarValue};
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
use crate::semantic::join::Join;
use crate::semantic::model::{Measure, Model, TimeColumn};
use crate::semantic::period::{Periods, hour_instant};
use crate::semantic::sketched::Sketched;

/// Name of the period's column.
pub(super) const PERIOD: &str = "period";

/// What to compute over one model.
pub(super) struct Frame<'a> {
    pub(super) model: &'a Model,
    /// The table or view as the principal may see it.
    pub(super) table: LogicalPlan,
    /// The joins that the groups and the filter need, each behind those it needs itself, with its table.
    pub(super) joins: Vec<(&'a Join, LogicalPlan)>,
    /// The groups: expressions over the table and the joins, each with the name of its column.
    pub(super) keys: Vec<(Expr, String)>,
    pub(super) filter: Option<Expr>,
    pub(super) periods: Option<&'a Periods>,
    pub(super) span: Span,
    /// Whether the measures are stocks: only the rows of the last day of each period count.
    pub(super) stock: bool,
    /// The measures, each with the name of its column.
    pub(super) measures: Vec<(Counted<'a>, String)>,
}

/// What a column of a frame holds of a measure.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) measure: &'a Measure,
    /// The sketch that the figure is read from, and not the figure.
    pub(super) as_sketch: bool,
}

impl Counted<'_> {
    fn sketch(&self) -> Option<&Sketched> {
        self.measure.aggregation.sketch.as_ref().filter(|_| self.as_sketch)
    }

    /// The figure or sketch over the measure's aggregates.
    fn figure(&self) -> Expr {
        self.sketch().map_or(&self.measure.aggregation.figure, |sketch| &sketch.column).clone()
    }

    /// What there is of nothing.
    fn zero(&self) -> Expr {
        match self.sketch() {
            Some(sketch) => lit(ScalarValue::Binary(sketch.kind.of_nothing())),
            None => cast(lit(0_i64), self.measure.aggregation.data_type.clone()),
        }
    }
}

/// A column by its bare name.
pub(in crate::semantic) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

impl Frame<'_> {
    /// The plan, with the period (where there is a grain), the keys and the measures as its columns.
    pub(super) fn plan(self) -> Result<LogicalPlan> {
        let source = LogicalPlanBuilder::from(self.table.clone()).alias("source")?;
        let rows = self.rows(source.clone())?;
        let figures = self.aggregate(rows)?;
        match (self.periods, &self.model.time) {
            (Some(periods), Some(time)) => self.fill(figures, source, time, periods)?.build(),
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
            if self.periods.is_some() {
                rows = rows.filter(time.raw().is_not_null())?;
            }
            if self.stock {
                rows = last_moments(rows, time, self.periods)?;
            }
        }
        for (join, table) in &self.joins {
            rows = join.attach(rows, table.clone())?;
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
        if let (Some(periods), Some(time)) = (self.periods, &self.model.time) {
            groups.push(time.slot(time.raw(), periods).alias(PERIOD));
        }
        let mut aggregates: Vec<Expr> = Vec::new();
        for aggregate in self.measures.iter().flat_map(|(counted, _)| &counted.measure.aggregation.aggregates) {
            // A measure may be there as its figure and as its sketch.
            if !aggregates.contains(aggregate) {
                aggregates.push(aggregate.clone());
            }
        }
        // Without keys there is a row even where there are no rows: the count tells a true zero from nothing.
        let may_be_empty = groups.is_empty();
        if may_be_empty {
            aggregates.push(count(lit(1)).alias("rows"));
        }
        let mut columns: Vec<_> = self.key_columns();
        columns.extend(self.periods.map(|_| column(PERIOD)));
        for (counted, name) in &self.measures {
            let figure = counted.figure();
            let figure = if may_be_empty { present(column("rows").gt(lit(0)), figure, *counted)? } else { figure };
            columns.push(figure.alias(name));
        }
        rows.aggregate(groups, aggregates)?.project(columns)
    }

    /// Adds the periods that a group lacks between the first and the last period of the whole table.
    ///
    /// Each row brings the periods up to the group's next row, and a group's first row those before it, so that no
    /// join with a calendar and no second scan of the rows is needed. Hours are numbers until here, since a series of
    /// timestamps is one of nanoseconds, and working days are what is left of a series of days.
    fn fill(
        &self,
        figures: LogicalPlanBuilder,
        source: LogicalPlanBuilder,
        time: &TimeColumn,
        periods: &Periods,
    ) -> Result<LogicalPlanBuilder> {
        let neighbour = |function: Arc<WindowUDF>, name: &str| -> Result<Expr> {
            let function = WindowFunctionDefinition::WindowUDF(function);
            let call = Expr::from(WindowFunction::new(function, vec![column(PERIOD)]));
            let call = call.partition_by(self.key_columns()).order_by(vec![column(PERIOD).sort(true, false)]);
            Ok(call.build()?.alias(name))
        };
        let is_hour = periods.grain == TimeGrain::Hour;
        let step = || if is_hour { lit(1_i64) } else { lit(periods.step()) };
        let (previous, next) = (neighbour(lag_udwf(), "previous")?, neighbour(lead_udwf(), "next")?);
        let (first, last) = (column("first"), column("last"));
        let from = when(column("previous").is_null(), first).otherwise(column(PERIOD))?;
        let to = when(column("next").is_null(), last).otherwise(column("next") - step())?;
        let mut with_series = self.key_columns();
        with_series.push(column(PERIOD));
        with_series.extend(self.measures.iter().map(|(_, name)| column(name)));
        with_series.push(gen_series(from, to, step()).alias("series"));
        let series = column("series");
        let mut filled = self.key_columns();
        filled.push(if is_hour { hour_instant(series.clone()) } else { series.clone() }.alias(PERIOD));
        for (counted, name) in &self.measures {
            filled.push(present(series.clone().eq(column(PERIOD)), column(name), *counted)?.alias(name));
        }
        let mut rows = figures
            .window([previous, next])?
            .cross_join(self.coverage(source, time, periods)?.build()?)?
            .project(with_series)?
            .unnest_column(Column::new_unqualified("series"))?;
        if let Some(calendar) = periods.working_days() {
            rows = rows.filter(calendar.is_working(series))?;
        }
        rows.project(filled)
    }

    /// First and last period of the table, whatever is filtered, within the range that was asked for: one row, which
    /// the table's statistics answer without reading it.
    fn coverage(&self, source: LogicalPlanBuilder, time: &TimeColumn, periods: &Periods) -> Result<LogicalPlanBuilder> {
        let earliest = time.not_before(column("earliest"), self.span.first)?;
        let latest = time.not_after(column("latest"), self.span.last)?;
        let (first, last) = (time.slot(earliest.clone(), periods), time.slot(latest.clone(), periods));
        let grain = periods.grain;
        let last = match grain {
            TimeGrain::Hour => {
                let day = bounded(time.china_date(earliest), time.china_date(latest), grain, time.name());
                when(day.is_not_null(), last).end()?
            }
            _ => bounded(first.clone(), last, grain, time.name()),
        };
        source
            .aggregate(Vec::<Expr>::new(), [min(time.raw()).alias("earliest"), max(time.raw()).alias("latest")])?
            .project([first.alias("first"), last.alias("last")])
    }
}

/// `figure` where there are rows; else what the measure says about empty periods.
fn present(has_rows: Expr, figure: Expr, counted: Counted<'_>) -> Result<Expr> {
    let mut case = when(has_rows, figure);
    match counted.measure.empty {
        EmptyPeriods::Missing => case.end(),
        EmptyPeriods::Zero => case.otherwise(counted.zero()),
    }
}

/// Only the rows of each period's last day (of each hour's last moment), taken over all rows of the range and not per
/// group: a group that is gone by then has no stock, rather than its old one.
fn last_moments(rows: LogicalPlanBuilder, time: &TimeColumn, periods: Option<&Periods>) -> Result<LogicalPlanBuilder> {
    let is_hour = periods.is_some_and(|periods| periods.grain == TimeGrain::Hour);
    let moment = if is_hour { time.raw() } else { time.china_date(time.raw()) };
    let slots: Vec<_> =
        periods.map(|periods| time.slot(time.raw(), periods).alias("last_period")).into_iter().collect();
    let last = rows
        .clone()
        .aggregate(slots, [max(moment.clone()).alias("last_moment")])?
        .project([column("last_moment")])?
        .alias("last_moments")?
        .build()?;
    let last_moment = Expr::Column(Column::new(Some("last_moments"), "last_moment"));
    rows.join_on(last, JoinType::LeftSemi, [moment.eq(last_moment)])
}
