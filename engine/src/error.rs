//! The closed list of failure kinds, and the error that crosses the crate's boundary.
//!
//! Each module keeps its own enum, which says what was attempted. At the boundary every one of them becomes an
//! [`Error`]: a kind from one closed list, a message, perhaps a hint and a position in the SQL. HTTP status, exit
//! code and retry policy come from the kind alone, so a new error cannot invent its own.

use std::error::Error as StdError;
use std::fmt;

/// Result of the engine's public functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// What kind of failure it is: the only thing that decides status, exit code and retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A request, file or setting that is malformed or contradicts itself.
    InvalidInput,
    /// A table, metric, pipeline, file or query that does not exist (or may not be seen).
    NotFound,
    /// SQL that does not parse, does not type, or fails on the data it meets.
    Sql,
    /// Data that breaks its contract, so that a load stopped.
    DataQuality,
    /// No valid credential.
    Unauthenticated,
    /// A known principal that lacks the grant.
    Forbidden,
    /// The state changed underneath: another writer won, or the request repeats one with other content.
    Conflict,
    /// A store or a peer that cannot be reached, or has no room: the same call may work later.
    Unavailable,
    /// A limit of the principal or of the server was passed.
    LimitExceeded,
    /// Too many ask at the same time: the same call may work in a moment.
    Busy,
    /// The caller withdrew.
    Cancelled,
    /// Understood, and not done by this build or this door.
    Unsupported,
    /// Stored bytes that are not what was committed.
    Corrupted,
    /// A defect of Xiangyun.
    Internal,
}

impl ErrorKind {
    /// The stable code used on every door (problem+json `code`, `system.runs.error_code`).
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::Sql => "sql_error",
            Self::DataQuality => "data_quality",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::LimitExceeded => "limit_exceeded",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::Unsupported => "unsupported",
            Self::Corrupted => "corrupted",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call may succeed later without being changed.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Conflict | Self::Busy)
    }
}

/// A place in an SQL text, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlPosition {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

/// An error as every caller of the engine sees it.
///
/// `Display` prints this error's own message only; walk [`StdError::source`] for its causes.
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    position: Option<SqlPosition>,
    source: Option<BoxError>,
}

/// Gives a module's error enum its place in the closed list.
pub trait Classify: StdError + Send + Sync + 'static {
    /// The kind of failure.
    fn kind(&self) -> ErrorKind;
    /// What the user can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
    /// Where in the SQL it is.
    fn position(&self) -> Option<SqlPosition> {
        None
    }
}

impl Error {
    /// An error of `kind` that says `message` (lower case, no full stop).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, position: None, source: None }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the place in the SQL.
    #[must_use]
    pub fn with_position(mut self, position: SqlPosition) -> Self {
        self.position = Some(position);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Where in the SQL it is.
    pub fn position(&self) -> Option<SqlPosition> {
        self.position
    }

    /// This message and those of its causes, joined by `: `, each once.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.contains(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.chain())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl<E: Classify> From<E> for Error {
    fn from(error: E) -> Self {
        let (kind, hint, position) = (error.kind(), error.hint(), error.position());
        let message = error.to_string();
        Self { kind, message, hint, position, source: Some(Box::new(Cause(error))) }
    }
}

/// Keeps a module's error as the cause while its own message is already the boundary error's message.
#[derive(Debug)]
struct Cause<E>(E);

impl<E: StdError> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<E: StdError + 'static> StdError for Cause<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read version {version}")]
    struct Unreadable {
        version: u64,
        source: std::io::Error,
    }

    impl Classify for Unreadable {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Unavailable
        }
    }

    #[test]
    fn a_module_error_keeps_its_kind_and_prints_each_cause_once() {
        let error = Error::from(Unreadable { version: 3, source: std::io::Error::other("disk is gone") });
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.chain(), "cannot read version 3: disk is gone");
    }
}
