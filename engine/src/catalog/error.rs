//! Why a table cannot be read.

use chrono::{DateTime, Utc};

use super::table_name::TableName;
use crate::error::{BoxError, Classify, ErrorKind};

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Declared, and no load has created it yet.
    #[error("table `{table}` is declared and not loaded yet")]
    NotLoaded {
        /// The table.
        table: TableName,
    },
    /// Neither declared nor in the lake.
    #[error("there is no table `{table}`")]
    Unknown {
        /// The table.
        table: TableName,
        /// A name that looks like it.
        nearest: Option<TableName>,
    },
    /// The log does not reach there.
    #[error("`{table}` has no version {version}")]
    NoVersion {
        /// The table, or the internal log.
        table: String,
        /// The version.
        version: u64,
        /// The versions that there are, as in `0 to 7`.
        range: String,
    },
    /// The table did not exist at that time.
    #[error("`{table}` had no version at {time}")]
    NotYet {
        /// The table.
        table: TableName,
        /// The time that was asked for.
        time: DateTime<Utc>,
        /// When its first version was committed.
        first: DateTime<Utc>,
    },
    /// A file of the Delta log is not what a writer committed.
    #[error("the log of `{table}` is corrupted: `{file}` {reason}")]
    CorruptedLog {
        /// The table, or the internal log.
        table: String,
        /// Path of the file below the table.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log names a file outside of the table's folder.
    #[error("the log of `{table}` names `{path}`, which lies outside of the table")]
    EscapingPath {
        /// The table, or the internal log.
        table: String,
        /// The path in the log.
        path: String,
    },
    /// The log lists a data file that is not there.
    #[error("data file `{path}` is missing although the table's log lists it")]
    MissingFile {
        /// The file.
        path: String,
    },
    /// The log cannot be understood as a whole.
    #[error("cannot read the log of `{table}`")]
    Unreadable {
        /// The table, or the internal log.
        table: String,
        /// The cause.
        source: BoxError,
    },
    /// The table's schema has no counterpart here.
    #[error("cannot read `{table}`: {reason}")]
    Unsupported {
        /// The table, or the internal log.
        table: String,
        /// What is not supported.
        reason: String,
    },
}

impl Classify for CatalogError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotLoaded { .. } | Self::Unknown { .. } | Self::NoVersion { .. } | Self::NotYet { .. } => {
                ErrorKind::NotFound
            }
            Self::CorruptedLog { .. }
            | Self::EscapingPath { .. }
            | Self::MissingFile { .. }
            | Self::Unreadable { .. } => ErrorKind::Corrupted,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoaded { .. } => Some("run `xiangyun load`".into()),
            Self::Unknown { nearest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::Unknown { nearest: None, .. } => Some("`xiangyun table list` shows the tables".into()),
            Self::CorruptedLog { .. } | Self::EscapingPath { .. } | Self::MissingFile { .. } => {
                Some("restore the file from a backup; nothing is read from this table until then".into())
            }
            Self::NoVersion { range, .. } => Some(format!("versions that there are: {range}")),
            Self::NotYet { first, .. } => Some(format!("its first version is of {first}")),
            Self::Unreadable { .. } | Self::Unsupported { .. } => None,
        }
    }
}
