//! Archives: their entries are files of the source, named behind the archive's own name.

mod tar;
mod zip;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ::glob::Pattern;
use encoding_rs::GB18030;

use super::content::{Archive, Content, Entry, Spool};
use super::find::{MATCHING, SourceFile, is_hidden};
use crate::source::SourceError;

use self::zip::is_zip;

/// Entries that an archive may have.
const ENTRY_LIMIT: usize = 1_000_000;

/// An entry as an archive's directory tells it.
struct Listed {
    name: String,
    entry: Entry,
}

/// The files that `file` holds: its entries in the order of their names where it is a zip or tar archive, itself where
/// it is none. `wanted` picks entries.
///
/// # Errors
/// Where the archive is damaged or holds what cannot be read: encrypted entries, links, names that lead elsewhere.
pub(super) fn expand(file: SourceFile, wanted: Option<&Pattern>) -> Result<Vec<SourceFile>, SourceError> {
    let (mut start, path) = (Vec::new(), file.name.clone());
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: path.clone() },
        _ => SourceError::Read { path: path.clone(), source },
    };
    let opened = File::open(&file.path).map_err(failed)?;
    opened.take(tar::BLOCK_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
    if is_zip(&start) {
        let directory = Directory::new(&file, &file)?;
        return match zip::list(&directory)? {
            Some(listed) => directory.files(listed, wanted),
            None => Ok(vec![file]),
        };
    }
    if tar::is_tar(&start) {
        let directory = Directory::new(&file, &file)?;
        return directory.files(tar::list(&directory)?, wanted);
    }
    match unpacked_tar(&file)? {
        Some(unpacked) => {
            let directory = Directory::new(&unpacked, &file)?;
            directory.files(tar::list(&directory)?, wanted)
        }
        None => Ok(vec![file]),
    }
}

/// Whether a file that is an archive's entry is an archive itself.
pub(super) fn is_nested(file: &SourceFile) -> Result<bool, SourceError> {
    let start = start(Content::open_any(file)?)?;
    Ok(is_zip(&start) || tar::is_tar(&start))
}

/// The first bytes of a content, as many as it takes to know an archive.
fn start(mut content: Content) -> Result<Vec<u8>, SourceError> {
    let (mut start, mut count) = (vec![0; tar::BLOCK_BYTES], 0);
    while count < start.len() {
        match content.read(&mut start[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            // Whoever reads the file as what it is says it better.
            Err(SourceError::BrokenCompression { .. } | SourceError::BrokenEntry { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    start.truncate(count);
    Ok(start)
}

/// A tar file within a compressed file, spooled once so that its entries can be read where they stand.
fn unpacked_tar(file: &SourceFile) -> Result<Option<SourceFile>, SourceError> {
    let content = Content::open_any(file)?;
    if content.is_plain() || !tar::is_tar(&start(content)?) {
        return Ok(None);
    }
    let failed = |source| SourceError::Spool { path: file.name.clone(), source };
    let spool = Spool::new().map_err(failed)?;
    let (mut copy, path) = spool.create().map_err(failed)?;
    Content::open_any(file)?.copy(&mut copy)?;
    Ok(Some(SourceFile { path, spool: Some(spool), ..file.clone() }))
}

/// An archive whose entries are being listed.
struct Directory<'a> {
    file: &'a SourceFile,
    archive: Arc<Archive>,
}

impl<'a> Directory<'a> {
    /// The archive `file`, which came in `sent`.
    fn new(file: &'a SourceFile, sent: &SourceFile) -> Result<Self, SourceError> {
        let archive = std::fs::metadata(&sent.path).and_then(|sent| Archive::new(&file.name, &file.path, sent.len()));
        let archive = archive.map_err(|source| SourceError::Read { path: file.name.clone(), source })?;
        Ok(Self { file, archive: Arc::new(archive) })
    }

    fn open(&self) -> Result<File, SourceError> {
        File::open(&self.file.path).map_err(|source| SourceError::Read { path: self.file.name.clone(), source })
    }

    fn bad(&self, reason: impl Into<String>) -> SourceError {
        SourceError::BadArchive { path: self.file.name.clone(), reason: reason.into() }
    }

    fn bad_entry(&self, name: &str, reason: &str) -> SourceError {
        self.bad(format!("entry `{name}` {reason}"))
    }

    fn check_count(&self, entries: usize) -> Result<(), SourceError> {
        if entries > ENTRY_LIMIT {
            return Err(self.bad(format!("it has more than {ENTRY_LIMIT} entries, which is the limit")));
        }
        Ok(())
    }

    /// A name as it is written in the archive: UTF-8, or GB18030 as tools on Chinese Windows write it.
    fn name(&self, raw: &[u8]) -> Result<String, SourceError> {
        let name = match std::str::from_utf8(raw) {
            Ok(name) => name.to_owned(),
            Err(_) => match GB18030.decode_without_bom_handling_and_without_replacement(raw) {
                Some(name) => name.into_owned(),
                None => {
                    let shown = raw.escape_ascii().to_string();
                    return Err(self.bad_entry(&shown, "has a name that is neither UTF-8 nor GB18030"));
                }
            },
        };
        let name = name.replace('\\', "/");
        let name = name.trim_start_matches("./");
        let drive = name.as_bytes().get(1) == Some(&b':');
        if name.starts_with('/') || drive || name.contains('\0') || name.split('/').any(|part| part == "..") {
            return Err(self.bad_entry(&name.escape_debug().to_string(), "has a name that leads out of the archive"));
        }
        Ok(name.to_owned())
    }

    /// The entries as files of the source.
    fn files(&self, mut listed: Vec<Listed>, wanted: Option<&Pattern>) -> Result<Vec<SourceFile>, SourceError> {
        listed.retain(|listed| !is_left_out(&listed.name) && wanted.is_none_or(|wanted| matches(wanted, &listed.name)));
        if listed.is_empty() {
            return Err(match wanted {
                Some(wanted) => self.bad(format!("it has no entry `{wanted}`")),
                None => self.bad("it holds no file"),
            });
        }
        let said = listed.iter().fold(0_u64, |sum, listed| sum.saturating_add(listed.entry.size_bytes));
        self.archive.check_said(&self.file.limits, said)?;
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        let mut seen = HashSet::with_capacity(listed.len());
        if let Some(twin) = listed.iter().find(|listed| !seen.insert(listed.name.as_str())) {
            return Err(self.bad_entry(&twin.name, "stands in it twice"));
        }
        let file = |listed: Listed| {
            let name = format!("{}/{}", self.file.name, listed.name);
            let entry = &listed.entry;
            self.file.limits.check(&name, entry.packed_bytes, entry.size_bytes)?;
            Ok(SourceFile { name, entry: Some(listed.entry), ..self.file.clone() })
        };
        listed.into_iter().map(file).collect()
    }
}

/// What tools put beside the files that were meant.
fn is_left_out(name: &str) -> bool {
    is_hidden(name) || name.split('/').any(|part| part == "__MACOSX")
}

/// A pattern without a folder means files of that name in every folder.
fn matches(wanted: &Pattern, name: &str) -> bool {
    let name = if wanted.as_str().contains('/') { name } else { name.rsplit('/').next().unwrap_or(name) };
    wanted.matches_with(name, MATCHING)
}

#[cfg(test)]
mod tests;
