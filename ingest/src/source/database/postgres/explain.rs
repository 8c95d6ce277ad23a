//! What PostgreSQL's errors mean for a load.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

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
    /// While the connection was made.
    pub(super) fn connecting(&self, error: Error) -> DatabaseError {
        if let Some(said) = error.as_db_error() {
            return self.said(said);
        }
        let (connection, place) = (self.server.connection.clone(), self.server.place());
        let text = error.to_string();
        if self.server.trusted.is_some() && text.contains("TLS") {
            return DatabaseError::Tls { connection, place, source: error.into() };
        }
        // A connection that is declared without a secret, to a server that wants one.
        if text.contains("password missing") || text.contains("authentication") {
            return DatabaseError::Login { connection, user: self.server.user.clone(), message: text };
        }
        DatabaseError::Unreachable { connection, place, source: error.into() }
    }

    /// While rows were asked for or came; `read` of them had come.
    pub(super) fn reading(&self, error: Error, read: u64) -> DatabaseError {
        let rows = || self.label.to_owned();
        match error.as_db_error() {
            Some(said) if read > 0 && is_passing(said.code()) => {
                DatabaseError::Lost { rows: rows(), read, source: error.into() }
            }
            Some(said) => self.said(said),
            None if read > 0 => DatabaseError::Lost { rows: rows(), read, source: error.into() },
            None => {
                let (connection, place) = (self.server.connection.clone(), self.server.place());
                DatabaseError::Unreachable { connection, place, source: error.into() }
            }
        }
    }

    fn said(&self, said: &DbError) -> DatabaseError {
        let (rows, message) = (self.label.to_owned(), said.message().to_owned());
        let connection = || self.server.connection.clone();
        let code = said.code();
        if is_passing(code) {
            return DatabaseError::Busy { connection: connection(), message };
        }
        if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code) {
            return DatabaseError::Login { connection: connection(), user: self.server.user.clone(), message };
        }
        let missing = [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::INVALID_CATALOG_NAME,
        ];
        if missing.contains(code) {
            return DatabaseError::NotFound { rows, message };
        }
        if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            return DatabaseError::Forbidden { rows, message };
        }
        DatabaseError::Query { rows, message }
    }
}

/// A server that starts or stops, is full, or had to choose between two.
fn is_passing(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .contains(code)
}
