//! The `system` schema: the lake's own operation as tables.
//!
//! Each table is computed when a query is planned, from the logs as they are at that moment; nothing is stored for it.
//! `system.alerts` is made of the declarations and of what the last evaluations left.

mod alerts;
mod lineage;
mod listing;
mod quarantine;
mod queries;
mod runs;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

pub use quarantine::{quarantine_log_schema, quarantine_schema};
pub use queries::{queries_schema, query_records_batch};
pub use runs::{run_records_batch, runs_schema};

use super::catalog::Catalog;
use crate::alert::AlertDef;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{self, Principal};

/// Name of the schema.
pub const SYSTEM_SCHEMA: &str = "system";

/// A table of the `system` schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemTable {
    /// `system.tables`: every table and view.
    Tables,
    /// `system.columns`: every column of every table.
    Columns,
    /// `system.snapshots`: every commit of every table.
    Snapshots,
    /// `system.runs`: every load.
    Runs,
    /// `system.quarantine`: every rejected row of the runs that succeeded, and of those that were stopped.
    Quarantine,
    /// `system.lineage`: what comes from what.
    Lineage,
    /// `system.queries`: every query that ended.
    Queries,
    /// `system.alerts`: every alert and how it stands.
    Alerts,
}

impl SystemTable {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Alerts,
        Self::Columns,
        Self::Lineage,
        Self::Quarantine,
        Self::Queries,
        Self::Runs,
        Self::Snapshots,
        Self::Tables,
    ];

    /// Name within the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Columns => "columns",
            Self::Snapshots => "snapshots",
            Self::Runs => "runs",
            Self::Quarantine => "quarantine",
            Self::Lineage => "lineage",
            Self::Queries => "queries",
            Self::Alerts => "alerts",
        }
    }

    /// The table called `name`.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns; they do not depend on the lake.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Tables => listing::tables_schema(),
            Self::Columns => listing::columns_schema(),
            Self::Snapshots => listing::snapshots_schema(),
            Self::Runs => runs_schema(),
            Self::Quarantine => quarantine_schema(),
            Self::Lineage => lineage::lineage_schema(),
            Self::Queries => queries_schema(),
            Self::Alerts => alerts::alerts_schema(),
        }
    }
}

impl Catalog {
    /// Computes a table of the `system` schema from the logs as they are now, as far as `principal` may see it. Of alerts
    /// those in `alerts` are told of: which are on metrics that it may ask is for the caller to know.
    pub async fn system_table(
        &self,
        table: SystemTable,
        principal: &Principal,
        alerts: &[&AlertDef],
    ) -> Result<Arc<dyn TableProvider>> {
        let batch = match table {
            SystemTable::Tables => listing::tables(self).await?,
            SystemTable::Columns => listing::columns(self).await?,
            SystemTable::Snapshots => listing::snapshots(self).await?,
            SystemTable::Runs => runs::runs(self).await?,
            SystemTable::Lineage => lineage::lineage(self).await?,
            SystemTable::Queries => {
                let own = (!policy::sees_all_queries(principal)).then(|| principal.name());
                return queries::queries(self, own).await;
            }
            SystemTable::Alerts => alerts::alerts(self, alerts, principal).await?,
            SystemTable::Quarantine => return quarantine::quarantine(self).await,
        };
        in_memory(batch)
    }

    /// A session that only reads the lake's own logs.
    async fn internal_session(&self) -> Result<SessionContext> {
        let session = SessionContext::new();
        self.register_store(&session.runtime_env())?;
        Ok(session)
    }
}

fn in_memory(batch: RecordBatch) -> Result<Arc<dyn TableProvider>> {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(internal)?;
    Ok(Arc::new(table))
}

fn internal(error: impl Into<DataFusionError>) -> Error {
    let error: DataFusionError = error.into();
    Error::new(ErrorKind::Internal, "cannot compute a table of the system schema").with_source(error)
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field::new(name, data_type, nullable)
}

fn text(name: &str) -> Field {
    field(name, DataType::Utf8, true)
}

fn count(name: &str) -> Field {
    field(name, DataType::Int64, true)
}

fn instant(name: &str) -> Field {
    field(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
}

fn required(field: Field) -> Field {
    field.with_nullable(false)
}

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}
