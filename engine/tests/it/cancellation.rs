//! A query that nobody waits for gives its threads back.

use std::time::Duration;

use futures::StreamExt;
use tokio::runtime::Handle;
use xiangyun_engine::query::SqlRequest;

use crate::support::Lake;

/// Enough work for minutes: nobody waits for it.
const ENDLESS: &str = "SELECT count(*) AS n FROM generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) \
                       WHERE (x * y) % 7 = 3";

/// Waits until the tasks that a query started are gone. The bound is far above what a yield takes, so that a busy
/// machine does not fail the test, and far below what the query would take.
async fn settled(before: usize) -> bool {
    for _ in 0..600 {
        if Handle::current().metrics().num_alive_tasks() <= before {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_running_result_ends_its_tasks() {
    let lake = Lake::open().await;
    let before = Handle::current().metrics().num_alive_tasks();
    let mut result = lake.analyst().sql(SqlRequest::new(ENDLESS)).await.unwrap();
    let status = result.status.clone();
    let waited = tokio::time::timeout(Duration::from_millis(300), result.next()).await;
    assert!(waited.is_err(), "the query was meant to run for long");
    drop(result);
    assert!(settled(before).await, "tasks of a dropped query still run");
    assert!(!status.is_complete());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_join_under_way_yields_too() {
    let lake = Lake::open().await;
    let before = Handle::current().metrics().num_alive_tasks();
    let sql = "SELECT a.x FROM generate_series(1, 200000) a(x) JOIN generate_series(1, 200000) b(y) \
               ON a.x % 2 = b.y % 2 WHERE a.x + b.y < 0";
    let mut result = lake.analyst().sql(SqlRequest::new(sql)).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(300), result.next()).await;
    assert!(waited.is_err(), "the query was meant to run for long");
    drop(result);
    assert!(settled(before).await, "tasks of a dropped join still run");
}
