//! An object on each line.

use super::super::SourceError;
use super::super::file::{Content, Damage, StoredBytes, TextDecoder};
use super::ROW_LIMIT_BYTES;
use super::row::{RowReader, RowText};

/// Content bytes decoded at a time.
const PIECE_BYTES: usize = 256 << 10;

/// The lines of a file.
pub(super) struct Lines {
    content: Content,
    decoder: TextDecoder,
    name: String,
    piece: Vec<u8>,
    text: String,
    /// Bytes of `text` that are done with.
    done: usize,
    /// Damaged places in `text`.
    damages: Vec<Damage>,
    ended: bool,
    line: u64,
}

impl Lines {
    pub(super) fn new(content: Content, decoder: TextDecoder, name: &str) -> Self {
        Self {
            content,
            decoder,
            name: name.into(),
            piece: vec![0; PIECE_BYTES],
            text: String::new(),
            done: 0,
            damages: Vec::new(),
            ended: false,
            line: 0,
        }
    }

    fn fill(&mut self) -> Result<(), SourceError> {
        self.text.drain(..self.done);
        self.damages.retain(|damage| damage.at >= self.done);
        self.damages.iter_mut().for_each(|damage| damage.at -= self.done);
        self.done = 0;
        let count = self.content.read(&mut self.piece)?;
        self.ended = count == 0;
        self.decoder.decode_marking(&self.piece[..count], self.ended, &mut self.text, &mut self.damages);
        Ok(())
    }
}

impl RowReader for Lines {
    fn next(&mut self) -> Result<Option<RowText>, SourceError> {
        loop {
            let rest = &self.text[self.done..];
            let Some(end) = rest.find('\n').or_else(|| self.ended.then_some(rest.len())) else {
                if rest.len() > ROW_LIMIT_BYTES {
                    let (path, line) = (self.name.clone(), self.line + 1);
                    return Err(SourceError::RowTooLong { path, line, limit_bytes: ROW_LIMIT_BYTES });
                }
                self.fill()?;
                continue;
            };
            if rest.is_empty() && self.ended {
                return Ok(None);
            }
            let (start, stop) = (self.done, self.done + end);
            let text = rest[..end].trim().to_owned();
            self.done = (stop + 1).min(self.text.len());
            self.line += 1;
            if text.is_empty() {
                continue;
            }
            let damage = self.damages.iter().find(|damage| (start..stop).contains(&damage.at));
            let fault = damage.map(|damage| {
                let message = format!("byte {} is no {} text", damage.position, self.decoder.encoding().name());
                ("ENCODING", message)
            });
            return Ok(Some(RowText { text, line: self.line, fault }));
        }
    }

    fn stored_bytes(&self) -> u64 {
        self.content.stored_bytes()
    }

    fn finish(self: Box<Self>) -> Result<StoredBytes, SourceError> {
        self.content.finish()
    }
}
