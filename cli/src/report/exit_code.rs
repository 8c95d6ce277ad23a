//! The one table from failures to exit codes.

use std::process::ExitCode;

use xiangyun_engine::{Error, ErrorKind};

use super::{AlreadyTold, Faults, Interrupted, SqlFailure, is_broken_pipe};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Not done.
    Failed = 1,
    /// Asked in a way that makes no sense.
    Usage = 2,
    /// The SQL is at fault.
    Sql = 3,
    /// Not known, or not allowed.
    Auth = 4,
    /// The data breaks its contract.
    DataQuality = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidInput => Self::Usage,
            ErrorKind::Sql => Self::Sql,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => Self::Auth,
            ErrorKind::DataQuality => Self::DataQuality,
            ErrorKind::Cancelled => Self::Interrupted,
            ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Unavailable
            | ErrorKind::LimitExceeded
            | ErrorKind::Busy
            | ErrorKind::Unsupported
            | ErrorKind::Corrupted
            | ErrorKind::Internal => Self::Failed,
        }
    }
}

/// How a failure ends the process.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(AlreadyTold(exit)) = error.downcast_ref() {
        return *exit;
    }
    if is_broken_pipe(error) {
        return Exit::Ok;
    }
    if error.is::<Interrupted>() {
        return Exit::Interrupted;
    }
    if error.is::<Faults>() {
        return Exit::Failed;
    }
    let Some(cause) = error.chain().find_map(|cause| cause.downcast_ref::<Error>()) else { return Exit::Failed };
    match cause.kind() {
        // a statement that names what is not there, or asks for what queries may not do, is at fault itself
        ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::Unsupported if error.is::<SqlFailure>() => Exit::Sql,
        kind => kind.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn every_failure_has_the_code_that_scripts_rely_on() {
        let of = |kind| exit_of(&Error::new(kind, "x").into()) as u8;
        assert_eq!(of(ErrorKind::InvalidInput), 2);
        assert_eq!(of(ErrorKind::Sql), 3);
        assert_eq!(of(ErrorKind::Unauthenticated), 4);
        assert_eq!(of(ErrorKind::Forbidden), 4);
        assert_eq!(of(ErrorKind::DataQuality), 5);
        assert_eq!(of(ErrorKind::Cancelled), 130);
        assert_eq!(of(ErrorKind::NotFound), 1);
        assert_eq!(exit_of(&Interrupted.into()) as u8, 130);
        assert_eq!(exit_of(&anyhow::anyhow!("x")) as u8, 1);
        assert_eq!(exit_of(&io::Error::from(io::ErrorKind::BrokenPipe).into()) as u8, 0);
    }

    #[test]
    fn what_a_statement_names_in_vain_is_the_statements_fault() {
        let failure = SqlFailure::new(Error::new(ErrorKind::NotFound, "no table `a.b`"), "-c", "select * from a.b", 0);
        assert_eq!(exit_of(&failure.into()) as u8, 3);
        let failure = SqlFailure::new(Error::new(ErrorKind::LimitExceeded, "too slow"), "-c", "select 1", 0);
        assert_eq!(exit_of(&failure.into()) as u8, 1);
    }
}
