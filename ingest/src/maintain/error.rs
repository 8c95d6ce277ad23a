//! Why a table cannot be maintained.

use arrow::datatypes::DataType;
use xiangyun_engine::ErrorKind;
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::error::{BoxError, Classify};

/// Why a table cannot be maintained.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    /// No contract says how its files should be.
    #[error("the project declares no table `{table}`")]
    NotDeclared {
        /// The table.
        table: TableName,
    },
    /// It has no commit.
    #[error("table `{table}` is declared and not loaded yet")]
    NotLoaded {
        /// The table.
        table: String,
    },
    /// Files of loads that are still running could be removed.
    #[error("a retention of {} is less than a day", hours(*seconds))]
    Retention {
        /// What was asked for.
        seconds: u64,
    },
    /// Somebody works on the lake.
    #[error("files cannot be removed without a safe retention: {holder} holds the lease `{lease}`")]
    Held {
        /// Which lease.
        lease: String,
        /// By whom.
        holder: String,
    },
    /// Another process removes or restores files of the table.
    #[error("another process removes or restores files of `{table}`")]
    Elsewhere {
        /// The table.
        table: String,
    },
    /// The process was taken for dead in the midst of its work.
    #[error("the work on `{table}` was stopped: another process took it over")]
    LeaseLost {
        /// The table.
        table: String,
    },
    /// A file that another writer names by its whole address.
    #[error("the log of `{table}` names the file `{path}` by its whole address")]
    WholeAddress {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// A column whose type another tool has changed.
    #[error(
        "versions {from} and {to} of `{table}` cannot be compared: column `{column}` is {is} in one and {other} in the other"
    )]
    OtherType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The first version.
        from: u64,
        /// The second version.
        to: u64,
        /// Type in the first.
        is: DataType,
        /// Type in the second.
        other: DataType,
    },
    /// The rows of two versions could not be compared.
    #[error("cannot compare versions of `{table}`")]
    Compare {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
    /// The table's log cannot be understood.
    #[error("cannot read the log of `{table}`")]
    Log {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
}

fn hours(seconds: u64) -> String {
    format!("{} hours", seconds / 3600)
}

impl Classify for MaintainError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotDeclared { .. } | Self::NotLoaded { .. } => ErrorKind::NotFound,
            Self::Retention { .. } | Self::OtherType { .. } => ErrorKind::InvalidInput,
            Self::Held { .. } | Self::Elsewhere { .. } | Self::LeaseLost { .. } => ErrorKind::Conflict,
            Self::WholeAddress { .. } => ErrorKind::Unsupported,
            Self::Compare { .. } => ErrorKind::Internal,
            Self::Log { .. } => ErrorKind::Corrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotDeclared { table } => Some(format!("declare it in tables/{table}.toml")),
            Self::NotLoaded { .. } => Some("run `xiangyun load`".into()),
            Self::Retention { .. } => Some(
                "a running load's files are no version's yet and would be removed; say --unsafe-retention where \
                 nothing writes to the lake"
                    .into(),
            ),
            Self::Held { .. } => Some("stop every process that writes to the lake, or wait until they end".into()),
            Self::Elsewhere { .. } | Self::LeaseLost { .. } => Some("try again when it has ended".into()),
            Self::WholeAddress { .. } => Some("remove old files with the tool that wrote it".into()),
            Self::OtherType { .. } => Some("compare versions in which it has one type".into()),
            Self::Compare { .. } | Self::Log { .. } => None,
        }
    }
}
