//! What checks of a run compare with in the lake's tables, read before its rows are.

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use xiangyun_engine::catalog::{FILE_COLUMN, RUN_COLUMN, TableDef, TableName};
use xiangyun_engine::{ErrorKind, Result};

use super::Run;
use super::error::RunError;
use crate::check::{CheckContext, Values};
use crate::commit::TakenOut;
use crate::pipeline::CheckRule;

impl Run<'_> {
    /// Reads the values of the table that `unique-in-table` compares with; those of rows that this run takes out do not
    /// count.
    pub(super) async fn look_up(&self, table: &TableDef, taken: &TakenOut, context: &mut CheckContext) -> Result<()> {
        for check in self.pipeline.checks.iter().filter(|check| check.rule == CheckRule::UniqueInTable) {
            let Some(column) = &check.column else { continue };
            let mut values = Values::default();
            self.each_value(&table.name, column, Some(taken), |texts| {
                values.extend(texts).map_err(|error| RunError::Evaluate { source: DataFusionError::from(error).into() })
            })
            .await?;
            context.set_values(column, values);
        }
        Ok(())
    }

    /// Streams a column of a table as texts; nothing where the table was never loaded, or never had the column.
    pub(super) async fn each_value(
        &self,
        table: &TableName,
        column: &str,
        taken: Option<&TakenOut>,
        mut take: impl FnMut(&StringArray) -> Result<(), RunError> + Send,
    ) -> Result<()> {
        let catalog = self.engine.catalog();
        let pinned = match catalog.pin(table).await {
            Ok(pinned) => pinned,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let schema = pinned.traced.schema();
        if schema.column_with_name(column).is_none() {
            return Ok(());
        }
        let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        catalog.register_store(&session.runtime_env())?;
        let failed = |error: DataFusionError| RunError::Evaluate { source: error.into() };
        let mut rows = session.read_table(pinned.traced).map_err(failed)?;
        let has_provenance = schema.column_with_name(RUN_COLUMN).is_some();
        if let (Some(gone), true) = (taken.and_then(predicate), has_provenance) {
            rows = rows.filter(gone.is_not_true()).map_err(failed)?;
        }
        let mut rows = rows.select(vec![ident(column)]).map_err(failed)?.execute_stream().await.map_err(failed)?;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(failed)?;
            let texts = cast(batch.column(0), &DataType::Utf8).map_err(|error| failed(error.into()))?;
            let texts: &StringArray = texts.as_string();
            if texts.null_count() < texts.len() {
                take(texts)?;
            }
        }
        Ok(())
    }
}

/// Holds for the rows that are taken out; none where none are.
fn predicate(taken: &TakenOut) -> Option<Expr> {
    if taken.is_empty() {
        return None;
    }
    let one_of = |column: &str, names: &[String]| ident(column).in_list(names.iter().map(lit).collect(), false);
    let runs = one_of(RUN_COLUMN, &taken.runs);
    Some(match &taken.files {
        Some(files) => runs.and(one_of(FILE_COLUMN, files)),
        None => runs,
    })
}
