//! An object on each line.

use super::super::SourceError;
use super::super::file::{Decoded, Encoding, Fingerprint, SourceFile};
use super::ROW_LIMIT_BYTES;
use super::row::{RowReader, RowText};

/// The lines of a file.
pub(super) struct Lines {
    name: String,
    text: Decoded,
    line: u64,
}

impl Lines {
    pub(super) fn open(file: &SourceFile, encoding: Encoding) -> Result<Self, SourceError> {
        Ok(Self { name: file.name.clone(), text: Decoded::open(file, encoding)?, line: 0 })
    }
}

impl RowReader for Lines {
    fn next(&mut self) -> Result<Option<RowText>, SourceError> {
        loop {
            let rest = self.text.rest();
            let Some(end) = rest.find('\n').or_else(|| self.text.has_ended().then_some(rest.len())) else {
                if rest.len() > ROW_LIMIT_BYTES {
                    let (path, line) = (self.name.clone(), self.line + 1);
                    return Err(SourceError::RowTooLong { path, line, limit_bytes: ROW_LIMIT_BYTES });
                }
                self.text.fill()?;
                continue;
            };
            if rest.is_empty() && self.text.has_ended() {
                return Ok(None);
            }
            let with_break = (end + 1).min(rest.len());
            let text = rest[..end].trim().to_owned();
            let fault = self.text.damage_within(end).map(|damage| {
                let message = format!("byte {} is no {} text", damage.position, self.text.encoding().name());
                ("ENCODING", message)
            });
            self.text.advance(with_break);
            self.line += 1;
            if text.is_empty() {
                continue;
            }
            return Ok(Some(RowText { text, line: self.line, fault }));
        }
    }

    fn stored_bytes(&self) -> u64 {
        self.text.stored_bytes()
    }

    fn finish(self: Box<Self>) -> Result<Fingerprint, SourceError> {
        self.text.finish()
    }
}
