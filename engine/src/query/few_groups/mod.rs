//! Partial aggregates of few groups. What dashboards ask for is summed by region, channel or month: a handful of groups
//! over millions of rows. DataFusion's operator hashes the key of each row and compares it with what it has found; here a
//! key that was seen costs a look into a small table. Where the groups turn out not to be few, the states so far are
//! handed on and DataFusion's operator does the rest: whoever merges partial states takes both.
//!
//! The plan is rewritten on the machine that runs it, so that it stays one that serialises.

mod codes;
mod groups;
mod key;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::{BoxStream, once};
use futures::{StreamExt, TryStreamExt};

use groups::Groups;

/// Groups that are few.
const FEW: usize = 4_096;

/// The plan with operators for few groups where they can do the work.
pub(crate) fn few_grouped(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| match node.downcast_ref::<AggregateExec>() {
        Some(aggregate) if is_within_reach(aggregate)? => {
            let input = Arc::clone(aggregate.input());
            Ok(Transformed::yes(FewGroupsExec::over(input, node, ChildrenPropertiesMode::Keep)?))
        }
        _ => Ok(Transformed::no(node)),
    })
    .data()
}

/// Whether it makes partial states, by columns whose values have codes, with functions that keep a state for each group.
fn is_within_reach(aggregate: &AggregateExec) -> Result<bool> {
    let group_by = aggregate.group_expr();
    let is_plain = *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && group_by.is_single()
        && !group_by.is_empty()
        && aggregate.aggr_expr().iter().all(|function| function.groups_accumulator_supported());
    if !is_plain {
        return Ok(false);
    }
    let schema = aggregate.input_schema();
    for (expr, _) in group_by.expr() {
        if !key::has_codes(&expr.data_type(&schema)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Aggregates rows of few groups into partial states.
#[derive(Debug)]
struct FewGroupsExec {
    input: Arc<dyn ExecutionPlan>,
    /// DataFusion's operator, over `rest`.
    many: Arc<dyn ExecutionPlan>,
    rest: Arc<RestExec>,
    metrics: ExecutionPlanMetricsSet,
}

impl FewGroupsExec {
    /// Of `input`, in place of `aggregate` or with that one's work.
    fn over(
        input: Arc<dyn ExecutionPlan>,
        aggregate: Arc<dyn ExecutionPlan>,
        properties: ChildrenPropertiesMode,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rest = Arc::new(RestExec { plan: Arc::clone(&input), rows: Mutex::default() });
        let many = aggregate.replace_children(vec![Arc::clone(&rest) as _], ReplaceChildrenOptions::new(properties))?;
        Ok(Arc::new(Self { input, many, rest, metrics: ExecutionPlanMetricsSet::new() }))
    }

    fn many(&self) -> Result<&AggregateExec> {
        self.many.downcast_ref().ok_or_else(|| DataFusionError::Internal("an aggregate became something else".into()))
    }
}

impl DisplayAs for FewGroupsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FewGroupsExec: ")?;
        self.many.fmt_as(format, f)
    }
}

impl ExecutionPlan for FewGroupsExec {
    fn name(&self) -> &str {
        "FewGroupsExec"
    }

    fn schema(&self) -> SchemaRef {
        self.many.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.many.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.many.apply_expressions(visit)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Self::over(input, Arc::clone(&self.many), ChildrenPropertiesMode::Recompute)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        for metric in self.many.metrics().iter().flat_map(MetricsSet::iter) {
            metrics.push(Arc::clone(metric));
        }
        Some(metrics)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(format!("FewGroups[{partition}]")).register(context.memory_pool());
        let work = Work {
            groups: Groups::new(self.many()?)?,
            rows: self.input.execute(partition, Arc::clone(&context))?,
            memory,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let (many, rest) = (Arc::clone(&self.many), Arc::clone(&self.rest));
        let others = move |rows| {
            rest.holds(partition, rows);
            many.execute(partition, context)
        };
        let states = once(work.run(others)).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), states)))
    }
}

/// The work on one partition.
struct Work {
    groups: Groups,
    rows: SendableRecordBatchStream,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

type States = BoxStream<'static, Result<arrow::record_batch::RecordBatch>>;

impl Work {
    /// Takes rows in as long as their groups are few, and gives those that are left to `others`.
    async fn run(
        mut self,
        others: impl FnOnce(SendableRecordBatchStream) -> Result<SendableRecordBatchStream>,
    ) -> Result<States> {
        while let Some(batch) = self.rows.next().await {
            let batch = batch?;
            let compute = self.metrics.elapsed_compute().clone();
            let _timer = compute.timer();
            self.groups.add(&batch)?;
            // Nothing is lost where memory is short: the states so far are handed on, as they are where there are many.
            if self.groups.count() > FEW || self.memory.try_resize(self.groups.bytes()).is_err() {
                let states = self.groups.states()?.record_output(&self.metrics);
                let (groups, rows) = (self.groups, self.rows);
                drop(groups);
                self.memory.free();
                return Ok(once(async { Ok(states) }).chain(others(rows)?).boxed());
            }
        }
        let _timer = self.metrics.elapsed_compute().timer();
        if self.groups.count() == 0 {
            return Ok(futures::stream::empty().boxed());
        }
        let states = self.groups.states()?.record_output(&self.metrics);
        Ok(once(async { Ok(states) }).boxed())
    }
}

/// Stands for the input of the operator that does the rest: it hands out the rows that are left.
#[derive(Debug)]
struct RestExec {
    /// Whose rows they are.
    plan: Arc<dyn ExecutionPlan>,
    rows: Mutex<Vec<(usize, Held)>>,
}

struct Held(SendableRecordBatchStream);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl RestExec {
    fn holds(&self, partition: usize, rows: SendableRecordBatchStream) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push((partition, Held(rows)));
    }
}

impl DisplayAs for RestExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RestExec")
    }
}

impl ExecutionPlan for RestExec {
    fn name(&self) -> &str {
        "RestExec"
    }

    fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut held = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let place = held.iter().position(|(of, _)| *of == partition);
        let place = place.ok_or_else(|| DataFusionError::Internal(format!("no rows are left of {partition}")))?;
        Ok(held.swap_remove(place).1.0)
    }
}
