//! Bytes as stored, hashed as they are consumed.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::hex;

/// Drawn by each process, so that nobody can make two contents that have the same fingerprint.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

/// Tells whether a second reading of a file gave the bytes of the first, many times faster than SHA-256, which names
/// them for good. It means nothing to other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Fingerprint(u128);

/// A file, or an entry of an archive.
pub(super) struct Stored {
    input: Box<dyn BufRead + Send>,
    fingerprint: Xxh3,
    /// None on a second reading.
    sha256: Option<Sha256>,
    pub(super) size_bytes: u64,
    pub(super) is_entry: bool,
    /// Whether what lies below gave an error: the disk, or the archive.
    pub(super) failed: bool,
}

impl Stored {
    /// `names` them by their SHA-256.
    pub(super) fn new(input: Box<dyn BufRead + Send>, is_entry: bool, names: bool) -> Self {
        let (fingerprint, sha256) = (Xxh3::with_seed(*SEED), names.then(Sha256::new));
        Self { input, fingerprint, sha256, size_bytes: 0, is_entry, failed: false }
    }

    /// Of the bytes so far.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.fingerprint.digest128())
    }

    /// Of the bytes so far, in lower-case hexadecimal; none on a second reading.
    pub(super) fn sha256(&self) -> Option<String> {
        self.sha256.clone().map(|hash| hex(&hash.finalize()))
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
            self.fingerprint.update(&bytes[..count]);
            if let Some(hash) = &mut self.sha256 {
                hash.update(&bytes[..count]);
            }
        }
        self.size_bytes += count as u64;
        self.input.consume(count);
    }
}
