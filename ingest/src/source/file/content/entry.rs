//! One entry of an archive, read where it stands: nothing before it is read or unpacked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::{Limits, READ_BYTES, xz_stream};
use crate::source::SourceError;

/// An archive on this machine, as it was when its entries were listed.
#[derive(Debug)]
pub(in crate::source) struct Archive {
    /// How it is named in reports.
    name: String,
    path: PathBuf,
    size_bytes: u64,
    modified: Option<SystemTime>,
    /// Bytes of the file that was sent, which may be a compressed one around this.
    sent_bytes: u64,
    expanded: Mutex<Expanded>,
}

/// What entries have become so far.
#[derive(Debug, Default)]
struct Expanded {
    /// The most bytes that each was seen to have, by where it begins: they are read more than once.
    entries: HashMap<u64, u64>,
    total: u64,
}

/// How a zip file packs an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Method {
    Stored,
    Deflate,
    Deflate64,
    Bzip2,
    Zstd,
    Xz,
}

/// Where an entry's bytes stand.
#[derive(Debug, Clone)]
pub(in crate::source) struct Entry {
    pub(in crate::source) archive: Arc<Archive>,
    /// Position of its first packed byte in the archive.
    pub(in crate::source) start: u64,
    pub(in crate::source) packed_bytes: u64,
    pub(in crate::source) size_bytes: u64,
    pub(in crate::source) method: Method,
    /// What zip files keep of each entry, and tar files do not.
    pub(in crate::source) crc32: Option<u32>,
}

impl Archive {
    /// The archive at `path`, which was sent in a file of `sent_bytes`.
    pub(in crate::source) fn new(name: &str, path: &Path, sent_bytes: u64) -> io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self {
            name: name.into(),
            path: path.into(),
            size_bytes: found.len(),
            modified: found.modified().ok(),
            sent_bytes,
            expanded: Mutex::default(),
        })
    }

    /// # Errors
    /// [`SourceError::TooLarge`] where the entries, each within its limits, are too much together: by what the archive
    /// says of them.
    pub(in crate::source) fn check_said(&self, limits: &Limits, expanded: u64) -> Result<(), SourceError> {
        limits.check(&self.name, self.sent_bytes, expanded)
    }

    /// # Errors
    /// As [`Self::check_said`], by what was seen: `bytes` of the entry that begins at `start`.
    pub(super) fn check_seen(&self, limits: &Limits, start: u64, bytes: u64) -> Result<(), SourceError> {
        let mut expanded = self.expanded.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = expanded.entries.entry(start).or_default();
        let more = bytes.saturating_sub(*seen);
        *seen += more;
        expanded.total = expanded.total.saturating_add(more);
        self.check_said(limits, expanded.total)
    }
}

impl Entry {
    /// The entry's content; none where the archive is no longer the one that was listed.
    pub(super) fn open(&self) -> io::Result<Option<Box<dyn BufRead + Send>>> {
        let mut file = File::open(&self.archive.path)?;
        let found = file.metadata()?;
        if found.len() != self.archive.size_bytes || found.modified().ok() != self.archive.modified {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(self.start))?;
        let packed = BufReader::with_capacity(READ_BYTES, file.take(self.packed_bytes));
        let unpacked: Box<dyn Read + Send> = match self.method {
            Method::Stored => Box::new(packed),
            Method::Deflate => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
            Method::Deflate64 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
            Method::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(packed)),
            Method::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            Method::Xz => Box::new(liblzma::bufread::XzDecoder::new_stream(packed, xz_stream()?)),
        };
        let checked = Checked { unpacked, crc: flate2::Crc::new(), left: self.size_bytes, crc32: self.crc32 };
        Ok(Some(Box::new(BufReader::with_capacity(READ_BYTES, checked))))
    }
}

/// Compares what comes with what the archive says of it.
struct Checked {
    unpacked: Box<dyn Read + Send>,
    crc: flate2::Crc,
    /// Bytes that are still to come.
    left: u64,
    crc32: Option<u32>,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let broken = |message: String| Err(io::Error::new(io::ErrorKind::InvalidData, message));
        let count = self.unpacked.read(buffer)?;
        if count == 0 {
            if buffer.is_empty() {
                return Ok(0);
            }
            if self.left != 0 {
                return broken(format!("it ends {} bytes too early", self.left));
            }
            return match self.crc32 {
                Some(expected) if expected != self.crc.sum() => broken("its checksum is wrong".into()),
                _ => Ok(0),
            };
        }
        let Some(left) = self.left.checked_sub(count as u64) else {
            return broken("it holds more than the archive says".into());
        };
        self.left = left;
        if self.crc32.is_some() {
            self.crc.update(&buffer[..count]);
        }
        Ok(count)
    }
}
