//! What a window's operator keeps counts as memory. DataFusion's sorts, joins and aggregates ask the pool before they
//! keep a row, and its windows do not: `sum(x) OVER ()` over a billion rows would put all of them into one batch that
//! nobody counts. So such an operator stands between two others, which count what goes into it and what comes out.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::Array;
use arrow::compute::partition;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_expr_common::utils::evaluate_expressions_to_arrays;
use datafusion::physical_plan::expressions::Literal;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::StreamExt;

/// Bytes of a value whose type does not say them.
const VALUE_BYTES: usize = 16;
/// Bytes that an operator keeps of each group of rows that a frame counts, beside the rows.
const GROUP_BYTES: usize = 128;
/// Bytes that an operator keeps of each partition that may go on, beside the rows.
const PARTITION_BYTES: usize = 512;

/// The plan with windows that ask for the memory they keep rows in.
pub(crate) fn counted(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let keeps = if let Some(window) = node.downcast_ref::<WindowAggExec>() {
            Keeps::all(window.window_expr())
        } else if let Some(window) = node.downcast_ref::<BoundedWindowAggExec>() {
            Keeps::some(window)
        } else {
            return Ok(Transformed::no(node));
        };
        let Some(input) = node.children().first().map(|input| Arc::clone(input)) else {
            return Ok(Transformed::no(node));
        };
        let ledger = Arc::new(Ledger { keeps, accounts: Mutex::default() });
        let before = Arc::new(CountedExec { plan: input, ledger: Arc::clone(&ledger), side: Side::Before });
        let unchanged = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        let window = node.replace_children(vec![before], unchanged)?;
        Ok(Transformed::yes(
            Arc::new(CountedExec { plan: window, ledger, side: Side::Behind }) as Arc<dyn ExecutionPlan>
        ))
    })
    .data()
}

/// Which of its rows an operator keeps.
#[derive(Debug)]
enum Keeps {
    /// All, until they are handed out in one batch: as they came, in one piece, and with these bytes a row beside them.
    All { beside: usize },
    /// Those that have no result yet, and those that frames reach back to.
    Some(Frames),
}

/// The frames of one operator.
#[derive(Debug)]
struct Frames {
    reaches: Vec<Reach>,
    /// What the rows are sorted by of what they are partitioned by: where it changes, nothing is kept of what was before.
    sorted_by: Vec<Arc<dyn PhysicalExpr>>,
    /// The rest of it: partitions come mixed, and each may go on.
    mixed_by: Vec<Arc<dyn PhysicalExpr>>,
    /// Rows that are kept of each mixed partition, at the most.
    of_each: usize,
}

/// How far back a frame reaches.
#[derive(Debug)]
enum Reach {
    Rows(usize),
    /// So far below the row's own value, or above it.
    Values {
        of: Arc<dyn PhysicalExpr>,
        distance: ScalarValue,
        descending: bool,
    },
    /// So many groups of rows that are equal by these.
    Groups {
        by: Vec<Arc<dyn PhysicalExpr>>,
        count: usize,
    },
}

impl Keeps {
    fn all(windows: &[Arc<dyn WindowExpr>]) -> Self {
        let bytes = |window: &Arc<dyn WindowExpr>| match window.field() {
            Ok(field) => field.data_type().primitive_width().unwrap_or(VALUE_BYTES),
            Err(_) => VALUE_BYTES,
        };
        Self::All { beside: windows.iter().map(bytes).sum() }
    }

    fn some(operator: &BoundedWindowAggExec) -> Self {
        let windows = operator.window_expr();
        let partition_by = windows.first().map(|window| window.partition_by()).unwrap_or_default();
        let is_sorted = |at: &usize| match &operator.input_order_mode {
            InputOrderMode::Sorted => true,
            InputOrderMode::PartiallySorted(sorted) => sorted.contains(at),
            InputOrderMode::Linear => false,
        };
        let (sorted, mixed): (Vec<_>, Vec<_>) =
            partition_by.iter().cloned().enumerate().partition(|(at, _)| is_sorted(at));
        let exprs = |part: Vec<(usize, Arc<dyn PhysicalExpr>)>| part.into_iter().map(|(_, expr)| expr).collect();
        let (sorted_by, mixed_by): (Vec<_>, Vec<_>) = (exprs(sorted), exprs(mixed));
        let (mut reaches, mut of_each) = (Vec::new(), 0);
        for reach in windows.iter().filter_map(reach) {
            match reach {
                // Counted in each partition, of which each has its own.
                Reach::Rows(rows) if !mixed_by.is_empty() => of_each = of_each.max(rows),
                Reach::Groups { .. } if !mixed_by.is_empty() => of_each = usize::MAX,
                reach => reaches.push(reach),
            }
        }
        Self::Some(Frames { reaches, sorted_by, mixed_by, of_each })
    }
}

fn reach(window: &Arc<dyn WindowExpr>) -> Option<Reach> {
    if let Some(rows) = rows_behind(window) {
        return Some(Reach::Rows(rows));
    }
    let frame = window.get_window_frame();
    let WindowFrameBound::Preceding(distance) = &frame.start_bound else { return None };
    if distance.is_null() {
        // Such a frame only grows: its result is carried on, and no row is looked at again.
        return None;
    }
    match (frame.units, window.order_by()) {
        (WindowFrameUnits::Rows, _) => Some(Reach::Rows(number(distance)?)),
        (WindowFrameUnits::Range, [by]) => {
            let of = Arc::clone(&by.expr);
            Some(Reach::Values { of, distance: distance.clone(), descending: by.options.descending })
        }
        (WindowFrameUnits::Groups, order_by) => {
            let by = order_by.iter().map(|by| Arc::clone(&by.expr)).collect();
            Some(Reach::Groups { by, count: number(distance)? })
        }
        _ => None,
    }
}

/// What `lag` looks back, which its frame does not say.
fn rows_behind(window: &Arc<dyn WindowExpr>) -> Option<usize> {
    let window = window.as_any().downcast_ref::<StandardWindowExpr>()?;
    let call = window.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>()?;
    let offset = call.args().get(1)?.downcast_ref::<Literal>()?;
    (call.fun().name() == "lag").then(|| number(offset.value())).flatten()
}

fn number(value: &ScalarValue) -> Option<usize> {
    match value.cast_to(&DataType::UInt64).ok()? {
        ScalarValue::UInt64(Some(number)) => Some(usize::try_from(number).unwrap_or(usize::MAX)),
        _ => None,
    }
}

/// What one operator keeps in each of its partitions.
#[derive(Debug)]
struct Ledger {
    keeps: Keeps,
    /// Of the partitions that were begun behind the operator and not yet before it.
    accounts: Mutex<HashMap<usize, Arc<Account>>>,
}

/// One partition's memory, which is given back when the streams on both sides of the operator are gone.
#[derive(Debug)]
struct Account {
    memory: MemoryReservation,
    kept: Mutex<Kept>,
}

/// Rows that an operator keeps.
#[derive(Debug, Default)]
struct Kept {
    /// All that it was given, and how many of them it has handed out.
    rows: usize,
    bytes: usize,
    given: usize,
    /// Those that frames reach back to, oldest first.
    reached: VecDeque<Piece>,
    reached_rows: usize,
    reached_bytes: usize,
    /// Groups that begin in them, for each frame that counts groups.
    reached_groups: Vec<usize>,
    /// The last row's group, for each of those frames.
    groups: Vec<Vec<ScalarValue>>,
    /// Where the rows are by what they are sorted by.
    partition: Vec<ScalarValue>,
    /// Rows that are kept of each mixed partition, by its hash, and of all of them.
    mixed: HashMap<u64, usize>,
    mixed_rows: usize,
}

/// The rows of one batch.
#[derive(Debug)]
struct Piece {
    rows: usize,
    bytes: usize,
    /// The last row's values that frames are measured by.
    last: Vec<ScalarValue>,
    /// Groups that begin in it, for each frame that counts groups.
    groups: Vec<usize>,
}

impl Account {
    fn takes(&self, batch: &RecordBatch, keeps: &Keeps) -> Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, bytes) = (batch.num_rows(), bytes(batch));
        if rows == 0 {
            return Ok(());
        }
        kept.rows += rows;
        kept.bytes += bytes;
        match keeps {
            Keeps::All { beside } => self.memory.try_resize(2 * kept.bytes + kept.rows * beside),
            Keeps::Some(frames) => {
                kept.goes_on(last_values(frames.sorted_by.iter(), batch)?);
                kept.mixes(batch, frames)?;
                if !frames.reaches.is_empty() {
                    let measured = frames.reaches.iter().filter_map(|reach| match reach {
                        Reach::Values { of, .. } => Some(of),
                        Reach::Rows(_) | Reach::Groups { .. } => None,
                    });
                    let (last, groups) = (last_values(measured, batch)?, kept.groups_of(batch, &frames.reaches)?);
                    kept.reaches(Piece { rows, bytes, last, groups }, &frames.reaches);
                }
                self.memory.try_resize(kept.needed())
            }
        }
    }

    fn gives(&self, rows: usize, keeps: &Keeps) -> Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.given += rows;
        match keeps {
            Keeps::All { .. } => Ok(()),
            Keeps::Some(_) => self.memory.try_resize(kept.needed()),
        }
    }
}

impl Kept {
    fn needed(&self) -> usize {
        let row = self.bytes.checked_div(self.rows).unwrap_or(0);
        let groups = self.reached_groups.iter().sum::<usize>() * GROUP_BYTES;
        let mixed = self.mixed_rows * row + self.mixed.len() * PARTITION_BYTES;
        self.rows.saturating_sub(self.given) * row + self.reached_bytes + groups + mixed
    }

    /// The rows are at `partition` now. Frames end where a partition does.
    fn goes_on(&mut self, partition: Vec<ScalarValue>) {
        if partition != self.partition {
            self.partition = partition;
            (self.reached_rows, self.reached_bytes, self.mixed_rows) = (0, 0, 0);
            self.reached.clear();
            self.reached_groups.clear();
            self.groups.clear();
            self.mixed.clear();
        }
    }

    /// Counts the rows of each mixed partition. Two partitions of one hash are counted as one.
    fn mixes(&mut self, batch: &RecordBatch, frames: &Frames) -> Result<()> {
        if frames.mixed_by.is_empty() {
            return Ok(());
        }
        let mut hashes = vec![0; batch.num_rows()];
        create_hashes(&evaluate_expressions_to_arrays(&frames.mixed_by, batch)?, &RandomState::default(), &mut hashes)?;
        for hash in hashes {
            let rows = self.mixed.entry(hash).or_default();
            if *rows < frames.of_each {
                *rows += 1;
                self.mixed_rows += 1;
            }
        }
        Ok(())
    }

    /// How many groups begin in `batch`, for each frame that counts them.
    fn groups_of(&mut self, batch: &RecordBatch, reaches: &[Reach]) -> Result<Vec<usize>> {
        let counting = reaches.iter().filter_map(|reach| match reach {
            Reach::Groups { by, .. } => Some(by),
            Reach::Rows(_) | Reach::Values { .. } => None,
        });
        let mut groups = Vec::new();
        for (at, by) in counting.enumerate() {
            let columns = evaluate_expressions_to_arrays(by, batch)?;
            let first = columns.iter().map(|column| ScalarValue::try_from_array(column, 0));
            let goes_on = Some(&first.collect::<Result<Vec<_>>>()?) == self.groups.get(at);
            groups.push(partition(&columns)?.len() - usize::from(goes_on));
            let last = last_values(by.iter(), batch)?;
            match self.groups.get_mut(at) {
                Some(known) => *known = last,
                None => self.groups.push(last),
            }
        }
        Ok(groups)
    }

    /// Adds a piece, and lets those go that no frame reaches back to from behind it.
    fn reaches(&mut self, piece: Piece, frames: &[Reach]) {
        self.reached_rows += piece.rows;
        self.reached_bytes += piece.bytes;
        self.reached_groups.resize(piece.groups.len(), 0);
        self.reached_groups.iter_mut().zip(&piece.groups).for_each(|(all, new)| *all += new);
        while let Some(oldest) = self.reached.front() {
            let mut measures = oldest.last.iter().zip(&piece.last);
            let mut groups = self.reached_groups.iter().zip(&oldest.groups);
            let is_out_of_reach = frames.iter().all(|frame| match frame {
                Reach::Rows(rows) => self.reached_rows - oldest.rows >= *rows,
                Reach::Values { distance, descending, .. } => {
                    measures.next().is_none_or(|(then, now)| is_farther(then, now, distance, *descending))
                }
                Reach::Groups { count, .. } => groups.next().is_none_or(|(all, oldest)| all - oldest > *count),
            });
            if !is_out_of_reach {
                break;
            }
            self.reached_rows -= oldest.rows;
            self.reached_bytes -= oldest.bytes;
            self.reached_groups.iter_mut().zip(&oldest.groups).for_each(|(all, oldest)| *all -= oldest);
            self.reached.pop_front();
        }
        self.reached.push_back(piece);
    }
}

/// Whether `then` is farther from `now` than `distance`. What cannot be told is taken for it.
fn is_farther(then: &ScalarValue, now: &ScalarValue, distance: &ScalarValue, descending: bool) -> bool {
    if descending {
        now.add_checked(distance).is_ok_and(|end| *then > end)
    } else {
        now.sub_checked(distance).is_ok_and(|end| *then < end)
    }
}

fn last_values<'a>(
    of: impl Iterator<Item = &'a Arc<dyn PhysicalExpr>>,
    batch: &RecordBatch,
) -> Result<Vec<ScalarValue>> {
    let last = batch.slice(batch.num_rows() - 1, 1);
    of.map(|expr| match expr.evaluate(&last)? {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(values) => ScalarValue::try_from_array(&values, 0),
    })
    .collect()
}

/// Bytes of the batch's own rows, though its buffers may hold those of others too.
fn bytes(batch: &RecordBatch) -> usize {
    let own = |column: &Arc<dyn Array>| {
        let whole = column.get_array_memory_size();
        column.to_data().get_slice_memory_size().map_or(whole, |own| own.min(whole))
    };
    batch.columns().iter().map(own).sum()
}

/// Where the rows are counted.
#[derive(Debug, Clone, Copy)]
enum Side {
    Before,
    Behind,
}

/// Hands on the rows of `plan` as they are, and counts them.
#[derive(Debug)]
pub(super) struct CountedExec {
    plan: Arc<dyn ExecutionPlan>,
    ledger: Arc<Ledger>,
    side: Side,
}

impl CountedExec {
    /// The operator whose rows are counted.
    pub(super) fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }
}

impl DisplayAs for CountedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CountedExec")
    }
}

impl ExecutionPlan for CountedExec {
    fn name(&self) -> &str {
        "CountedExec"
    }

    fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.plan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = children.pop().unwrap_or_else(|| Arc::clone(&self.plan));
        Ok(Arc::new(Self { plan, ledger: Arc::clone(&self.ledger), side: self.side }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let ledger = Arc::clone(&self.ledger);
        let account = match self.side {
            Side::Behind => {
                let memory = MemoryConsumer::new(format!("Window[{partition}]")).register(context.memory_pool());
                let account = Arc::new(Account { memory, kept: Mutex::default() });
                let mut accounts = ledger.accounts.lock().unwrap_or_else(PoisonError::into_inner);
                accounts.insert(partition, Arc::clone(&account));
                account
            }
            Side::Before => {
                let found = ledger.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
                found.ok_or_else(|| DataFusionError::Internal(format!("a window has no account of {partition}")))?
            }
        };
        let (rows, side) = (self.plan.execute(partition, context)?, self.side);
        let schema = rows.schema();
        let rows = rows.map(move |batch| {
            let batch = batch?;
            match side {
                Side::Before => account.takes(&batch, &ledger.keeps)?,
                Side::Behind => account.gives(batch.num_rows(), &ledger.keeps)?,
            }
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(rows: usize, last: i64) -> Piece {
        Piece { rows, bytes: 8 * rows, last: vec![ScalarValue::from(last)], groups: vec![rows / 5] }
    }

    fn reached(frame: Reach, pieces: impl IntoIterator<Item = (i64, Piece)>) -> Vec<usize> {
        let frames = [frame];
        let mut kept = Kept::default();
        let reach = |(partition, piece)| {
            kept.goes_on(vec![ScalarValue::from(partition)]);
            kept.reaches(piece, &frames);
            assert_eq!(kept.reached_bytes, 8 * kept.reached_rows);
            kept.reached_rows
        };
        pieces.into_iter().map(reach).collect()
    }

    fn values(distance: i64, descending: bool) -> Reach {
        let of = Arc::new(Literal::new(ScalarValue::from(0_i64)));
        Reach::Values { of, distance: ScalarValue::from(distance), descending }
    }

    #[test]
    fn rows_are_kept_as_long_as_a_frame_reaches_back_to_them() {
        let pieces = || (1..=4).map(|number| (0, piece(10, 100 * number)));
        assert_eq!(reached(Reach::Rows(3), pieces()), [10, 10, 10, 10]);
        assert_eq!(reached(Reach::Rows(25), pieces()), [10, 20, 30, 30]);
        assert_eq!(reached(values(150, false), pieces()), [10, 20, 20, 20]);
        assert_eq!(reached(values(1_000, false), pieces()), [10, 20, 30, 40]);
        let falling = (1..=4).map(|number| (0, piece(10, -100 * number)));
        assert_eq!(reached(values(150, true), falling), [10, 20, 20, 20]);
    }

    #[test]
    fn rows_are_kept_as_long_as_a_frame_reaches_back_to_their_groups() {
        let pieces = || (1..=4).map(|number| (0, piece(10, 100 * number)));
        // Two groups begin in each piece: from the last one of the next, one reaches two back into the first.
        let groups = |count| Reach::Groups { by: Vec::new(), count };
        assert_eq!(reached(groups(1), pieces()), [10, 10, 10, 10]);
        assert_eq!(reached(groups(2), pieces()), [10, 20, 20, 20]);
        assert_eq!(reached(groups(5), pieces()), [10, 20, 30, 30]);
        assert_eq!(reached(groups(99), pieces()), [10, 20, 30, 40]);
    }

    #[test]
    fn no_frame_reaches_into_another_partition() {
        let pieces = (1..=4).map(|number| (number / 3, piece(10, 100 * number)));
        assert_eq!(reached(Reach::Rows(1_000), pieces), [10, 20, 10, 20]);
    }
}
