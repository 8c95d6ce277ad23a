//! `system.quarantine`: the rejected rows of the runs that succeeded, and of those that were stopped because of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::JoinType;
use datafusion::prelude::{DataFrame, col, ident, lit};

use super::listing::texts;
use super::runs::{committed_runs, stopped_runs};
use super::{count, in_memory, instant, internal, required, schema, text};
use crate::catalog::catalog::Catalog;
use crate::catalog::summary::RunRecord;
use crate::error::Result;

/// Columns of the quarantine log.
pub fn quarantine_log_schema() -> SchemaRef {
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
        count("number"),
    ])
}

/// Columns of `system.quarantine`: those of the log, and the run that took the row up again.
pub fn quarantine_schema() -> SchemaRef {
    let mut fields: Vec<_> = quarantine_log_schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(text("resolved_by"));
    schema(fields)
}

/// Rows are written before their run's data is committed, so rows of a run that never was are in the log too: the
/// data commits say which runs were, and which rows they took up. The runs log says which were stopped.
pub(super) async fn quarantine(catalog: &Catalog) -> Result<Arc<dyn TableProvider>> {
    let Some(provider) = catalog.pin_internal("quarantine").await? else {
        return in_memory(RecordBatch::new_empty(quarantine_schema()));
    };
    let committed = committed_runs(catalog).await?;
    let shown: HashSet<String> = committed
        .iter()
        .filter(|run| run.rows_rejected > 0)
        .map(|run| run.run_id.clone())
        .chain(stopped_runs(catalog).await?)
        .collect();
    let run_ids = shown.into_iter().map(lit).collect();
    let session = catalog.internal_session().await?;
    let rows = session.read_table(provider).map_err(internal)?;
    let rows = in_schema(rows)?.filter(col("run_id").in_list(run_ids, false)).map_err(internal)?;
    let resolved = session.read_batch(resolved(&committed)?).map_err(internal)?;
    let on = (["run_id", "number"], ["resolved_run", "resolved_number"]);
    let joined = rows.join(resolved, JoinType::Left, &on.0, &on.1, None).map_err(internal)?;
    let columns = quarantine_schema().fields().iter().map(|field| ident(field.name())).collect::<Vec<_>>();
    Ok(joined.select(columns).map_err(internal)?.into_view())
}

/// The log's rows with the columns of today: a log that was begun by an older version has fewer.
fn in_schema(rows: DataFrame) -> Result<DataFrame> {
    let column = |field: &arrow::datatypes::FieldRef| {
        if rows.schema().has_column_with_unqualified_name(field.name()) {
            return Ok(ident(field.name()));
        }
        Ok(lit(ScalarValue::try_from(field.data_type()).map_err(internal)?).alias(field.name()))
    };
    let columns = quarantine_log_schema().fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    rows.select(columns).map_err(internal)
}

/// A row for each quarantined row that a later run took up.
fn resolved(committed: &[RunRecord]) -> Result<RecordBatch> {
    let mut rows: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    for run in committed {
        for resolved in &run.resolves {
            for number in resolved.rows.iter().flat_map(|(first, last)| *first..=*last) {
                rows.entry((&resolved.run_id, number)).or_insert(&run.run_id);
            }
        }
    }
    let numbers: Int64Array = rows.keys().map(|(_, number)| i64::try_from(*number).ok()).collect();
    let columns: Vec<ArrayRef> = vec![
        texts(rows.keys().map(|(run, _)| Some(*run))),
        Arc::new(numbers),
        texts(rows.values().map(|by| Some(*by))),
    ];
    let schema = schema(vec![text("resolved_run"), count("resolved_number"), text("resolved_by")]);
    RecordBatch::try_new(schema, columns).map_err(internal)
}
