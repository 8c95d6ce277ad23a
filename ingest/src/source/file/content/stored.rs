//! Bytes as stored, hashed as they are consumed.

use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256};

/// A file, or an entry of an archive.
pub(super) struct Stored {
    input: Box<dyn BufRead + Send>,
    pub(super) hash: Sha256,
    pub(super) size_bytes: u64,
    pub(super) is_entry: bool,
    /// Whether what lies below gave an error: the disk, or the archive.
    pub(super) failed: bool,
}

impl Stored {
    pub(super) fn new(input: Box<dyn BufRead + Send>, is_entry: bool) -> Self {
        Self { input, hash: Sha256::new(), size_bytes: 0, is_entry, failed: false }
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stored {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.input.fill_buf() {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                self.failed = error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }

    fn consume(&mut self, count: usize) {
        // A buffer that still holds bytes gives the same ones again, without touching what lies below.
        if count > 0
            && let Ok(bytes) = self.input.fill_buf()
        {
            self.hash.update(&bytes[..count]);
        }
        self.size_bytes += count as u64;
        self.input.consume(count);
    }
}
