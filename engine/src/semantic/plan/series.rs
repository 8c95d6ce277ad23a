//! Frames joined into one table of groups and periods, and what looks along the periods of a group: running sums and
//! earlier figures.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, NullEquality, Result, ScalarValue};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::nth_value::first_value_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    AggregateUDF, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowFunctionDefinition, cast, lit, when,
};
use std::sync::Arc;

use super::frame::{PERIOD, column};
use crate::semantic::definition::TimeGrain;
use crate::semantic::lookback::Lookback;
use crate::semantic::period::{HOUR_MICROS, Periods, date_of_period};
use crate::semantic::sketched::Sketched;
use crate::semantic::window::Window;

/// Joins frames on `keys`; a group or period that one of them lacks is null in its columns.
pub(super) fn join(frames: Vec<(LogicalPlan, Vec<String>)>, keys: &[String]) -> Result<LogicalPlanBuilder> {
    let mut frames = frames.into_iter();
    let Some((first, mut columns)) = frames.next() else { return Ok(LogicalPlanBuilder::empty(true)) };
    let mut joined = LogicalPlanBuilder::from(first);
    for (right, more) in frames {
        if keys.is_empty() {
            // One row on either side.
            joined = joined.cross_join(right)?;
            columns.extend(more);
            continue;
        }
        let left = joined.alias("left")?;
        let right = LogicalPlanBuilder::from(right).alias("right")?.build()?;
        let side = |side: &str| keys.iter().map(|key| Column::new(Some(side), key)).collect::<Vec<_>>();
        let both = (side("left"), side("right"));
        let mut output: Vec<_> = both.0.iter().zip(&both.1).map(|(l, r)| merged(l, r)).collect();
        output.extend(columns.iter().map(|name| Expr::Column(Column::new(Some("left"), name)).alias(name)));
        output.extend(more.iter().map(|name| Expr::Column(Column::new(Some("right"), name)).alias(name)));
        joined =
            left.join_detailed(right, JoinType::Full, both, None, NullEquality::NullEqualsNull)?.project(output)?;
        columns.extend(more);
    }
    Ok(joined)
}

fn merged(left: &Column, right: &Column) -> Expr {
    coalesce(vec![Expr::Column(left.clone()), Expr::Column(right.clone())]).alias(&left.name)
}

/// A column computed along the periods of each group.
pub(super) struct Along<'a> {
    /// The column it is computed from.
    pub(super) from: String,
    /// Its own name.
    pub(super) name: String,
    pub(super) window: Option<Window>,
    /// The sketch that a window puts together, where it does not add figures.
    pub(super) sketch: Option<&'a Sketched>,
    pub(super) lookback: Lookback,
    /// The month with which the years of its model begin.
    pub(super) year_start: u32,
}

impl Along<'_> {
    /// Whether the same is added up over the same periods.
    fn adds_like(&self, other: &Along<'_>) -> bool {
        (&self.from, self.window, self.year_start) == (&other.from, other.window, other.year_start)
    }

    /// The figure of the period that lies its offset before.
    fn earlier(&self) -> String {
        format!("{}_earlier", self.name)
    }
}

/// The figure of a leaf's own period alone, before anything was added up.
pub(super) fn own_name(name: &str) -> String {
    format!("{name}_own")
}

/// A sum before it is held against its own period.
fn running_name(sum: usize) -> String {
    format!("running_{sum}")
}

/// How many periods of a rolling sum have a figure.
fn counted_name(sum: usize) -> String {
    format!("counted_{sum}")
}

/// Working days by their number, since there is no interval of them.
const NUMBER: &str = "period_number";

/// The periods of each group, one behind the other.
struct Line<'a> {
    /// The columns that a group is told by, without the period.
    groups: &'a [String],
    periods: &'a Periods,
}

/// Adds `wanted` to `rows`, and beside each the figure of its own period. `groups` are the columns that a group is told
/// by, without the period.
pub(super) fn along(
    rows: LogicalPlanBuilder,
    groups: &[String],
    periods: &Periods,
    wanted: &[Along<'_>],
) -> Result<LogicalPlanBuilder> {
    let line = Line { groups, periods };
    let mut rows = rows;
    let numbered = periods.working_days().filter(|_| wanted.iter().any(|along| line.needs_number(along)));
    if let Some(calendar) = numbered {
        let mut columns: Vec<_> = rows.schema().fields().iter().map(|field| column(field.name())).collect();
        columns.push(calendar.number(column(PERIOD)).alias(NUMBER));
        rows = rows.project(columns)?;
    }
    // What looks back at a sum shares it with what does not: the planner takes no window twice.
    let mut distinct: Vec<&Along<'_>> = Vec::new();
    for along in wanted.iter().filter(|along| along.window.is_some()) {
        if !distinct.iter().any(|known| known.adds_like(along)) {
            distinct.push(along);
        }
    }
    let mut sums = Vec::new();
    for (at, along) in distinct.iter().enumerate() {
        sums.extend(line.running(along, at)?);
    }
    if !sums.is_empty() {
        rows = rows.window(sums)?;
    }
    let mut columns = line.columns();
    columns.extend(numbered.map(|_| column(NUMBER)));
    for along in wanted {
        let sum = distinct.iter().position(|known| known.adds_like(along)).unwrap_or_default();
        columns.push(line.figure(along, sum)?.alias(&along.name));
        columns.push(column(&along.from).alias(own_name(&along.name)));
    }
    rows = rows.project(columns)?;
    let earlier: Vec<_> = wanted.iter().filter(|along| !along.lookback.is_none()).collect();
    if earlier.is_empty() {
        return Ok(rows);
    }
    let windows = earlier.iter().map(|along| line.earlier(along)).collect::<Result<Vec<_>>>()?;
    let mut columns = line.columns();
    for along in wanted {
        let source = if along.lookback.is_none() { along.name.clone() } else { along.earlier() };
        columns.push(column(&source).alias(&along.name));
        columns.push(column(&own_name(&along.name)));
    }
    rows.window(windows)?.project(columns)
}

impl Line<'_> {
    fn columns(&self) -> Vec<Expr> {
        self.groups.iter().map(|name| column(name)).chain([column(PERIOD)]).collect()
    }

    fn group_columns(&self) -> Vec<Expr> {
        self.groups.iter().map(|name| column(name)).collect()
    }

    fn needs_number(&self, along: &Along<'_>) -> bool {
        !along.lookback.is_none() || along.window.is_some_and(Window::is_rolling)
    }

    /// What distances between periods are measured along.
    fn axis(&self) -> Expr {
        column(if self.periods.working_days().is_some() { NUMBER } else { PERIOD })
    }

    /// The running sum, and for a rolling one how many periods it is made of.
    fn running(&self, along: &Along<'_>, sum: usize) -> Result<Vec<Expr>> {
        let Some(window) = along.window else { return Ok(Vec::new()) };
        let mut partition = self.group_columns();
        let until_now = |units, from| {
            WindowFrame::new_bounds(units, WindowFrameBound::Preceding(from), WindowFrameBound::CurrentRow)
        };
        let frame = match window {
            Window::AllTime => until_now(WindowFrameUnits::Rows, ScalarValue::UInt64(None)),
            Window::ToDate(unit) => {
                let day = date_of_period(self.periods.grain, column(PERIOD));
                partition.push(Periods::new(unit, along.year_start).truncate(day));
                until_now(WindowFrameUnits::Rows, ScalarValue::UInt64(None))
            }
            Window::Rolling(length) => until_now(WindowFrameUnits::Range, length.reach(self.periods.grain)),
        };
        let order = if window.is_rolling() { self.axis() } else { column(PERIOD) };
        let aggregate = |function: Arc<AggregateUDF>, name: &str| {
            let function = WindowFunctionDefinition::AggregateUDF(function);
            let call = WindowFunction::new(function, vec![column(&along.from)]);
            over(call, partition.clone(), order.clone(), frame.clone(), name)
        };
        let together = along.sketch.map_or_else(sum_udaf, |sketch| Arc::new(sketch.kind.merge()));
        let mut windows = vec![aggregate(together, &running_name(sum))?];
        if window.is_rolling() {
            windows.push(aggregate(count_udaf(), &counted_name(sum))?);
        }
        Ok(windows)
    }

    /// The figure of each period before any looking back. A missing period stays missing; a sum to date goes on behind
    /// it over the periods that there are, and a rolling one stands only where it is whole.
    fn figure(&self, along: &Along<'_>, sum: usize) -> Result<Expr> {
        let own = column(&along.from);
        let running = column(&running_name(sum));
        let running = match along.sketch {
            Some(sketch) => sketch.figure(running),
            None => running,
        };
        match along.window {
            None => Ok(own),
            Some(Window::Rolling(length)) => {
                let whole = column(&counted_name(sum)).eq(self.length(length));
                when(own.is_not_null().and(whole), running).end()
            }
            Some(_) => when(own.is_not_null(), running).end(),
        }
    }

    /// How many periods end with the present one and reach `length` back.
    fn length(&self, length: Lookback) -> Expr {
        let grain = self.periods.grain;
        if let Some(count) = length.periods(grain) {
            return lit(i64::from(count));
        }
        // Months of days, and hours: as many as lie between.
        let before = column(PERIOD) - lit(length.distance(grain));
        match grain {
            TimeGrain::Hour => {
                (cast(column(PERIOD), DataType::Int64) - cast(before, DataType::Int64)) / lit(HOUR_MICROS)
            }
            _ => {
                let days = |date| cast(cast(date, DataType::Int32), DataType::Int64);
                days(column(PERIOD)) - days(before)
            }
        }
    }

    /// The figure of the period that begins exactly so long ago; null where the group has no such period.
    fn earlier(&self, along: &Along<'_>) -> Result<Expr> {
        let distance = WindowFrameBound::Preceding(along.lookback.distance(self.periods.grain));
        let frame = WindowFrame::new_bounds(WindowFrameUnits::Range, distance.clone(), distance);
        let first = WindowFunctionDefinition::WindowUDF(first_value_udwf());
        let call = WindowFunction::new(first, vec![column(&along.name)]);
        over(call, self.group_columns(), self.axis(), frame, &along.earlier())
    }
}

fn over(call: WindowFunction, partition: Vec<Expr>, order: Expr, frame: WindowFrame, name: &str) -> Result<Expr> {
    let call = Expr::from(call).partition_by(partition).order_by(vec![order.sort(true, false)]);
    Ok(call.window_frame(frame).build()?.alias(name))
}
