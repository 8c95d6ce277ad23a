//! Tables that are to be fresh: looked at once a day, whether or not anything is loaded, and a broken promise is
//! recorded and told of once.

use std::collections::HashSet;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use tokio::sync::Mutex;
use xiangyun_engine::catalog::{RunRecord, RunStatus};
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Engine, Error, Principal, Result};

use super::due::{Due, Reason};
use super::lease::Leases;
use super::worker::{JobOutcome, JobReport};
use crate::freshness::{TableFreshness, freshness, is_promised};
use crate::ingest::Ingest;

/// What stands for a pipeline in the record of a broken promise. It is the name of no pipeline: those have no `_` in front.
pub const FRESHNESS: &str = "_freshness";

/// The promises of one project's tables.
#[derive(Debug)]
pub(super) struct Promises {
    any: bool,
    /// The last day on which they were looked at.
    looked_on: Mutex<Option<NaiveDate>>,
}

impl Promises {
    pub(super) fn of(engine: &Engine) -> Self {
        Self { any: is_promised(engine), looked_on: Mutex::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    /// Judges every table, unless that was done today. What is not recorded yet is recorded and told of: the record
    /// and not this process remembers, so that several processes, and one that begins anew, say it once.
    pub(super) async fn look(&self, ingest: &Ingest, leases: &Leases, mut told: impl FnMut(JobReport)) -> Result<()> {
        let today = ingest.engine().clock().today();
        let mut looked_on = self.looked_on.lock().await;
        if self.is_empty() || *looked_on == Some(today) {
            return Ok(());
        }
        let mut broken = freshness(ingest.engine()).await?;
        broken.retain(TableFreshness::is_broken);
        if !broken.is_empty() {
            let Some(lease) = leases.try_take(FRESHNESS).await? else { return Ok(()) };
            let recorded = recorded(ingest.engine()).await?;
            for table in broken {
                let error = table.error();
                if !recorded.contains(&(table.table.to_string(), error.chain())) {
                    record(ingest, &table, &error).await;
                    let due = Due { pipeline: FRESHNESS.into(), reason: Reason::Freshness };
                    told(JobReport { due, outcome: JobOutcome::Failed(error) });
                }
            }
            lease.give_back().await?;
        }
        *looked_on = Some(today);
        Ok(())
    }
}

async fn record(ingest: &Ingest, table: &TableFreshness, error: &Error) {
    let mut run = RunRecord::started(FRESHNESS, &table.table, ingest.engine().clock().now());
    run.status = RunStatus::Failed;
    run.error = Some(error.chain());
    run.trigger = Some(Reason::Freshness.trigger().into());
    ingest.record_failed_run(&run).await;
}

/// The broken promises that were recorded: table, and what was said. The text names the days, so that a table that was
/// fresh in between is told of again.
async fn recorded(engine: &Engine) -> Result<HashSet<(String, String)>> {
    let sql = format!("select table_name, error from system.runs where pipeline = '{FRESHNESS}'");
    let rows = engine.query_as(Principal::system()).sql(SqlRequest::new(sql)).await?.collect().await?;
    let mut found = HashSet::new();
    for batch in rows {
        let text = |column: usize| cast(batch.column(column), &DataType::Utf8).ok();
        if let (Some(tables), Some(errors)) = (text(0), text(1)) {
            let pairs = tables.as_string::<i32>().iter().zip(errors.as_string::<i32>());
            found.extend(pairs.filter_map(|(table, error)| Some((table?.to_owned(), error?.to_owned()))));
        }
    }
    Ok(found)
}
