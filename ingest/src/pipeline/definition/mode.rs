//! `mode` of a pipeline: how rows enter the table.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xiangyun_engine::catalog::{ColumnDef, ColumnType, TableDef};

use super::Duplicates;

/// How rows enter the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// Adds rows; the same file is added once, however often it is sent.
    Append,
    /// Replaces all rows; running it again with the same content does nothing.
    Replace,
    /// Replaces the rows of exactly those partitions that occur in the load.
    ReplacePartition,
    /// Takes out the rows whose primary key occurs in the load, which needs the key's columns only.
    Delete,
    /// Puts rows in by primary key, in the place of those with the same key.
    Upsert(UpsertMode),
    /// Keeps every version of a row with the time in which it held.
    History(HistoryMode),
}

/// Rows enter by primary key: of two with the same key one stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpsertMode {
    /// The column that says which of two rows with the same key is later. A row that is not later than the one in the
    /// table is left out and counted. Without it the row that is loaded last stays.
    pub sequence: Option<String>,
}

/// Every version of a row is kept; a later one ends the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryMode {
    /// The date or timestamp column from whose value on a version holds. The load's rows have it.
    pub valid_from: String,
    /// The column of the same type up to whose value, exclusive, a version holds; missing for the one that holds now.
    /// It is worked out, and the load's rows do not have it.
    pub valid_to: String,
}

/// What to do when a file of a name that was loaded before has other content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnChangedFile {
    /// Add its rows to those of the earlier content, and say so in the run's notes.
    #[default]
    Load,
    /// Put its rows in the place of those of the earlier content.
    Replace,
    /// Fail the load; nothing is committed.
    Stop,
}

impl HistoryMode {
    /// What tells rows apart, whatever the time.
    pub(crate) fn key(&self, table: &TableDef) -> Vec<String> {
        table.primary_key.iter().filter(|name| **name != self.valid_from).cloned().collect()
    }
}

impl WriteMode {
    /// Whether what a row does depends on the table's row with the same key.
    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self, Self::Upsert(_) | Self::Delete | Self::History(_))
    }

    /// What is done about rows with the same key in one load.
    pub(crate) fn duplicates(&self, declared: Duplicates) -> Duplicates {
        // The mode itself decides which one stays.
        if self.is_keyed() { Duplicates::Keep } else { declared }
    }

    /// The columns that the rows of a load have, of those of `table`.
    pub(crate) fn contract_of_rows(&self, table: &TableDef) -> Arc<TableDef> {
        let is_given = |column: &ColumnDef| match self {
            Self::Delete => table.primary_key.contains(&column.name),
            Self::History(history) => column.name != history.valid_to,
            _ => true,
        };
        let columns = table.columns.iter().filter(|column| is_given(column)).cloned().collect();
        Arc::new(TableDef { columns, ..table.clone() })
    }

    /// What of `table` does not fit the mode: the key below `mode` that is to blame, and why.
    pub(crate) fn faults(&self, table: &TableDef) -> Vec<(Option<&'static str>, String)> {
        let mut faults = Vec::new();
        if self.is_keyed() {
            if table.primary_key.is_empty() {
                faults.push((None, format!("`{}` has no primary key, by which this mode finds rows", table.name)));
            }
            let nullable = |name: &&String| table.column(name).is_some_and(|column| column.nullable);
            for name in table.primary_key.iter().filter(nullable) {
                faults.push((None, format!("`{name}` is in the primary key of `{}` and may be missing", table.name)));
            }
        }
        match self {
            Self::ReplacePartition if table.partition_by.is_empty() => {
                faults.push((None, format!("`{}` has no partitions", table.name)));
            }
            Self::Upsert(UpsertMode { sequence: Some(name) }) => match table.column(name) {
                None => faults.push((Some("sequence"), format!("`{}` has no column `{name}`", table.name))),
                Some(column) if column.nullable => {
                    let message = format!("`{name}` may be missing, and a row without it is neither earlier nor later");
                    faults.push((Some("sequence"), message));
                }
                Some(_) => {}
            },
            Self::History(history) => history.faults(table, &mut faults),
            _ => {}
        }
        faults
    }
}

impl HistoryMode {
    fn faults(&self, table: &TableDef, faults: &mut Vec<(Option<&'static str>, String)>) {
        let (from, to) = (&self.valid_from, &self.valid_to);
        let is_time = |column: &&ColumnDef| matches!(column.column_type, ColumnType::Date | ColumnType::Timestamp);
        let start = table.column(from);
        match start.filter(is_time) {
            None => {
                faults.push((Some("valid_from"), format!("`{}` has no date or timestamp column `{from}`", table.name)))
            }
            Some(column) if column.nullable => {
                faults.push((Some("valid_from"), format!("`{from}` may be missing, and a version needs a beginning")));
            }
            Some(_) => {}
        }
        match table.column(to).filter(is_time) {
            None => faults.push((Some("valid_to"), format!("`{}` has no date or timestamp column `{to}`", table.name))),
            Some(column) if !column.nullable => {
                faults.push((Some("valid_to"), format!("`{to}` must be nullable: what holds now has no end")));
            }
            Some(column) if start.is_some_and(|start| start.column_type != column.column_type) => {
                faults.push((Some("valid_to"), format!("`{to}` and `{from}` are not of one type")));
            }
            Some(_) => {}
        }
        if table.primary_key.contains(to) {
            faults.push((Some("valid_to"), format!("`{to}` cannot be in the primary key: later versions set it")));
        }
        if self.key(table).is_empty() && !table.primary_key.is_empty() {
            faults.push((Some("valid_from"), "the primary key needs a column beside it, to tell rows apart".into()));
        }
    }
}
