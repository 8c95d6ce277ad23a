//! All faults of a project's files as one failure.

use std::fmt;

use xiangyun_engine::project::{Diagnostics, Severity, render};

/// The project cannot be used as it is.
#[derive(Debug)]
pub(crate) struct Faults(Diagnostics);

impl Faults {
    pub(crate) fn new(diagnostics: Diagnostics) -> Self {
        Self(diagnostics)
    }

    /// Every finding with its place, an empty line behind each.
    pub(crate) fn render(&self, color: bool) -> String {
        self.0.iter().map(|diagnostic| render(diagnostic, color) + "\n").collect()
    }

    /// How many there are, as in `2 errors, 1 warning`.
    pub(crate) fn summary(&self) -> String {
        let count = |severity| self.0.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        format!("{}, {}", plural(count(Severity::Error), "error"), plural(count(Severity::Warning), "warning"))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the project's files have {}", self.summary())
    }
}

impl std::error::Error for Faults {}

/// `1 row`, `2 rows`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
