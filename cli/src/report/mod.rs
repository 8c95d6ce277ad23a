//! Failures as people read them: the message, its causes, the source line with a caret, a hint. All to standard error.

mod exit_code;
mod faults;
mod sql_failure;

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use xiangyun_engine::Error;

pub(crate) use exit_code::{Exit, exit_of};
pub(crate) use faults::{Faults, plural};
pub(crate) use sql_failure::SqlFailure;

/// The user pressed Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl StdError for Interrupted {}

/// Several commands in one failed, each told already: only the exit code is left to say.
#[derive(Debug)]
pub(crate) struct AlreadyTold(pub(crate) Exit);

impl std::fmt::Display for AlreadyTold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl StdError for AlreadyTold {}

/// Whether standard error takes colours. Meaning is never in the colour alone.
pub(crate) fn color(environment: &crate::settings::Environment) -> bool {
    environment.get("NO_COLOR").is_none() && io::stderr().is_terminal()
}

/// Tells the failure, where there is something to tell.
pub(crate) fn tell(error: &anyhow::Error, color: bool) {
    if error.is::<AlreadyTold>() || is_broken_pipe(error) {
        return;
    }
    // a report that cannot be written has nowhere else to go
    let _ = io::stderr().lock().write_all(text(error, color).as_bytes());
}

/// Whether the reader of our output went away, which is its right.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// The failure as text, ending in a line break.
pub(crate) fn text(error: &anyhow::Error, color: bool) -> String {
    if let Some(faults) = error.downcast_ref::<Faults>() {
        return faults.render(color) + &faults.summary() + "\n";
    }
    if let Some(snippet) = error.downcast_ref::<SqlFailure>().and_then(|failure| failure.render(color)) {
        return snippet;
    }
    let mark = if color { "\x1b[1;31merror\x1b[0m" } else { "error" };
    let mut told = vec![printable(&error.to_string())];
    let mut text = format!("{mark}: {}\n", told[0]);
    for cause in error.chain().skip(1) {
        let message = printable(&cause.to_string());
        if !told.iter().any(|earlier| earlier.contains(&message)) {
            let _ = writeln!(text, "  caused by: {message}");
            told.push(message);
        }
    }
    if let Some(hint) = error.chain().find_map(|cause| cause.downcast_ref::<Error>()?.hint()) {
        let _ = writeln!(text, "  hint: {}", printable(hint));
    }
    text
}

/// The text without anything that would move a terminal's cursor; line breaks stay.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use anyhow::Context;
    use xiangyun_engine::ErrorKind;

    use super::*;

    #[test]
    fn causes_are_told_once_each_and_the_hint_last() {
        let cause = Error::new(ErrorKind::Unavailable, "cannot reach the store")
            .with_hint("look at storage.endpoint")
            .with_source(io::Error::other("connection refused"));
        let error = Err::<(), _>(anyhow::Error::from(cause)).context("cannot open the lake").unwrap_err();
        assert_eq!(
            text(&error, false),
            "error: cannot open the lake\n  caused by: cannot reach the store\n  caused by: connection refused\n  \
             hint: look at storage.endpoint\n"
        );
    }

    #[test]
    fn escapes_in_messages_do_not_reach_the_terminal() {
        let error = anyhow::anyhow!("no table `\x1b[2J`");
        assert!(!text(&error, false).contains('\x1b'));
    }

    #[test]
    fn a_closed_pipe_is_recognised_behind_context() {
        let error = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot write").unwrap_err();
        assert!(is_broken_pipe(&error));
    }
}
