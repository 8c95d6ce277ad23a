//! Declared tables ↔ Delta logs: snapshots, scans, views and the `system` schema.

mod definition;
mod summary;
mod table_name;

pub use definition::{
    Bilingual, CodeList, ColumnDef, ColumnType, DataLevel, Freshness, InvalidColumnType, SharingType, TableDef,
    UpdatePeriod, ViewDef,
};
pub use summary::{ColumnDetail, CommitSummary, RunRecord, RunSource, RunStatus, TableDetail, TableKind, TableSummary};
pub use table_name::{InvalidTableName, TableName, is_identifier};

/// The tables as their Delta logs say they are.
#[derive(Debug)]
pub struct Catalog {}
