//! What MySQL's errors mean for a load.

use mysql_async::{DriverError, Error, IoError, ServerError};
use xiangyun_engine::error::BoxError;

use crate::source::database::error::DatabaseError;
use crate::source::database::server::Server;

/// Where an error occurred.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explain<'a> {
    pub(super) server: &'a Server,
    /// What is read.
    pub(super) label: &'a str,
}

impl Explain<'_> {
    /// A server that said nothing in time.
    pub(super) fn silent(&self, elapsed: impl Into<BoxError>) -> DatabaseError {
        let (connection, place) = (self.server.connection.clone(), self.server.place());
        DatabaseError::Unreachable { connection, place, source: elapsed.into() }
    }

    /// While the connection was made.
    pub(super) fn connecting(&self, error: Error) -> DatabaseError {
        let (connection, place) = (self.server.connection.clone(), self.server.place());
        match error {
            Error::Server(said) => self.said(said),
            Error::Io(IoError::Tls(_)) | Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                DatabaseError::Tls { connection, place, source: error.into() }
            }
            // What a handshake of TLS refuses comes as an error of the stream.
            Error::Io(IoError::Io(cause)) if cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                DatabaseError::Tls { connection, place, source: cause.into() }
            }
            _ => DatabaseError::Unreachable { connection, place, source: error.into() },
        }
    }

    /// While rows were asked for or came; `read` of them had come.
    pub(super) fn reading(&self, error: Error, read: u64) -> DatabaseError {
        match error {
            Error::Server(said) if read > 0 && is_passing(said.code) => {
                DatabaseError::Lost { rows: self.label.into(), read, source: said.into() }
            }
            Error::Server(said) => self.said(said),
            _ if read > 0 => DatabaseError::Lost { rows: self.label.into(), read, source: error.into() },
            _ => self.connecting(error),
        }
    }

    /// Numbers as in the reference of MySQL's server errors.
    fn said(&self, said: ServerError) -> DatabaseError {
        let (connection, rows) = (self.server.connection.clone(), self.label.to_owned());
        let ServerError { code, message, .. } = said;
        match code {
            code if is_passing(code) => DatabaseError::Busy { connection, message },
            // Access denied; no such way to log in; an expired password; a locked account.
            1045 | 1251 | 1524 | 1698 | 1862 | 3118 | 4151 => {
                DatabaseError::Login { connection, user: self.server.user.clone(), message }
            }
            // No such database, table, column, function.
            1049 | 1054 | 1109 | 1146 | 1305 => DatabaseError::NotFound { rows, message },
            // Denied: the database, a command, a column, a privilege, a view's definer.
            1044 | 1142 | 1143 | 1227 | 1356 | 1370 => DatabaseError::Forbidden { rows, message },
            _ => DatabaseError::Query { rows, message },
        }
    }
}

/// Too many connections, a shutdown, a lock that was waited for, a deadlock, a connection that was killed.
fn is_passing(code: u16) -> bool {
    matches!(code, 1040 | 1053 | 1203 | 1205 | 1213 | 1226 | 1317 | 1927 | 1152 | 1158..=1161)
}
