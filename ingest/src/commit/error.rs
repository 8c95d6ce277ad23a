//! Why rows could not be written or committed.

use chrono::{DateTime, Utc};
use deltalake::DeltaTableError;
use xiangyun_engine::ErrorKind;
use xiangyun_engine::error::{BoxError, Classify};
use xiangyun_engine::storage::StorageError;

use super::target::Target;

/// Why rows could not be written or committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A batch does not fit the table.
    #[error("cannot write to `{table}`: {reason}")]
    Schema {
        /// The table.
        table: String,
        /// What does not fit.
        reason: String,
    },
    /// The contract changed in a way that cannot be applied to the table as it is.
    #[error("the contract of `{table}` no longer fits the table: {reason}")]
    Evolution {
        /// The table.
        table: String,
        /// What does not fit.
        reason: String,
    },
    /// Rows could not be turned into Parquet.
    #[error("cannot encode rows of `{table}`")]
    Encode {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
    /// What is known of past loads could not be written or read.
    #[error("cannot put down what is known of the loads of `{table}`, or read it")]
    Digest {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
    /// A version that was to be a load's.
    #[error("version {version} of `{table}` tells of no load")]
    NoLoad {
        /// The table.
        table: String,
        /// The version.
        version: u64,
    },
    /// Rows could not be kept on the local disk.
    #[error("cannot keep rows of `{table}` on the local disk")]
    Spool {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
    /// What a load changes in the table could not be worked out.
    #[error("cannot work out what changes in `{table}`")]
    Edit {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
    /// Another process loaded some of the same files while this one read them.
    #[error("run `{run}` loaded files of this load into `{table}` meanwhile")]
    Overtaken {
        /// The table.
        table: String,
        /// The other run.
        run: String,
    },
    /// A table that has changed since somebody agreed to what would be undone.
    #[error("`{table}` is at version {version} and not at {from} any more")]
    Moved {
        /// The table.
        table: String,
        /// The version that was looked at.
        from: u64,
        /// Its version now.
        version: u64,
    },
    /// Files of a version were removed from the store.
    #[error("version {version} of `{table}` cannot be restored: `{file}` is gone{}", others(*count))]
    Gone {
        /// The table.
        table: String,
        /// The version.
        version: u64,
        /// A file.
        file: String,
        /// Files that are gone.
        count: usize,
    },
    /// A version whose rows do not fit the table as it is now.
    #[error("version {version} of `{table}` cannot be restored: {reason}")]
    Unfit {
        /// The table.
        table: String,
        /// The version.
        version: u64,
        /// What does not fit.
        reason: String,
        /// Whether a contract that allows the value to be missing would do.
        by_contract: bool,
    },
    /// A vacuum ran while the files waited for their commit.
    #[error(
        "cannot commit to `{table}`: a vacuum has removed the files of unfinished loads written before {before}, and \
         `{file}` is one"
    )]
    Vacuumed {
        /// The table.
        table: String,
        /// A file that was to be committed.
        file: String,
        /// Older files may be gone.
        before: DateTime<Utc>,
    },
    /// Other writers committed again and again in between.
    #[error("gave up committing to `{table}` after {attempts} attempts: other writers were faster every time")]
    Busy {
        /// The table.
        table: String,
        /// Attempts made.
        attempts: u32,
    },
    /// The commit was refused.
    #[error("cannot commit to `{table}`")]
    Refused {
        /// The table.
        table: String,
        /// The cause.
        source: BoxError,
    },
}

impl Classify for CommitError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Schema { .. } | Self::Evolution { .. } | Self::Unfit { .. } => ErrorKind::InvalidInput,
            Self::Encode { .. }
            | Self::Digest { .. }
            | Self::NoLoad { .. }
            | Self::Refused { .. }
            | Self::Edit { .. }
            | Self::Spool { .. } => ErrorKind::Internal,
            Self::Busy { .. } | Self::Overtaken { .. } | Self::Moved { .. } | Self::Vacuumed { .. } => {
                ErrorKind::Conflict
            }
            Self::Gone { .. } => ErrorKind::NotFound,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Evolution { .. } => Some(
                "only nullable columns can be added to a table; for any other change declare a new table, or delete \
                 this one's folder and load it again"
                    .into(),
            ),
            Self::Busy { .. } | Self::Overtaken { .. } => Some("run the load again: nothing was committed".into()),
            Self::Unfit { by_contract: true, .. } => {
                Some("say `nullable = true` for the column in the table's contract, and restore again".into())
            }
            Self::Unfit { .. } => Some("choose a version from after the table was changed".into()),
            Self::Vacuumed { .. } => Some(
                "run the load again: nothing was committed; let a vacuum keep files for longer than a load takes"
                    .into(),
            ),
            Self::Moved { .. } => Some("look at what would be undone now, and restore again".into()),
            Self::Gone { .. } => {
                Some("a vacuum has removed it; `xiangyun table history` shows the versions, choose a newer one".into())
            }
            Self::Spool { .. } => Some("make room in the folder for temporary files, or set TMPDIR to another".into()),
            _ => None,
        }
    }
}

fn others(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        more => format!(", and {} more", more - 1),
    }
}

/// The error for a log or commit that deltalake refused: the storage's, where the storage is the cause.
pub(super) fn refused(target: &Target, error: DeltaTableError) -> xiangyun_engine::Error {
    if StorageError::is_cause_of(&error) {
        let action = format!("committing to `{}`", target.label());
        return StorageError::explain(action, &target.log.storage().url, error).into();
    }
    CommitError::Refused { table: target.label().into(), source: error.into() }.into()
}
