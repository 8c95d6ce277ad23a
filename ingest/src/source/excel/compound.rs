//! Compound files, in which old workbooks and encrypted new ones are kept (MS-CFB): which streams they have, and one of
//! them as bytes. Only to look at a file before the library that reads it is trusted with it.

use std::fs::File;
use std::io::{Read, Seek};

use super::bad;
use crate::source::SourceError;

/// Bytes that a compound file may have: it is held in memory as a whole.
const LIMIT_BYTES: u64 = 256 << 20;

/// Sector numbers from here on mean no sector.
const RESERVED: u32 = 0xffff_fffa;

/// A stream's name, its first sector and its size.
#[derive(Debug)]
struct Stream {
    name: String,
    start: u32,
    size: usize,
}

/// An opened compound file.
#[derive(Debug)]
pub(super) struct Compound {
    name: String,
    bytes: Vec<u8>,
    sector_bytes: usize,
    fat: Vec<u32>,
    streams: Vec<Stream>,
    /// The stream in which small ones are kept, and its table.
    small: Vec<u8>,
    small_fat: Vec<u32>,
}

impl Compound {
    pub(super) const MAGIC: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

    pub(super) fn open(file: &mut File, name: &str) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Read { path: name.into(), source };
        let size = file.metadata().map_err(failed)?.len();
        if size > LIMIT_BYTES {
            let reason = format!("it has {size} bytes, and a file of this old format may have {LIMIT_BYTES}");
            return Err(bad(name, format!("{reason}; save it as .xlsx")));
        }
        let mut bytes = Vec::new();
        file.rewind().map_err(failed)?;
        file.read_to_end(&mut bytes).map_err(failed)?;
        file.rewind().map_err(failed)?;
        Self::parse(bytes, name).ok_or_else(|| bad(name, "it is damaged or cut off"))
    }

    fn parse(bytes: Vec<u8>, name: &str) -> Option<Self> {
        let sector_bytes = match u16_at(&bytes, 30)? {
            9 => 512,
            12 => 4096,
            _ => return None,
        };
        let mut found = Self {
            name: name.into(),
            sector_bytes,
            fat: Vec::new(),
            streams: Vec::new(),
            small: Vec::new(),
            small_fat: Vec::new(),
            bytes,
        };
        let (directory, small_fat, mut more) =
            (u32_at(&found.bytes, 48)?, u32_at(&found.bytes, 60)?, u32_at(&found.bytes, 68)?);
        let mut tables: Vec<u32> = words(found.bytes.get(76..512)?).collect();
        let sectors = found.bytes.len() / sector_bytes + 1;
        while more < RESERVED && tables.len() <= sectors {
            let mut next: Vec<u32> = words(found.sector(more)?).collect();
            more = next.pop()?;
            tables.extend(next);
        }
        for table in tables.into_iter().filter(|table| *table < RESERVED) {
            let words: Vec<u32> = words(found.sector(table)?).collect();
            found.fat.extend(words);
            if found.fat.len() > sectors + 2 * sector_bytes {
                return None;
            }
        }
        let entries = found.chain(directory)?;
        found.streams = entries.chunks_exact(128).filter_map(stream).collect();
        let root = found.streams.first()?.start;
        if root < RESERVED {
            found.small = found.chain(root)?;
        }
        if small_fat < RESERVED {
            found.small_fat = words(&found.chain(small_fat)?).collect();
        }
        Some(found)
    }

    /// Whether there is a stream of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.streams.iter().any(|stream| stream.name.eq_ignore_ascii_case(name))
    }

    /// The bytes of a stream.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let stream = self.streams.iter().find(|stream| stream.name.eq_ignore_ascii_case(name));
        let read = |stream: &Stream| {
            let mut bytes =
                if stream.size < 4096 { self.small_chain(stream.start)? } else { self.chain(stream.start)? };
            bytes.truncate(stream.size);
            Some(bytes)
        };
        stream.and_then(read).ok_or_else(|| bad(&self.name, "it is damaged or cut off"))
    }

    /// A sector; the last one may be cut.
    fn sector(&self, number: u32) -> Option<&[u8]> {
        let start = (number as usize).checked_add(1)?.checked_mul(self.sector_bytes)?;
        let end = start.checked_add(self.sector_bytes)?.min(self.bytes.len());
        self.bytes.get(start..end)
    }

    /// The sectors of a chain. One that has more of them than the file runs in a circle.
    fn chain(&self, mut next: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while next < RESERVED {
            bytes.extend_from_slice(self.sector(next)?);
            if bytes.len() > self.bytes.len() {
                return None;
            }
            next = *self.fat.get(next as usize)?;
        }
        Some(bytes)
    }

    fn small_chain(&self, mut next: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while next < RESERVED {
            let start = next as usize * 64;
            bytes.extend_from_slice(self.small.get(start..start + 64)?);
            if bytes.len() > self.small.len() {
                return None;
            }
            next = *self.small_fat.get(next as usize)?;
        }
        Some(bytes)
    }
}

fn stream(entry: &[u8]) -> Option<Stream> {
    let length = usize::from(u16_at(entry, 64)?).checked_sub(2)?.min(64);
    let units: Vec<u16> = entry[..length].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let size = u32_at(entry, 120)? as usize;
    Some(Stream { name: String::from_utf16_lossy(&units), start: u32_at(entry, 116)?, size })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|word| u16::from_le_bytes([word[0], word[1]]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}
