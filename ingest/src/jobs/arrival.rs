//! Files that come or change under a watched path.

use crate::pipeline::SourceDef;
use crate::source::{SourceContext, SourceError, fingerprint};

/// Looks at one source again and again.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// What the last look saw.
    seen: Option<String>,
    /// What was there when it was last loaded.
    loaded: Option<String>,
}

impl Watch {
    /// Looks once; true where there is something new that has stayed the same since the look before.
    ///
    /// # Errors
    /// Where the source cannot be looked at. That there are no files is no error.
    pub(super) fn look(&mut self, context: &SourceContext, source: &SourceDef) -> Result<bool, SourceError> {
        let now = fingerprint(context, source)?;
        let stayed = now.is_some() && now == self.seen;
        self.seen = now;
        Ok(stayed && self.seen != self.loaded)
    }

    /// What was seen last is loaded.
    pub(super) fn done(&mut self) {
        self.loaded.clone_from(&self.seen);
    }
}
