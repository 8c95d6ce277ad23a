//! Why pushed rows are not taken.

use xiangyun_engine::catalog::TableName;
use xiangyun_engine::error::{Classify, ErrorKind};

/// Why pushed rows are not taken. None of them is in the table, and none in the quarantine.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No pipeline takes them.
    #[error("no rows can be pushed to `{table}`")]
    NoPipeline {
        /// The table.
        table: TableName,
    },
    /// A key that cannot be used.
    #[error("the idempotency key {reason}")]
    BadKey {
        /// Why.
        reason: &'static str,
    },
    /// A key that came with other rows before.
    #[error("the idempotency key `{key}` came with other content before, in run {run}")]
    KeyReused {
        /// The key.
        key: String,
        /// The run that loaded what came first.
        run: String,
    },
    /// Two requests of one key with different content at the same time.
    #[error("another request with the idempotency key `{key}` and other content is under way")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// A column that the contract does not have.
    #[error("`{table}` has no column `{column}`")]
    UnknownColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// One that looks like it.
        nearest: Option<String>,
    },
    /// Rows of which none can be read.
    #[error("none of the rows is a JSON object with a key")]
    NoColumns,
    /// Too much at once.
    #[error("the body has {bytes} bytes, and may have {limit}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More waits than may.
    #[error("too many pushes to `{table}` are waiting")]
    Busy {
        /// The table.
        table: TableName,
    },
    /// The server ends.
    #[error("the server is ending")]
    Ending,
}

impl Classify for PushError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoPipeline { .. } => ErrorKind::NotFound,
            Self::BadKey { .. } | Self::UnknownColumn { .. } | Self::NoColumns => ErrorKind::InvalidInput,
            Self::KeyReused { .. } | Self::KeyTwice { .. } => ErrorKind::Conflict,
            Self::TooLarge { .. } => ErrorKind::LimitExceeded,
            Self::Busy { .. } | Self::Ending => ErrorKind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPipeline { table } => {
                format!("declare a pipeline with `table = \"{table}\"` and `source = {{ kind = \"push\" }}`")
            }
            Self::BadKey { .. } => {
                "send `Idempotency-Key` with a text that no other rows have, as a UUID, and the same one again when you \
                 repeat the request"
                    .into()
            }
            Self::KeyReused { .. } | Self::KeyTwice { .. } => "give other rows a key of their own".into(),
            Self::UnknownColumn { nearest: Some(name), .. } => format!("did you mean `{name}`?"),
            Self::UnknownColumn { nearest: None, .. } => {
                "name the contract's columns, or set `schema` in the pipeline to say what becomes of others".into()
            }
            Self::NoColumns => "write an object on each line, or an array of objects".into(),
            Self::TooLarge { .. } => "send fewer rows at a time; a large file is better loaded by a pipeline".into(),
            Self::Busy { .. } | Self::Ending => "send it again in a few seconds, with the same key".into(),
        })
    }
}
