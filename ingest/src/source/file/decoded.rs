//! The decoded text of one file, a piece at a time, with the places where bytes meant nothing.

use std::collections::VecDeque;

use super::content::{Content, Fingerprint};
use super::encoding::{Damage, Encoding, TextDecoder};
use super::find::SourceFile;
use super::inspect::Inspected;
use crate::source::SourceError;

/// Content bytes decoded at a time.
const PIECE_BYTES: usize = 256 << 10;

/// A window over the text of a file that was read before: what was decoded and not yet passed over.
pub(in crate::source) struct Decoded {
    content: Content,
    decoder: TextDecoder,
    piece: Vec<u8>,
    text: String,
    /// Bytes of `text` that are done with.
    done: usize,
    /// All of the content is in `text`.
    ended: bool,
    /// In order, their places in `text`.
    damages: VecDeque<Damage>,
}

impl Decoded {
    pub(in crate::source) fn open(file: &SourceFile, encoding: Encoding) -> Result<Self, SourceError> {
        Ok(Self::of(Content::open_again(file)?, &file.name, encoding))
    }

    /// As [`Self::open`], for a file that may have been read at its start only.
    pub(in crate::source) fn open_inspected(file: &SourceFile, inspected: &Inspected) -> Result<Self, SourceError> {
        Ok(Self::of(inspected.open(file)?, &file.name, inspected.encoding))
    }

    fn of(content: Content, name: &str, encoding: Encoding) -> Self {
        Self {
            content,
            decoder: TextDecoder::new(name, encoding),
            piece: vec![0; PIECE_BYTES],
            text: String::new(),
            done: 0,
            ended: false,
            damages: VecDeque::new(),
        }
    }

    /// What is decoded and not done with.
    pub(in crate::source) fn rest(&self) -> &str {
        &self.text[self.done..]
    }

    /// The first bytes of it.
    pub(in crate::source) fn first(&self, bytes: usize) -> &str {
        &self.text[self.done..self.done + bytes]
    }

    /// Whether nothing comes behind it.
    pub(in crate::source) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The first bytes of no meaning among the next `bytes`, their place counted from where these begin.
    pub(in crate::source) fn damage_within(&self, bytes: usize) -> Option<Damage> {
        let damage = self.damages.front().filter(|damage| damage.at < self.done + bytes)?;
        Some(Damage { at: damage.at - self.done, position: damage.position })
    }

    /// Is done with the next `bytes`.
    pub(in crate::source) fn advance(&mut self, bytes: usize) {
        self.done += bytes;
        while self.damages.front().is_some_and(|damage| damage.at < self.done) {
            self.damages.pop_front();
        }
    }

    /// Decodes the next piece.
    pub(in crate::source) fn fill(&mut self) -> Result<(), SourceError> {
        self.text.drain(..self.done);
        self.damages.iter_mut().for_each(|damage| damage.at -= self.done);
        self.done = 0;
        let count = self.content.read(&mut self.piece)?;
        self.ended = count == 0;
        let mut damages = Vec::new();
        self.decoder.decode_marking(&self.piece[..count], self.ended, &mut self.text, &mut damages);
        self.damages.extend(damages);
        Ok(())
    }

    pub(in crate::source) fn encoding(&self) -> Encoding {
        self.decoder.encoding()
    }

    /// The error for bytes of no meaning.
    pub(in crate::source) fn undecodable(&self, position: u64, line: u64) -> SourceError {
        self.decoder.undecodable(position, line)
    }

    /// Bytes read from disk so far.
    pub(in crate::source) fn stored_bytes(&self) -> u64 {
        self.content.stored_bytes()
    }

    /// The content, which may not have been read to its end.
    pub(in crate::source) fn into_content(self) -> Content {
        self.content
    }

    /// Of the file as it was read.
    pub(in crate::source) fn finish(self) -> Result<Fingerprint, SourceError> {
        self.content.finish_again()
    }
}
