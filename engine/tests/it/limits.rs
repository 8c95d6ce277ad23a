//! Limits end a query with an error that names them, or with a mark that rows are missing.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use xiangyun_engine::ErrorKind;
use xiangyun_engine::query::{Limits, LogQueries, SqlRequest};

use crate::support::Lake;

async fn lake(limits: Limits) -> Lake {
    Lake::with(limits, Arc::new(LogQueries)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_past_the_limit_are_left_out_and_it_says_so() {
    let lake = Lake::open().await;
    for (max_rows, rows, truncated) in [(2, 2, true), (4, 4, true), (5, 5, false), (9, 5, false), (0, 0, true)] {
        let request = SqlRequest { max_rows: Some(max_rows), ..SqlRequest::new("SELECT case_id FROM approvals.cases") };
        let result = lake.analyst().sql(request).await.unwrap();
        let status = result.status.clone();
        let found: usize = result.collect().await.unwrap().iter().map(|batch| batch.num_rows()).sum();
        assert_eq!((found, status.rows()), (rows, rows as u64), "max_rows {max_rows}");
        assert_eq!(status.is_truncated(), truncated, "max_rows {max_rows}");
        assert!(status.is_complete());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_fails_and_is_not_complete() {
    let lake = lake(Limits { timeout: Duration::from_millis(300), ..Limits::default() }).await;
    let sql = "SELECT count(*) AS n FROM generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) \
               WHERE (x * y) % 7 = 3";
    let mut result = lake.analyst().sql(SqlRequest::new(sql)).await.unwrap();
    let status = result.status.clone();
    let error = result.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(result.next().await.is_none(), "an error ends the stream");
    assert!(!status.is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let lake = lake(Limits { memory_bytes: 4 << 20, ..Limits::default() }).await;
    // A hash join's build side cannot spill.
    let error = lake
        .error(
            "SELECT count(*) AS n FROM generate_series(1, 2000000) a(x) JOIN generate_series(1, 2000000) b(y) ON x = y",
        )
        .await;
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{}", error.chain());
    assert!(error.hint().unwrap().contains("memory_bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sort_larger_than_memory_spills() {
    let lake = lake(Limits { memory_bytes: 48 << 20, target_partitions: 1, ..Limits::default() }).await;
    let rows = lake
        .rows(
            "SELECT min(r) AS first, count(*) AS n FROM \
             (SELECT x, row_number() OVER (ORDER BY md5(CAST(x AS text))) AS r FROM generate_series(1, 500000) t(x))",
        )
        .await;
    assert_eq!(rows, ["1 500000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_permitted_chain_of_operators_runs_on_an_ordinary_stack() {
    let lake = Lake::open().await;
    let chain = vec!["case_id = 'c1'"; 900].join(" OR ");
    let rows = lake.rows(&format!("SELECT count(*) AS n FROM approvals.cases WHERE {chain}")).await;
    assert_eq!(rows, ["1"]);
    let unions = vec!["SELECT 1 AS a"; 400].join(" UNION ALL ");
    assert_eq!(lake.rows(&format!("SELECT count(*) AS n FROM ({unions})")).await, ["400"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_have_a_greatest_length() {
    let lake = lake(Limits { sql_bytes: 100, ..Limits::default() }).await;
    let error = lake.error(&format!("SELECT '{}' AS a", "x".repeat(100))).await;
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.hint().unwrap().contains("sql_bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_mid_stream_is_an_error_and_not_an_end() {
    let lake = Lake::open().await;
    let sql = "SELECT 1 / (x - 150000) AS y FROM generate_series(1, 200000) t(x)";
    let mut result = lake.analyst().sql(SqlRequest::new(sql)).await.unwrap();
    let status = result.status.clone();
    let mut last = None;
    while let Some(batch) = result.next().await {
        last = Some(batch);
    }
    let error = last.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Sql, "division by zero".to_owned()));
    assert!(!status.is_complete());
}
