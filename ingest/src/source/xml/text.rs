//! The text of a file as a parser reads it: with its lines counted, and never more of it at once than a row may have.

use std::io::{self, BufRead, Read};

use crate::source::SourceError;
use crate::source::file::{Decoded, Fingerprint};

/// Bytes that one row, or what stands between two, may have.
const ROW_LIMIT_BYTES: usize = 16 << 20;

/// Decoded text, piece by piece.
pub(super) struct Text {
    name: String,
    text: Decoded,
    /// The line at which the rest begins, from 1.
    pub(super) line: u64,
    /// Bytes since the last row ended.
    since: usize,
    /// Position of bytes of no meaning that were passed over.
    damage: Option<u64>,
    failure: Option<SourceError>,
}

impl Text {
    pub(super) fn new(name: &str, text: Decoded) -> Self {
        Self { name: name.into(), text, line: 1, since: 0, damage: None, failure: None }
    }

    /// What the parser reads from here on is another row, or none.
    pub(super) fn begin(&mut self) {
        self.since = 0;
    }

    /// What is wrong with bytes that were passed over since the last call, in words.
    pub(super) fn take_damage(&mut self) -> Option<String> {
        let encoding = self.text.encoding().name();
        let position = self.damage.take()?;
        Some(format!("byte {position} of the content is no part of a character in {encoding}"))
    }

    /// The error behind one of the parser's.
    pub(super) fn take_failure(&mut self) -> Option<SourceError> {
        self.failure.take()
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.text.stored_bytes()
    }

    pub(super) fn finish(self) -> Result<Fingerprint, SourceError> {
        self.text.finish()
    }

    fn fail(&mut self, failure: SourceError) -> io::Error {
        self.failure = Some(failure);
        io::Error::other("the content cannot be read")
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > ROW_LIMIT_BYTES {
            let (path, line) = (self.name.clone(), self.line);
            return Err(self.fail(SourceError::RowTooLong { path, line, limit_bytes: ROW_LIMIT_BYTES }));
        }
        while self.text.rest().is_empty() && !self.text.has_ended() {
            if let Err(failure) = self.text.fill() {
                return Err(self.fail(failure));
            }
        }
        Ok(self.text.rest().as_bytes())
    }

    fn consume(&mut self, bytes: usize) {
        let passed = &self.text.rest().as_bytes()[..bytes];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.since += bytes;
        if let Some(damage) = self.text.damage_within(bytes) {
            self.damage.get_or_insert(damage.position);
        }
        self.text.advance(bytes);
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
