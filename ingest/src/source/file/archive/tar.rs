//! Tar files.

use std::io::BufReader;
use std::sync::Arc;

use super::{Directory, Entry, Listed};
use crate::source::SourceError;
use crate::source::file::content::Method;

/// What a header takes.
pub(super) const BLOCK_BYTES: usize = 512;

/// Whether a file begins with a header whose checksum is right, which no text has by chance.
pub(super) fn is_tar(start: &[u8]) -> bool {
    let Some(header) = start.get(..BLOCK_BYTES) else { return false };
    let written = std::str::from_utf8(&header[148..156]).unwrap_or_default();
    let Ok(written) = u32::from_str_radix(written.trim_matches(['\0', ' ']), 8) else { return false };
    let blanked = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    blanked.map(u32::from).sum::<u32>() == written
}

/// The entries, of which only the headers are read.
pub(super) fn list(directory: &Directory<'_>) -> Result<Vec<Listed>, SourceError> {
    let broken = |error: std::io::Error| directory.bad(format!("it is no complete tar file ({error})"));
    let input = directory.open()?;
    let end = input.metadata().map_err(broken)?.len();
    let mut archive = tar::Archive::new(BufReader::new(input));
    let mut listed = Vec::new();
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        let name = directory.name(&entry.path_bytes())?;
        if kind.is_dir() || kind.is_pax_global_extensions() || name.ends_with('/') {
            continue;
        }
        if kind.is_symlink() || kind.is_hard_link() {
            return Err(directory.bad_entry(&name, "is a link"));
        }
        if !kind.is_file() && !kind.is_contiguous() {
            return Err(directory.bad_entry(&name, "is neither a file nor a folder"));
        }
        let (start, size_bytes) = (entry.raw_file_position(), entry.size());
        if start.checked_add(size_bytes).is_none_or(|behind| behind > end) {
            return Err(directory.bad_entry(&name, "is cut off"));
        }
        let archive = Arc::clone(&directory.archive);
        let method = Method::Stored;
        let entry = Entry { archive, start, packed_bytes: size_bytes, size_bytes, method, crc32: None };
        listed.push(Listed { name, entry });
        directory.check_count(listed.len())?;
    }
    Ok(listed)
}
