//! Why the rows of a database cannot be read.

use xiangyun_engine::error::{BoxError, Classify, ErrorKind};

/// Why the rows of a database cannot be read. Nothing of them is loaded. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No answer, or none that can be used.
    #[error("cannot reach the server of connection `{connection}` at {place}")]
    Unreachable {
        /// The connection.
        connection: String,
        /// Host and port.
        place: String,
        /// Why.
        source: BoxError,
    },
    /// A server that lets nobody in at present: it starts, stops, or has too many clients.
    #[error("the server of connection `{connection}` does not take the work at present: {message}")]
    Busy {
        /// The connection.
        connection: String,
        /// What it says.
        message: String,
    },
    /// A wrong user or password.
    #[error("the server of connection `{connection}` refuses the user `{user}`: {message}")]
    Login {
        /// The connection.
        connection: String,
        /// As declared.
        user: String,
        /// What the server says.
        message: String,
    },
    /// A connection that is not encrypted as it must be.
    #[error("the connection `{connection}` to {place} cannot be encrypted")]
    Tls {
        /// The connection.
        connection: String,
        /// Host and port.
        place: String,
        /// Why.
        source: BoxError,
    },
    /// Certificates that cannot be read.
    #[error("the certificates `{path}` of connection `{connection}` cannot be read")]
    CaFile {
        /// The connection.
        connection: String,
        /// As declared.
        path: String,
        /// Why.
        source: BoxError,
    },
    /// A connection to a system of another kind.
    #[error("connection `{connection}` is `{found}://` and not `{wanted}://`")]
    WrongKind {
        /// The connection.
        connection: String,
        /// Its scheme.
        found: String,
        /// The scheme of the source's kind.
        wanted: &'static str,
    },
    /// A table, column or database that is not there.
    #[error("`{rows}` cannot be read: {message}")]
    NotFound {
        /// What was to be read, with its connection.
        rows: String,
        /// What the server says.
        message: String,
    },
    /// A user who may not read it.
    #[error("`{rows}` may not be read: {message}")]
    Forbidden {
        /// What was to be read, with its connection.
        rows: String,
        /// What the server says.
        message: String,
    },
    /// A query that the server refuses.
    #[error("the server refuses to read `{rows}`: {message}")]
    Query {
        /// What was to be read, with its connection.
        rows: String,
        /// What the server says.
        message: String,
    },
    /// A connection that broke while rows came.
    #[error("the connection broke while `{rows}` was read, after {read} rows")]
    Lost {
        /// What was read, with its connection.
        rows: String,
        /// Rows that had come.
        read: u64,
        /// Why.
        source: BoxError,
    },
    /// Columns that cannot be told apart.
    #[error("two columns of `{rows}` are called `{column}`")]
    SameName {
        /// What was to be read, with its connection.
        rows: String,
        /// The name.
        column: String,
    },
    /// A column that no mark can be made of.
    #[error("`{column}` of `{rows}` cannot tell new rows from known ones: {reason}")]
    Cursor {
        /// What was to be read, with its connection.
        rows: String,
        /// The column.
        column: String,
        /// Why.
        reason: String,
    },
    /// More rows at the mark than can be remembered.
    #[error("more than {limit} rows of `{rows}` have the greatest `{column}`, or lie within the overlap before it")]
    Crowded {
        /// What was to be read, with its connection.
        rows: String,
        /// The column.
        column: String,
        /// Rows that are remembered.
        limit: usize,
    },
    /// A mark of another column, or none at all.
    #[error("the last load of `{rows}` left a mark that cannot be used: {reason}")]
    Mark {
        /// What was to be read, with its connection.
        rows: String,
        /// Why.
        reason: String,
    },
    /// No room on the local disk.
    #[error("cannot keep the rows of `{rows}` on the local disk")]
    Spool {
        /// What was read, with its connection.
        rows: String,
        /// Why.
        source: BoxError,
    },
}

impl DatabaseError {
    /// Whether the same attempt may succeed a moment later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}

impl Classify for DatabaseError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Lost { .. } | Self::Spool { .. } => {
                ErrorKind::Unavailable
            }
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Forbidden { .. } => ErrorKind::Forbidden,
            Self::Login { .. }
            | Self::Tls { .. }
            | Self::CaFile { .. }
            | Self::WrongKind { .. }
            | Self::Query { .. }
            | Self::SameName { .. }
            | Self::Cursor { .. }
            | Self::Mark { .. } => ErrorKind::InvalidInput,
            Self::Crowded { .. } => ErrorKind::LimitExceeded,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { connection, .. } => {
                format!("check `url` in connections/*.toml of `{connection}`, and whether the server runs")
            }
            Self::Busy { .. } | Self::Lost { .. } => "load again: nothing was committed".into(),
            Self::Login { connection, .. } => format!("check `user` and `secret` of connection `{connection}`"),
            Self::Tls { .. } => {
                "name the authority of the server's certificate by `ca_file`, or say `tls = \"off\"` within a closed \
                 network"
                    .into()
            }
            Self::CaFile { .. } => "put certificates in PEM there; the path is relative to the project".into(),
            Self::WrongKind { .. } => "name another connection, or use the `kind` that belongs to it".into(),
            Self::NotFound { .. } => "check `table` or `query` of the source, and the connection's database".into(),
            Self::Forbidden { .. } => "ask the database's owner for the right to SELECT".into(),
            Self::SameName { .. } => "name them apart with AS in `source.query`".into(),
            Self::Cursor { .. } => "use a column of whole numbers, decimals, dates or times".into(),
            Self::Crowded { .. } => {
                "use a column that tells rows apart, a smaller `overlap`, or `updated_at` with `key` \
                 and a mode by key"
                    .into()
            }
            Self::Mark { .. } => "put the column back, or load under another pipeline name into an empty table".into(),
            Self::Spool { .. } => {
                "free some space in the folder for temporary files, or name another one by TMPDIR".into()
            }
            Self::Query { .. } => return None,
        })
    }
}
