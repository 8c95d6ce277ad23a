//! Ending a query that is in the middle of something. Tokio ends a task where it yields, and DataFusion's joins do not:
//! they work through all matches of a batch of 8,192 rows in one go, which may be billions. So every join hands out
//! its batches through the scheduler's budget, and a join's filter, which is asked again and again in between, looks
//! whether anybody still waits.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::error::QueryError;
use crate::error::Error;

/// Whether a query should go on.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: AtomicBool,
    cancelled: CancellationToken,
    deadline: Instant,
    timeout: Duration,
    /// Name of the limit that `timeout` is.
    setting: &'static str,
}

impl Stop {
    /// A query that began at `started` and may take `timeout`, as the limit called `setting` says.
    pub(crate) fn new(started: Instant, timeout: Duration, setting: &'static str) -> Self {
        let (asked, cancelled) = (AtomicBool::new(false), CancellationToken::new());
        Self { asked, cancelled, deadline: started + timeout, timeout, setting }
    }

    /// When the query must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Nobody waits any more.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Somebody takes the query back: whoever waits for its rows is told.
    pub(crate) fn cancel(&self) {
        self.ask();
        self.cancelled.cancel();
    }

    /// Ends when somebody takes the query back.
    pub(crate) fn cancelled(&self) -> WaitForCancellationFutureOwned {
        self.cancelled.clone().cancelled_owned()
    }

    /// What a query past its deadline fails with.
    pub(crate) fn timed_out(&self) -> Error {
        QueryError::Timeout { seconds: self.timeout.as_secs(), setting: self.setting }.into()
    }

    fn check(&self) -> Result<()> {
        if self.asked.load(Ordering::Relaxed) {
            return Err(DataFusionError::External(Box::new(Error::from(QueryError::Cancelled))));
        }
        if Instant::now() >= self.deadline {
            return Err(DataFusionError::External(Box::new(self.timed_out())));
        }
        Ok(())
    }
}

/// The plan with joins that can be stopped.
pub(crate) fn stoppable(plan: Arc<dyn ExecutionPlan>, stop: &Arc<Stop>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let watch = |filter: &JoinFilter| {
            let inner = Arc::clone(filter.expression());
            let watched = Arc::new(Watched { inner, stop: Arc::clone(stop) });
            JoinFilter::new(watched, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
        };
        let join: Arc<dyn ExecutionPlan> = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            match join.filter() {
                Some(filter) => join.builder().with_filter(Some(watch(filter))).build_exec()?,
                None => node,
            }
        } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            match join.filter() {
                Some(filter) => {
                    Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(Some(watch(filter))).build()?)
                }
                None => node,
            }
        } else if node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>() {
            node
        } else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as Arc<dyn ExecutionPlan>))
    })
    .data()
}

/// An expression that is evaluated as long as somebody waits for it.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn PhysicalExpr>,
    stop: Arc<Stop>,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Watched {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.stop.check()?;
        self.inner.evaluate(batch)
    }

    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.inner.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.inner.nullable(input_schema)
    }

    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input_schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner, stop: Arc::clone(&self.stop) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
