//! Each query leaves one record with the sink, however it ended.

use std::sync::{Arc, Mutex};

use xiangyun_engine::ErrorKind;
use xiangyun_engine::query::{Limits, QueryOutcome, QueryRecord, QuerySink, SqlRequest};

use crate::support::Lake;

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<QueryRecord>>);

impl QuerySink for Kept {
    fn record(&self, record: QueryRecord) {
        self.0.lock().unwrap().push(record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_rows_and_tables_are_recorded() {
    let kept = Arc::new(Kept::default());
    let lake = Lake::with(Limits::default(), kept.clone()).await;
    let ask = lake.analyst();
    let whole = ask.sql(SqlRequest::new("SELECT case_id FROM approvals.cases")).await.unwrap();
    let id = whole.id;
    whole.collect().await.unwrap();
    let cut = SqlRequest { max_rows: Some(1), ..SqlRequest::new("SELECT case_id FROM approvals.decided") };
    ask.sql(cut).await.unwrap().collect().await.unwrap();
    lake.error("SELECT nothing FROM approvals.cases").await;
    lake.error("SELECT 1 / (capital - capital) AS x FROM market.entities").await;
    drop(ask.sql(SqlRequest::new("SELECT 1 AS a")).await.unwrap());

    let records = kept.0.lock().unwrap();
    let outcomes: Vec<_> = records.iter().map(|record| (record.outcome, record.rows)).collect();
    assert_eq!(
        outcomes,
        [
            (QueryOutcome::Succeeded, 5),
            (QueryOutcome::Truncated, 1),
            (QueryOutcome::Failed(ErrorKind::Sql), 0),
            (QueryOutcome::Failed(ErrorKind::Sql), 0),
            (QueryOutcome::Cancelled, 0),
        ]
    );
    assert_eq!(records[0].id, id);
    assert_eq!(records[0].principal.name(), "li");
    // The view was asked, and the table under it was read.
    assert_eq!(records[1].tables.len(), 1);
    assert_eq!((records[1].tables[0].name.to_string().as_str(), records[1].tables[0].version), ("approvals.cases", 0));
}
