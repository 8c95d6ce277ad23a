//! What the operators of a plan have done, told from the counters that each of them keeps.

use std::collections::BTreeMap;

use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

use super::windows::CountedExec;

/// Characters of an operator's description, and of those of all operators of a plan together.
const DETAIL_CHARS: usize = 2_000;
const ALL_DETAIL_CHARS: usize = 32_000;
/// Operators of a plan that are told of, from the top: profiles of ended queries are kept, and a statement may have
/// thousands.
const OPERATORS: usize = 200;

/// What was read from files.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Scanned {
    /// Rows that left the scans, after what they filter themselves.
    pub rows: u64,
    /// Bytes read from the store.
    pub bytes: u64,
    /// Files, or parts of them, that were looked into.
    pub files: u64,
    /// Files, or parts of them, that their statistics ruled out.
    pub files_skipped: u64,
    /// Row groups that were read.
    pub row_groups: u64,
    /// Row groups that statistics or Bloom filters ruled out.
    pub row_groups_skipped: u64,
}

/// One operator and those that feed it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ProfileNode {
    /// The operator, as in `HashJoinExec`.
    pub operator: String,
    /// What it does, in one line.
    pub detail: String,
    /// Rows that it handed on.
    pub rows: u64,
    /// Milliseconds that it computed, over all partitions.
    pub time_ms: f64,
    /// Bytes that it held in memory at the most, where it says.
    pub memory_bytes: u64,
    /// Bytes that it wrote to disk for want of memory.
    pub spilled_bytes: u64,
    /// Its other counters, by name.
    pub counters: BTreeMap<String, u64>,
    /// The operators that feed it; of a plan of very many, those near the top.
    pub inputs: Vec<ProfileNode>,
}

/// The plan as a tree of what was done.
pub(super) fn profile(plan: &dyn ExecutionPlan) -> ProfileNode {
    told(plan, &mut Room { operators: OPERATORS - 1, chars: ALL_DETAIL_CHARS })
}

/// What may still be told of a plan.
struct Room {
    operators: usize,
    chars: usize,
}

fn told(plan: &dyn ExecutionPlan, room: &mut Room) -> ProfileNode {
    if let Some(counted) = plan.downcast_ref::<CountedExec>() {
        return told(counted.plan().as_ref(), room);
    }
    let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name()).unwrap_or_default();
    let detail = detail(plan, room);
    let mut inputs = Vec::new();
    for input in plan.children() {
        if room.operators == 0 {
            break;
        }
        room.operators -= 1;
        inputs.push(told(input.as_ref(), room));
    }
    let mut node = ProfileNode {
        operator: plan.name().to_owned(),
        detail,
        rows: metrics.output_rows().unwrap_or(0) as u64,
        time_ms: metrics.elapsed_compute().unwrap_or(0) as f64 / 1e6,
        memory_bytes: 0,
        spilled_bytes: metrics.spilled_bytes().unwrap_or(0) as u64,
        counters: BTreeMap::new(),
        inputs,
    };
    for metric in metrics.iter() {
        match metric.value() {
            MetricValue::OutputRows(_)
            | MetricValue::ElapsedCompute(_)
            | MetricValue::SpilledBytes(_)
            | MetricValue::StartTimestamp(_)
            | MetricValue::EndTimestamp(_) => {}
            MetricValue::PeakMemoryUsage { gauge, .. } => {
                node.memory_bytes = node.memory_bytes.max(gauge.value() as u64);
            }
            MetricValue::PruningMetrics { name, pruning_metrics } => {
                node.counters.insert(format!("{name}_pruned"), pruning_metrics.pruned() as u64);
                node.counters.insert(format!("{name}_matched"), pruning_metrics.matched() as u64);
            }
            value => {
                node.counters.insert(value.name().to_owned(), value.as_usize() as u64);
            }
        }
    }
    node.counters.retain(|_, value| *value > 0);
    node
}

fn detail(plan: &dyn ExecutionPlan, room: &mut Room) -> String {
    let shown = DisplayableExecutionPlan::new(plan).one_line().to_string();
    let text: String = shown.trim().chars().take(DETAIL_CHARS.min(room.chars)).collect();
    room.chars -= text.chars().count();
    text
}

/// What the scans below `plan` have read.
pub(super) fn scanned(plan: &dyn ExecutionPlan) -> Scanned {
    let mut sum = Scanned::default();
    add(plan, &mut sum);
    sum
}

fn add(plan: &dyn ExecutionPlan, sum: &mut Scanned) {
    if plan.downcast_ref::<DataSourceExec>().is_some()
        && let Some(metrics) = plan.metrics()
    {
        sum.rows += metrics.output_rows().unwrap_or(0) as u64;
        sum.bytes += metrics.sum_by_name("bytes_scanned").map_or(0, |value| value.as_usize() as u64);
        let (pruned, matched) = pruning(&metrics, "files_ranges_pruned_statistics");
        (sum.files, sum.files_skipped) = (sum.files + matched, sum.files_skipped + pruned);
        // A group passes the one test after the other.
        let (by_statistics, left) = pruning(&metrics, "row_groups_pruned_statistics");
        let (by_filter, _) = pruning(&metrics, "row_groups_pruned_bloom_filter");
        sum.row_groups += left.saturating_sub(by_filter);
        sum.row_groups_skipped += by_statistics + by_filter;
    }
    for input in plan.children() {
        add(input.as_ref(), sum);
    }
}

fn pruning(metrics: &MetricsSet, wanted: &str) -> (u64, u64) {
    let found = metrics.iter().filter_map(|metric| match metric.value() {
        MetricValue::PruningMetrics { name, pruning_metrics } if name == wanted => {
            Some((pruning_metrics.pruned() as u64, pruning_metrics.matched() as u64))
        }
        _ => None,
    });
    found.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
}
