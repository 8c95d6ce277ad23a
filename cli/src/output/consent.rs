//! A person agrees to a plan before anything is destroyed.

use std::io::{self, BufRead, IsTerminal, Write};

use xiangyun_engine::{Error, ErrorKind};

use crate::args::Consent;
use crate::report::printable;

/// Whether the plan that was just shown is to be carried out. Asks at a terminal; elsewhere `--yes` has to be said.
pub(crate) fn agreed(consent: Consent, question: &str) -> anyhow::Result<bool> {
    if consent.dry_run {
        return Ok(false);
    }
    if consent.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let hint = "say --yes to carry the plan out, or --dry-run to only see it";
        return Err(Error::new(ErrorKind::InvalidInput, "there is no terminal to ask at").with_hint(hint).into());
    }
    write!(io::stderr().lock(), "{} [y/N] ", printable(question))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes", "是"].contains(&answer.trim().to_lowercase().as_str()))
}
