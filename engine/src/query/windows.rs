//! What a window's operator keeps counts as memory. DataFusion's sorts, joins and aggregates ask the pool before they
//! keep a row, and its windows do not: `sum(x) OVER ()` over a billion rows would put all of them into one batch that
//! nobody counts. So such an operator stands between two others, which count what goes into it and what comes out.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_plan::expressions::Literal;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;

/// Bytes of a value whose type does not say them.
const VALUE_BYTES: usize = 16;

/// The plan with windows that ask for the memory they keep rows in.
pub(crate) fn counted(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let keeps = if let Some(window) = node.downcast_ref::<WindowAggExec>() {
            Keeps::all(window.window_expr())
        } else if let Some(window) = node.downcast_ref::<BoundedWindowAggExec>() {
            Keeps::some(window.window_expr())
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
    Some { frames: Vec<Reach>, partition_by: Vec<Arc<dyn PhysicalExpr>> },
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
}

impl Keeps {
    fn all(windows: &[Arc<dyn WindowExpr>]) -> Self {
        let bytes = |window: &Arc<dyn WindowExpr>| match window.field() {
            Ok(field) => field.data_type().primitive_width().unwrap_or(VALUE_BYTES),
            Err(_) => VALUE_BYTES,
        };
        Self::All { beside: windows.iter().map(bytes).sum() }
    }

    fn some(windows: &[Arc<dyn WindowExpr>]) -> Self {
        let partition_by = windows.first().map(|window| window.partition_by().to_vec()).unwrap_or_default();
        Self::Some { frames: windows.iter().filter_map(reach).collect(), partition_by }
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
    partition: Vec<ScalarValue>,
}

/// The rows of one batch.
#[derive(Debug)]
struct Piece {
    rows: usize,
    bytes: usize,
    /// The last row's values that frames are measured by.
    last: Vec<ScalarValue>,
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
            Keeps::Some { frames, partition_by } => {
                if !frames.is_empty() {
                    let partition = last_values(partition_by.iter(), batch)?;
                    let measured = frames.iter().filter_map(|frame| match frame {
                        Reach::Rows(_) => None,
                        Reach::Values { of, .. } => Some(of),
                    });
                    let last = last_values(measured, batch)?;
                    kept.reaches(Piece { rows, bytes, last }, partition, frames);
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
            Keeps::Some { .. } => self.memory.try_resize(kept.needed()),
        }
    }
}

impl Kept {
    fn needed(&self) -> usize {
        let row = self.bytes.checked_div(self.rows).unwrap_or(0);
        self.rows.saturating_sub(self.given) * row + self.reached_bytes
    }

    /// Adds a piece, and lets those go that no frame reaches back to from behind it.
    fn reaches(&mut self, piece: Piece, partition: Vec<ScalarValue>, frames: &[Reach]) {
        if partition != self.partition {
            // Frames end where a partition does.
            (self.partition, self.reached_rows, self.reached_bytes) = (partition, 0, 0);
            self.reached.clear();
        }
        self.reached_rows += piece.rows;
        self.reached_bytes += piece.bytes;
        while let Some(oldest) = self.reached.front() {
            let mut measures = oldest.last.iter().zip(&piece.last);
            let is_out_of_reach = frames.iter().all(|frame| match frame {
                Reach::Rows(rows) => self.reached_rows - oldest.rows >= *rows,
                Reach::Values { distance, descending, .. } => {
                    measures.next().is_none_or(|(then, now)| is_farther(then, now, distance, *descending))
                }
            });
            if !is_out_of_reach {
                break;
            }
            self.reached_rows -= oldest.rows;
            self.reached_bytes -= oldest.bytes;
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
        Piece { rows, bytes: 8 * rows, last: vec![ScalarValue::from(last)] }
    }

    fn reached(frame: Reach, pieces: impl IntoIterator<Item = (i64, Piece)>) -> Vec<usize> {
        let frames = [frame];
        let mut kept = Kept::default();
        let reach = |(partition, piece)| {
            kept.reaches(piece, vec![ScalarValue::from(partition)], &frames);
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
    fn no_frame_reaches_into_another_partition() {
        let pieces = (1..=4).map(|number| (number / 3, piece(10, 100 * number)));
        assert_eq!(reached(Reach::Rows(1_000), pieces), [10, 20, 10, 20]);
    }
}
