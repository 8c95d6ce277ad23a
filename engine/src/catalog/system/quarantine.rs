//! `system.quarantine`: the rejected rows of the runs that succeeded.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::prelude::{col, lit};

use super::runs::committed_runs;
use super::{count, in_memory, instant, internal, required, schema, text};
use crate::catalog::catalog::Catalog;
use crate::error::Result;

/// Columns of `system.quarantine` and of the quarantine log.
pub fn quarantine_schema() -> SchemaRef {
    schema(vec![
        required(text("run_id")),
        required(text("pipeline")),
        required(text("table_name")),
        required(text("file")),
        count("line"),
        text("column"),
        text("rule"),
        required(text("reason")),
        required(text("message")),
        text("raw"),
        required(instant("rejected_at")),
    ])
}

/// Rows are written before their run's data is committed, so rows of a run that never was are in the log too: the
/// data commits say which runs were.
pub(super) async fn quarantine(catalog: &Catalog) -> Result<Arc<dyn TableProvider>> {
    let Some(provider) = catalog.pin_internal("quarantine").await? else {
        return in_memory(RecordBatch::new_empty(quarantine_schema()));
    };
    let committed = committed_runs(catalog).await?.into_iter().filter(|run| run.rows_rejected > 0);
    let run_ids = committed.map(|run| lit(run.run_id)).collect();
    let rows = catalog.internal_session().await?.read_table(provider).map_err(internal)?;
    let shown = rows.filter(col("run_id").in_list(run_ids, false)).map_err(internal)?;
    Ok(shown.into_view())
}
