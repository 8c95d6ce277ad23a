//! Frames joined into one table of groups and periods, and what looks along the periods of a group: running sums and
//! earlier figures.

use datafusion::common::{Column, JoinType, NullEquality, Result, ScalarValue};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::nth_value::first_value_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, when,
};

use super::frame::{PERIOD, column};
use crate::semantic::definition::{CumulativeWindow, TimeGrain};
use crate::semantic::lookback::Lookback;

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
pub(super) struct Along {
    /// The column it is computed from.
    pub(super) from: String,
    /// Its own name.
    pub(super) name: String,
    pub(super) window: Option<CumulativeWindow>,
    pub(super) lookback: Lookback,
}

/// Adds `wanted` to `rows`. `groups` are the columns that a group is told by, without the period.
pub(super) fn along(rows: LogicalPlanBuilder, groups: &[String], wanted: &[Along]) -> Result<LogicalPlanBuilder> {
    let sums: Vec<_> = wanted.iter().filter_map(|a| Some((a, a.window?))).collect();
    let mut rows = rows;
    if !sums.is_empty() {
        let running = sums.iter().map(|(along, window)| running_sum(along, *window, groups));
        rows = rows.window(running.collect::<Result<Vec<_>>>()?)?;
    }
    // A missing period stays missing; the sum goes on behind it over the periods that there are.
    let mut columns: Vec<_> = groups.iter().map(|name| column(name)).chain([column(PERIOD)]).collect();
    for along in wanted {
        let figure = match along.window {
            Some(_) => when(column(&along.from).is_not_null(), column(&running_name(along))).end()?,
            None => column(&along.from),
        };
        columns.push(figure.alias(&along.name));
    }
    rows = rows.project(columns)?;
    let earlier: Vec<_> = wanted.iter().filter(|along| !along.lookback.is_none()).collect();
    if earlier.is_empty() {
        return Ok(rows);
    }
    let windows = earlier.iter().map(|along| earlier_figure(along, groups)).collect::<Result<Vec<_>>>()?;
    let mut columns: Vec<_> = groups.iter().map(|name| column(name)).chain([column(PERIOD)]).collect();
    for along in wanted {
        let source = if along.lookback.is_none() { along.name.clone() } else { earlier_name(along) };
        columns.push(column(&source).alias(&along.name));
    }
    rows.window(windows)?.project(columns)
}

fn running_name(along: &Along) -> String {
    format!("{}_running", along.name)
}

fn earlier_name(along: &Along) -> String {
    format!("{}_earlier", along.name)
}

fn running_sum(along: &Along, window: CumulativeWindow, groups: &[String]) -> Result<Expr> {
    let mut partition: Vec<_> = groups.iter().map(|name| column(name)).collect();
    if window == CumulativeWindow::YearToDate {
        partition.push(TimeGrain::Year.truncate(column(PERIOD)));
    }
    let sum = WindowFunctionDefinition::AggregateUDF(sum_udaf());
    let frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    over(WindowFunction::new(sum, vec![column(&along.from)]), partition, frame, &running_name(along))
}

/// The figure of the period that begins exactly so long ago; null where the group has no such period.
fn earlier_figure(along: &Along, groups: &[String]) -> Result<Expr> {
    let partition = groups.iter().map(|name| column(name)).collect();
    let distance = WindowFrameBound::Preceding(along.lookback.interval());
    let frame = WindowFrame::new_bounds(WindowFrameUnits::Range, distance.clone(), distance);
    let first = WindowFunctionDefinition::WindowUDF(first_value_udwf());
    over(WindowFunction::new(first, vec![column(&along.name)]), partition, frame, &earlier_name(along))
}

fn over(call: WindowFunction, partition: Vec<Expr>, frame: WindowFrame, name: &str) -> Result<Expr> {
    let call = Expr::from(call).partition_by(partition).order_by(vec![column(PERIOD).sort(true, false)]);
    Ok(call.window_frame(frame).build()?.alias(name))
}
