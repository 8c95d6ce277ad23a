//! Queries that run: who may know of them, take them back, wait for them, and what each class may use.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use uuid::Uuid;
use xiangyun_engine::query::{
    CacheUse, ClassLimits, KeptLimits, Limits, LogQueries, QueryContext, QueryState, SqlRequest, Submission,
};
use xiangyun_engine::{Error, ErrorKind, Principal, PrincipalClass};

use crate::support::Lake;

/// Works for longer than any test.
const ENDLESS: &str = "SELECT count(*) AS n FROM generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) \
                       WHERE (x * y) % 7 = 3";
/// The same, over a table.
const ENDLESS_SCAN: &str = "SELECT count(*) AS n FROM approvals.cases, generate_series(1, 300000) a(x), \
                            generate_series(1, 300000) b(y) WHERE (x * y) % 7 = 3 AND case_id <> 'c9'";

const SHORT_SCAN: &str = "SELECT count(DISTINCT case_id) AS n FROM approvals.cases";

async fn lake(limits: Limits) -> Lake {
    Lake::with(limits, Arc::new(LogQueries)).await
}

fn kept(change: impl FnOnce(&mut KeptLimits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits.kept);
    limits
}

/// Waits until the query is there, without asking as its owner does.
async fn until(context: &QueryContext, id: Uuid, wanted: QueryState) {
    while context.query_info(id).unwrap().state != wanted {
        tokio::task::yield_now().await;
    }
}

async fn failed(context: &QueryContext, sql: &str) -> Error {
    match context.sql(SqlRequest::new(sql)).await {
        Err(error) => error,
        Ok(result) => result.collect().await.unwrap_err(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_taken_back_by_its_id_and_by_nobody_else() {
    let lake = Lake::open().await;
    let context = lake.analyst();
    let mut result = context.sql(SqlRequest::new(ENDLESS)).await.unwrap();
    let id = result.id;
    assert_eq!(context.query_info(id).unwrap().state, QueryState::Running);
    let other = lake.engine.query_as(Principal::new("wang", "approvals", PrincipalClass::Analyst));
    for error in
        [other.query_info(id).unwrap_err(), other.cancel(id).unwrap_err(), other.query_info(Uuid::nil()).unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert!(other.queries().is_empty());
    assert_eq!(context.queries().len(), 1);
    context.cancel(id).unwrap();
    let error = result.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Cancelled, "the query was cancelled"));
    assert!(result.next().await.is_none());
    let info = context.query_info(id).unwrap();
    assert_eq!((info.state, info.rows), (QueryState::Cancelled, 0));
    // Those who operate the platform see what runs on it.
    let operator = lake.engine.query_as(Principal::local());
    assert_eq!(operator.query_info(id).unwrap().principal, "li");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_the_callers_choice_is_taken_once() {
    let lake = Lake::open().await;
    let id = Uuid::from_u128(7);
    let prepared = lake.analyst().prepare_as(SqlRequest::new("SELECT 1 AS a"), Some(id)).await.unwrap();
    assert_eq!(prepared.run().await.unwrap().id, id);
    let error = lake.analyst().prepare_as(SqlRequest::new("SELECT 1 AS a"), Some(id)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_has_limits_of_its_own_and_each_is_named() {
    let class = Limits::default().analyst;
    // One limit a lake: of two, a query is told the one that it passes first, and that is chance.
    let narrow = lake(Limits { analyst: ClassLimits { memory_bytes: 1 << 20, ..class }, ..Limits::default() }).await;
    // A hash join's build side cannot spill.
    let join =
        "SELECT count(*) AS n FROM generate_series(1, 300000) a(x) JOIN generate_series(1, 300000) b(y) ON x = y";
    let error = failed(&narrow.analyst(), join).await;
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{}", error.chain());
    assert!(error.to_string().contains("limits.analyst_memory_bytes"), "{}", error.chain());
    // Another class is not concerned.
    let operator = narrow.engine.query_as(Principal::local());
    let rows = operator.sql(SqlRequest::new(join)).await.unwrap().collect().await.unwrap();
    assert_eq!(rows.len(), 1);
    let short = lake(Limits { analyst: ClassLimits { scan_bytes: 1, ..class }, ..Limits::default() }).await;
    let error = failed(&short.analyst(), ENDLESS_SCAN).await;
    let said = "the query read more than 1 bytes from files (`limits.analyst_scan_bytes`)";
    assert_eq!(error.to_string(), said);
    // One that ends before anybody looks is refused all the same.
    let error = failed(&short.analyst(), SHORT_SCAN).await;
    assert_eq!(error.to_string(), said);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_beyond_the_slots_wait_and_beyond_the_queue_are_refused() {
    let analyst = ClassLimits { concurrent: 1, queued: 1, ..ClassLimits::NONE };
    let lake = lake(Limits { analyst, ..Limits::default() }).await;
    let running = lake.analyst().sql(SqlRequest::new(ENDLESS)).await.unwrap();
    let waiting = tokio::spawn({
        let context = lake.analyst();
        async move {
            // Until it has the place in the queue, which the other one may take first.
            loop {
                match context.sql(SqlRequest::new("SELECT 1 AS a")).await {
                    Ok(result) => break result.collect().await.unwrap().len(),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{}", error.chain()),
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    // The second waits; a third finds no place as soon as it does.
    let error = loop {
        let third = lake.analyst().prepare_as(SqlRequest::new("SELECT 3 AS a"), None).await.unwrap().run();
        match tokio::time::timeout(Duration::from_millis(20), third).await {
            Ok(Err(error)) => break error,
            Ok(Ok(_)) => panic!("there was a slot"),
            Err(_) => {}
        }
    };
    assert_eq!(error.kind(), ErrorKind::Busy, "{}", error.chain());
    assert!(error.kind().is_retryable());
    // Screens have slots of their own.
    let screen = lake.engine.query_as(Principal::new("screen", "*", PrincipalClass::Dashboard));
    screen.sql(SqlRequest::new("SELECT 1 AS a")).await.unwrap().collect().await.unwrap();
    drop(running);
    assert_eq!(waiting.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_kept_and_read_in_chunks() {
    let lake = Lake::open().await;
    let context = lake.analyst();
    let sql = "SELECT x, x * 2 AS y FROM generate_series(1, 200000) t(x) ORDER BY x";
    let id = context.submit(Submission { request: SqlRequest::new(sql), ..Submission::default() }).await.unwrap();
    let info = context.wait(id, Duration::from_secs(60)).await.unwrap();
    assert_eq!((info.state, info.rows), (QueryState::Succeeded, 200_000));
    let result = context.kept_result(id).unwrap();
    let chunks = result.chunks();
    assert!(chunks.len() > 2, "{chunks:?}");
    assert_eq!(chunks.iter().map(|chunk| chunk.rows).sum::<u64>(), 200_000);
    let mut next = 0;
    for chunk in chunks {
        assert_eq!(chunk.first_row, next);
        let rows = result.read(Some(chunk.chunk)).unwrap();
        let status = Arc::clone(&rows.status);
        let batches = rows.collect().await.unwrap();
        let first = batches[0].column(0).as_any().downcast_ref::<arrow::array::Int64Array>().unwrap().value(0);
        assert_eq!(first as u64, next + 1);
        assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), chunk.rows);
        assert!(status.is_complete());
        next += chunk.rows;
    }
    let all = result.read(None).unwrap().collect().await.unwrap();
    assert_eq!(all.iter().map(|batch| batch.num_rows()).sum::<usize>(), 200_000);
    let error = result.read(Some(chunks.len())).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Taken back, it is gone; whoever reads it may finish.
    let reading = result.read(None).unwrap();
    context.cancel(id).unwrap();
    assert_eq!(context.query_info(id).unwrap().state, QueryState::Expired);
    assert_eq!(context.kept_result(id).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(reading.collect().await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_asks_about_is_cancelled_and_a_result_that_nobody_reads_is_removed() {
    let lake = lake(kept(|kept| kept.lease = Duration::from_millis(50))).await;
    let context = lake.analyst();
    let submit = async |context: &QueryContext, sql: &str| {
        context.submit(Submission { request: SqlRequest::new(sql), ..Submission::default() }).await.unwrap()
    };
    let id = submit(&context, ENDLESS).await;
    until(&context, id, QueryState::Cancelled).await;
    let lake = self::lake(kept(|kept| kept.retention = Duration::from_millis(50))).await;
    let context = lake.analyst();
    let id = submit(&context, "SELECT 1 AS a").await;
    until(&context, id, QueryState::Expired).await;
    assert_eq!(context.kept_result(id).unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_or_too_large_result_tells_why() {
    let lake = lake(kept(|kept| kept.result_bytes = 100_000)).await;
    let context = lake.analyst();
    let submit = async |sql: &str| {
        let id = context.submit(Submission { request: SqlRequest::new(sql), ..Submission::default() }).await.unwrap();
        let info = context.wait(id, Duration::from_secs(60)).await.unwrap();
        (id, info)
    };
    // It fails before anything of it is kept: a longer one might be too large before it fails.
    let (id, info) = submit("SELECT 1 / (x - 1000) AS y FROM generate_series(1, 2000) t(x)").await;
    assert_eq!((info.state, info.error.unwrap().detail.as_str()), (QueryState::Failed, "division by zero"));
    assert_eq!(context.kept_result(id).unwrap_err().kind(), ErrorKind::Sql);
    let (id, info) = submit("SELECT x FROM generate_series(1, 200000) t(x)").await;
    let error = info.error.unwrap();
    assert!(error.detail.contains("limits.result_bytes"), "{}", error.detail);
    assert_eq!(info.state, QueryState::Failed);
    assert_eq!(context.kept_result(id).unwrap_err().kind(), ErrorKind::LimitExceeded);
    // What cannot be planned is told at once.
    let submission =
        Submission { request: SqlRequest::new("SELECT nothing AS a FROM approvals.cases"), ..Submission::default() };
    assert_eq!(context.submit(submission).await.unwrap_err().kind(), ErrorKind::Sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_the_same_key_is_the_same_query() {
    let lake = Lake::open().await;
    let submit = async |context: QueryContext, sql: &str| {
        let idempotency_key = Some("k".to_owned());
        context.submit(Submission { request: SqlRequest::new(sql), idempotency_key, query_id: None }).await
    };
    let id = submit(lake.analyst(), "SELECT 1 AS a").await.unwrap();
    assert_eq!(submit(lake.analyst(), "SELECT 1 AS a").await.unwrap(), id);
    assert_eq!(submit(lake.analyst(), "SELECT 2 AS a").await.unwrap_err().kind(), ErrorKind::Conflict);
    let other = lake.engine.query_as(Principal::new("wang", "approvals", PrincipalClass::Analyst));
    assert_ne!(submit(other, "SELECT 2 AS a").await.unwrap(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_and_done_is_told_by_operator() {
    let lake = Lake::open().await;
    let context = lake.analyst();
    let sql = "SELECT channel, count(*) AS n FROM approvals.cases WHERE channel = 'online' GROUP BY channel ORDER BY n";
    let result = context.sql(SqlRequest::new(sql)).await.unwrap();
    let id = result.id;
    result.collect().await.unwrap();
    let info = context.query_info(id).unwrap();
    assert_eq!(info.state, QueryState::Succeeded);
    assert!(info.scanned.bytes > 0 && info.scanned.rows > 0 && info.scanned.files == 1, "{:?}", info.scanned);
    let profile = context.query_profile(id).unwrap().unwrap();
    let mut operators = Vec::new();
    let mut left = vec![&profile];
    while let Some(node) = left.pop() {
        operators.push(node.operator.as_str());
        left.extend(&node.inputs);
    }
    assert!(operators.contains(&"DataSourceExec") && operators.contains(&"AggregateExec"), "{operators:?}");
    assert_eq!(profile.rows, 1, "{profile:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_a_plan_of_very_many_operators_is_bounded() {
    let lake = Lake::open().await;
    let context = lake.analyst();
    let unions =
        vec!["SELECT channel FROM approvals.cases WHERE case_id <> 'a name of some length'"; 100].join(" UNION ALL ");
    let result = context.sql(SqlRequest::new(unions)).await.unwrap();
    let id = result.id;
    result.collect().await.unwrap();
    let profile = context.query_profile(id).unwrap().unwrap();
    let (mut operators, mut chars, mut left) = (0, 0, vec![&profile]);
    while let Some(node) = left.pop() {
        operators += 1;
        chars += node.detail.chars().count();
        left.extend(&node.inputs);
    }
    assert_eq!(operators, 200);
    assert!((1_000..=32_000).contains(&chars), "{chars}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_is_answered_from_memory_and_what_depends_on_more_is_not() {
    let lake = Lake::open().await;
    let ask = async |sql: &str, max_rows| {
        let request = SqlRequest { max_rows, ..SqlRequest::new(sql) };
        let result = lake.analyst().sql(request).await.unwrap();
        let (cache, status) = (result.cache, Arc::clone(&result.status));
        let batches = result.collect().await.unwrap();
        (cache, batches, status.rows(), status.is_truncated())
    };
    let sql = "SELECT case_id, channel FROM approvals.cases ORDER BY case_id";
    let first = ask(sql, None).await;
    let second = ask(sql, None).await;
    assert_eq!((first.0, second.0), (CacheUse::Miss, CacheUse::Hit));
    assert_eq!((&first.1, first.2, first.3), (&second.1, second.2, second.3));
    let cut = ask(sql, Some(2)).await;
    assert_eq!((cut.0, cut.2, cut.3), (CacheUse::Miss, 2, true));
    let cut = ask(sql, Some(2)).await;
    assert_eq!((cut.0, cut.2, cut.3), (CacheUse::Hit, 2, true));
    for sql in ["SELECT now() AS t", "SELECT random() AS r", "SELECT count(*) AS n FROM system.tables"] {
        for _ in 0..2 {
            assert_eq!(ask(sql, None).await.0, CacheUse::Bypass, "{sql}");
        }
    }
    // A result that was not read to its end is nobody's.
    let sql = "SELECT x FROM generate_series(1, 100000) t(x)";
    drop(lake.analyst().sql(SqlRequest::new(sql)).await.unwrap());
    assert_eq!(ask(sql, None).await.0, CacheUse::Miss);
    assert_eq!(ask(sql, None).await.2, 100_000);
}
