//! Declared tables ↔ Delta logs: snapshots, scans, views and the `system` schema.

#[expect(clippy::module_inception, reason = "the folder is named for the thing")]
mod catalog;
mod data_file;
mod definition;
mod drift;
mod error;
mod freshness;
mod history;
mod layout;
mod log;
mod log_statistics;
mod provenance;
mod pruning;
mod read_store;
mod recent;
mod relations;
mod rollup;
mod scan;
mod snapshot;
mod summary;
pub mod system;
mod table_files;
mod table_name;

pub use catalog::{Catalog, PinnedTable, register_store};
pub use data_file::{SORTED_BY_TAG, STATISTICS_TEXT_CHARS};
pub use definition::{
    Bilingual, CodeList, ColumnDef, ColumnType, DataLevel, Freshness, InvalidColumnType, SharingType, TableDef,
    UpdatePeriod, ViewDef,
};
pub use error::CatalogError;
pub use history::RUN_KEY;
pub use layout::OptimizeDef;
pub use log::{LogListing, TableLog};
pub use provenance::{FILE_COLUMN, LINE_COLUMN, PROVENANCE_COLUMNS, RUN_COLUMN, provenance_fields, with_provenance};
pub use recent::RunCounts;
pub use relations::tables_of;
pub(crate) use relations::tables_under;
pub(crate) use rollup::{PinnedRollup, Since};
pub use rollup::{SourceVersion, Stand, stands_for};
pub use snapshot::TableSnapshot;
pub use summary::{
    ColumnDetail, CommitSummary, ResolvedRows, RunRead, RunRecord, RunSource, RunStatus, TableDetail, TableKind,
    TableSummary,
};
pub use table_files::{FILE_NUMBER_COLUMN, TableFiles};
pub use table_name::{InvalidTableName, TableName, is_identifier};
