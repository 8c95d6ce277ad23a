//! Zip files: the directory at their end is read once, and each entry where it stands.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use zip::{CompressionMethod, ZipArchive};

use super::{Directory, Entry, Listed};
use crate::source::SourceError;
use crate::source::file::content::Method;

/// The first bytes of a zip file with entries, without any, and of a part of several.
const MAGICS: [[u8; 4]; 3] = [*b"PK\x03\x04", *b"PK\x05\x06", *b"PK\x07\x08"];

/// Bytes at the end of a file in which its directory's end record stands, behind which a comment may follow.
const END_BYTES: u64 = 22 + 0xffff;

pub(super) fn is_zip(start: &[u8]) -> bool {
    MAGICS.iter().any(|magic| start.starts_with(magic))
}

/// The entries; none for a document that only is kept as a zip file, as spreadsheets are.
pub(super) fn list(directory: &Directory<'_>) -> Result<Option<Vec<Listed>>, SourceError> {
    let broken = |error: zip::result::ZipError| directory.bad(format!("it is no complete zip file ({error})"));
    let mut input = BufReader::new(directory.open()?);
    let declared = declared_entries(&mut input);
    let mut archive = ZipArchive::new(input).map_err(broken)?;
    directory.check_count(archive.len())?;
    let is_document = |name: &str| name == "[Content_Types].xml" || name == "META-INF/manifest.xml";
    let mut listed = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(broken)?;
        let name = directory.name(entry.name_raw())?;
        if is_document(&name) {
            return Ok(None);
        }
        if entry.is_dir() || name.ends_with('/') {
            continue;
        }
        if entry.encrypted() {
            return Err(directory.bad_entry(&name, "is encrypted"));
        }
        if entry.is_symlink() {
            return Err(directory.bad_entry(&name, "is a link"));
        }
        let Some(method) = method(entry.compression()) else {
            let reason = format!("is packed by a method that is not read ({})", entry.compression());
            return Err(directory.bad_entry(&name, &reason));
        };
        let Some(start) = entry.data_start() else {
            return Err(directory.bad_entry(&name, "stands nowhere in the archive"));
        };
        let entry = Entry {
            archive: Arc::clone(&directory.archive),
            start,
            packed_bytes: entry.compressed_size(),
            size_bytes: entry.size(),
            method,
            crc32: Some(entry.crc32()),
        };
        listed.push(Listed { name, entry });
    }
    // The library keeps one of several entries with the same name; the others' rows would be lost without a word.
    if declared.is_some_and(|declared| usize::from(declared) != archive.len() & 0xffff) {
        return Err(directory.bad("several of its entries have the same name"));
    }
    // Entries that share bytes are how a small archive holds more than its size allows.
    if archive.has_overlapping_files().map_err(broken)? {
        return Err(directory.bad("its entries overlap"));
    }
    Ok(Some(listed))
}

fn method(method: CompressionMethod) -> Option<Method> {
    match method {
        CompressionMethod::Stored => Some(Method::Stored),
        CompressionMethod::Deflated => Some(Method::Deflate),
        CompressionMethod::Deflate64 => Some(Method::Deflate64),
        CompressionMethod::Bzip2 => Some(Method::Bzip2),
        CompressionMethod::Zstd => Some(Method::Zstd),
        CompressionMethod::Xz => Some(Method::Xz),
        _ => None,
    }
}

/// The number of entries by the directory's end record; none where it stands elsewhere, as in large archives.
fn declared_entries(input: &mut (impl Read + Seek)) -> Option<u16> {
    let size = input.seek(SeekFrom::End(0)).ok()?;
    input.seek(SeekFrom::Start(size.saturating_sub(END_BYTES))).ok()?;
    let mut end = Vec::new();
    input.take(END_BYTES).read_to_end(&mut end).ok()?;
    let at = end.windows(4).rposition(|bytes| bytes == b"PK\x05\x06")?;
    let count = end.get(at + 10..at + 12)?;
    Some(u16::from_le_bytes([count[0], count[1]])).filter(|count| *count != u16::MAX)
}
