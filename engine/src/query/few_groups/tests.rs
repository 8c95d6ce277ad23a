//! Each question with DataFusion's operator alone and with this one: the answers are the same.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use arrow::array::{
    Array, Date32Array, Decimal128Array, Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

const ROWS: i64 = 24_000;
const BATCH: i64 = 1_000;

/// Rows whose values are told by their number.
fn batch(from: i64) -> RecordBatch {
    let ids = || from..from + BATCH;
    let some = |of: i64, null: i64| ids().map(move |id| (id % null != 0).then_some(id % of));
    let columns: Vec<(&str, Arc<dyn Array>)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("region", Arc::new(some(7, 11).map(|id| id.map(|id| format!("区{id}"))).collect::<StringViewArray>())),
        ("longest", Arc::new(ids().map(|id| Some("x".repeat((id % 30) as usize))).collect::<StringViewArray>())),
        ("title", Arc::new(ids().map(|id| Some(format!("事项 {:09}", id % 50))).collect::<StringViewArray>())),
        ("name", Arc::new(ids().map(|id| Some(format!("所有企业 {id:09}"))).collect::<StringViewArray>())),
        ("day", Arc::new(some(90, 13).map(|id| id.map(|id| id as i32)).collect::<Date32Array>())),
        ("at", Arc::new(some(24, 17).map(|id| id.map(|id| id * 3_600_000_000)).collect::<TimestampMicrosecondArray>())),
        ("number", Arc::new(some(1_000, 3).collect::<Int64Array>())),
        ("amount", Arc::new(ids().map(|id| Some(i128::from(id) * 5 - 100)).collect::<Decimal128Array>())),
        ("share", Arc::new(Float64Array::from_iter_values(ids().map(|id| (id % 4) as f64)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn context(memory: Option<usize>) -> SessionContext {
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = memory {
        runtime = runtime.with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)) as Arc<dyn MemoryPool>);
    }
    let config = SessionConfig::new().with_target_partitions(3).with_batch_size(BATCH as usize);
    let context = SessionContext::new_with_config_rt(config, Arc::new(runtime.build().unwrap()));
    let batches: Vec<_> = (0..ROWS / BATCH).map(|number| batch(number * BATCH)).collect();
    let schema = batches[0].schema();
    let partitions = batches.chunks(8).map(<[RecordBatch]>::to_vec).collect();
    context.register_table("t", Arc::new(MemTable::try_new(schema, partitions).unwrap())).unwrap();
    context
}

async fn planned(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
}

async fn rows(context: &SessionContext, plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in collect(Arc::clone(plan), context.task_ctx()).await.unwrap() {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            rows.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    rows
}

fn shown(plan: &Arc<dyn ExecutionPlan>) -> String {
    DisplayableExecutionPlan::new(plan.as_ref()).indent(false).to_string()
}

/// The rows, where both answer alike and the operator for few groups is one of the two.
async fn both(context: &SessionContext, sql: &str) -> Vec<String> {
    let expected = rows(context, &planned(context, sql).await).await;
    let plan = few_grouped(planned(context, sql).await).unwrap();
    assert!(shown(&plan).contains("FewGroupsExec: AggregateExec: mode=Partial"), "{sql}:\n{}", shown(&plan));
    assert_eq!(rows(context, &plan).await, expected, "{sql}");
    expected
}

const FUNCTIONS: &str = "count(*), count(number), sum(amount), min(name), max(day), avg(share), \
                         sum(number) FILTER (WHERE id % 5 = 0), count(DISTINCT number)";

#[tokio::test]
async fn few_groups_have_the_sums_that_they_have_otherwise() {
    let context = context(None);
    for (by, groups) in [
        ("region", 8),
        ("longest", 30),
        ("title", 50),
        ("day", 91),
        ("at", 25),
        ("number", 1_001),
        ("CAST(id % 5 AS DECIMAL(18, 2))", 5),
        ("id % 9, region", 72),
        ("region, title, at", 5_200),
        ("title, id / 6000, longest", 600),
        ("arrow_cast(id % 100 - 50, 'Int8'), arrow_cast(id % 2, 'UInt16')", 100),
        ("date_trunc('month', day)", 4),
    ] {
        let found = both(&context, &format!("SELECT {by}, {FUNCTIONS} FROM t GROUP BY {by}")).await;
        // Some pairs never meet.
        assert!(!found.is_empty() && found.len() <= groups, "{by}: {} groups", found.len());
    }
    assert_eq!(both(&context, "SELECT DISTINCT region, id % 2 FROM t").await.len(), 16);
    assert_eq!(both(&context, "SELECT region, count(*) FROM t WHERE id < 0 GROUP BY region").await.len(), 0);
}

#[tokio::test]
async fn many_groups_are_handed_on_with_what_is_known_of_them() {
    let context = context(None);
    for (by, groups) in [
        ("id", 24_000),
        ("name", 24_000),
        ("id % 6000", 6_000),
        ("CASE WHEN id % 8000 < 4000 THEN id % 10 ELSE id END", 12_010),
        ("name, region", 24_000),
        ("region, id", 24_000),
    ] {
        let found = both(&context, &format!("SELECT {by}, {FUNCTIONS} FROM t GROUP BY {by}")).await;
        assert_eq!(found.len(), groups, "{by}");
    }
}

#[tokio::test]
async fn groups_are_handed_on_where_memory_is_short() {
    let narrow = context(Some(700_000));
    let sql = "SELECT id % 3000, id < 100, max(name), sum(amount) FROM t GROUP BY 1, 2";
    // One key is a boolean, which has no codes.
    let plan = few_grouped(planned(&narrow, sql).await).unwrap();
    assert!(!shown(&plan).contains("FewGroupsExec"), "{}", shown(&plan));
    let sql = "SELECT id % 3000, max(name), sum(amount) FROM t GROUP BY 1";
    let plan = few_grouped(planned(&narrow, sql).await).unwrap();
    assert_eq!(rows(&narrow, &plan).await, both(&context(None), sql).await);
}

#[tokio::test]
async fn keys_without_codes_are_left_alone() {
    let context = context(None);
    for sql in [
        "SELECT share, count(*) FROM t GROUP BY share",
        "SELECT count(*) FROM t",
        "SELECT region, id % 2, count(*) FROM t GROUP BY ROLLUP (region, id % 2)",
    ] {
        let plan = few_grouped(planned(&context, sql).await).unwrap();
        assert!(!shown(&plan).contains("FewGroupsExec"), "{}", shown(&plan));
    }
}

#[tokio::test]
async fn the_rows_of_both_operators_are_counted() {
    let context = context(None);
    let plan = few_grouped(planned(&context, "SELECT id, count(*) FROM t GROUP BY id").await).unwrap();
    rows(&context, &plan).await;
    let mut counted = None;
    plan.transform_up(|node| {
        if node.is::<FewGroupsExec>() {
            counted = node.metrics().and_then(|metrics| metrics.output_rows());
        }
        Ok(Transformed::no(node))
    })
    .unwrap();
    assert_eq!(counted, Some(ROWS as usize));
}
