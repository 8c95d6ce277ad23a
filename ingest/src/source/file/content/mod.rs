//! A file's bytes: hashed as stored, decompressed by what they are and not by the file's name.

mod entry;
mod spool;
mod stored;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

pub(in crate::source) use entry::{Archive, Entry, Method};
pub(crate) use spool::Spool;
pub(in crate::source) use stored::Fingerprint;
use stored::Stored;

use super::archive;
use super::find::SourceFile;
use crate::source::SourceError;

/// Bytes read from disk at a time.
const READ_BYTES: usize = 128 << 10;

/// Decompressed bytes that one file may have unless its source says otherwise.
const EXPANDED_LIMIT_BYTES: u64 = 1 << 40;

/// Decompressed bytes for each stored one that a file may have. Deflate cannot do better than 1,032, and records of
/// people and firms are far from it.
const EXPANSION_LIMIT: u64 = 1_000;

/// Decompressed bytes up to which the ratio does not matter.
const EXPANSION_FREE_BYTES: u64 = 1 << 30;

/// Memory that unpacking may take: a file of xz says itself how much it needs, up to 4 GiB. The highest level of the
/// tools takes 65 MiB.
const XZ_MEMORY_BYTES: u64 = 256 << 20;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BZIP2_MAGIC: [u8; 3] = *b"BZh";
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// What a file may become when it is decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Limits {
    expanded_bytes: u64,
    /// Decompressed bytes for each stored one; none where the source sets its own limit.
    ratio: Option<u64>,
}

impl Limits {
    /// The limit that a source sets, in GiB, or the usual ones.
    pub(in crate::source) fn new(expanded_gib: Option<u64>) -> Self {
        match expanded_gib {
            Some(gib) => Self { expanded_bytes: gib.saturating_mul(1 << 30), ratio: None },
            None => Self { expanded_bytes: EXPANDED_LIMIT_BYTES, ratio: Some(EXPANSION_LIMIT) },
        }
    }

    #[cfg(test)]
    pub(in crate::source) fn of_bytes(expanded_bytes: u64) -> Self {
        Self { expanded_bytes, ratio: None }
    }

    /// # Errors
    /// [`SourceError::TooLarge`] where `expanded` bytes out of `stored` ones are more than may be.
    pub(in crate::source) fn check(&self, name: &str, stored: u64, expanded: u64) -> Result<(), SourceError> {
        let too_dense = |ratio: u64| expanded > EXPANSION_FREE_BYTES && expanded / ratio > stored;
        if expanded > self.expanded_bytes || self.ratio.is_some_and(too_dense) {
            return Err(SourceError::TooLarge { path: name.into(), stored_bytes: stored, expanded_bytes: expanded });
        }
        Ok(())
    }
}

/// Size and hash of a file as stored; of an archive's entry, as it was before it was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct StoredBytes {
    pub(in crate::source) size_bytes: u64,
    pub(in crate::source) sha256: String,
    /// What another reading must give.
    pub(in crate::source) fingerprint: Fingerprint,
}

/// What the system says of a file that is open: another state is another content, or one that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct FileState {
    pub(in crate::source) size_bytes: u64,
    /// None where the system does not tell.
    modified: Option<SystemTime>,
}

/// The decompressed content of one file.
pub(in crate::source) struct Content {
    name: String,
    format: Format,
    position: u64,
    limits: Limits,
    /// The archive that it stands in, and where.
    archive: Option<(Arc<Archive>, u64)>,
    /// None for an archive's entry.
    file: Option<Arc<File>>,
}

enum Format {
    Plain(Stored),
    Gzip(Box<MultiGzDecoder<Stored>>),
    Zstd(zstd::stream::read::Decoder<'static, Stored>),
    Bzip2(Box<MultiBzDecoder<Stored>>),
    Xz(Box<XzDecoder<Stored>>),
}

impl Content {
    /// Opens a file to be read as text.
    ///
    /// # Errors
    /// [`SourceError::NestedArchive`] where an archive's entry is an archive.
    pub(in crate::source) fn open(file: &SourceFile) -> Result<Self, SourceError> {
        Self::refuse_nested(file)?;
        Self::open_any(file)
    }

    /// Opens a file to be read once more: its fingerprint tells whether it is still what it was.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(in crate::source) fn open_again(file: &SourceFile) -> Result<Self, SourceError> {
        Self::refuse_nested(file)?;
        Self::open_bytes(file, false)
    }

    fn refuse_nested(file: &SourceFile) -> Result<(), SourceError> {
        if file.entry.is_some() && archive::is_nested(file)? {
            return Err(SourceError::NestedArchive { path: file.name.clone() });
        }
        Ok(())
    }

    /// As [`Self::open`], for whoever can read archives.
    pub(super) fn open_any(file: &SourceFile) -> Result<Self, SourceError> {
        Self::open_bytes(file, true)
    }

    fn open_bytes(file: &SourceFile, names: bool) -> Result<Self, SourceError> {
        let failed = |source| unreadable(&file.name, file.entry.is_some(), source);
        let mut opened = None;
        let input: Box<dyn BufRead + Send> = match &file.entry {
            None => {
                let file = opened.insert(Arc::new(File::open(&file.path).map_err(failed)?));
                Box::new(BufReader::with_capacity(READ_BYTES, Arc::clone(file)))
            }
            Some(entry) => match entry.open().map_err(failed)? {
                Some(input) => input,
                None => return Err(SourceError::Changed { path: file.name.clone() }),
            },
        };
        let mut stored = Stored::new(input, file.entry.is_some(), names);
        let start = stored.fill_buf().map_err(failed)?;
        let format = if start.starts_with(&GZIP_MAGIC) {
            Format::Gzip(Box::new(MultiGzDecoder::new(stored)))
        } else if start.starts_with(&ZSTD_MAGIC) {
            Format::Zstd(zstd::stream::read::Decoder::with_buffer(stored).map_err(failed)?)
        } else if start.starts_with(&BZIP2_MAGIC) && start.get(3).is_some_and(|level| (b'1'..=b'9').contains(level)) {
            Format::Bzip2(Box::new(MultiBzDecoder::new(stored)))
        } else if start.starts_with(&XZ_MAGIC) {
            Format::Xz(Box::new(XzDecoder::new_stream(stored, xz_stream().map_err(failed)?)))
        } else {
            Format::Plain(stored)
        };
        let archive = file.entry.as_ref().map(|entry| (Arc::clone(&entry.archive), entry.start));
        Ok(Self { name: file.name.clone(), format, position: 0, limits: file.limits, archive, file: opened })
    }

    /// What the file is now; none for an archive's entry.
    pub(super) fn state(&self) -> Result<Option<FileState>, SourceError> {
        let Some(file) = &self.file else { return Ok(None) };
        let found = file.metadata().map_err(|source| unreadable(&self.name, false, source))?;
        Ok(Some(FileState { size_bytes: found.len(), modified: found.modified().ok() }))
    }

    /// Whether the bytes are what is stored.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.format, Format::Plain(_))
    }

    /// Reads the next bytes of the content; 0 at its end.
    pub(in crate::source) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let outcome = loop {
            let outcome = match &mut self.format {
                Format::Plain(reader) => reader.read(buffer),
                Format::Gzip(reader) => reader.read(buffer),
                Format::Zstd(reader) => reader.read(buffer),
                Format::Bzip2(reader) => reader.read(buffer),
                Format::Xz(reader) => reader.read(buffer),
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        let count = outcome.map_err(|source| self.failed(source))?;
        self.position += count as u64;
        if !self.is_plain() {
            self.limits.check(&self.name, self.stored_bytes(), self.position)?;
        }
        if let Some((archive, start)) = &self.archive {
            archive.check_seen(&self.limits, *start, self.position)?;
        }
        Ok(count)
    }

    /// Bytes read from disk so far.
    pub(in crate::source) fn stored_bytes(&self) -> u64 {
        self.stored().size_bytes
    }

    /// Reads what is left, so that the hash covers the whole file.
    pub(in crate::source) fn finish(mut self) -> Result<StoredBytes, SourceError> {
        self.read_rest()?;
        let stored = self.stored();
        let sha256 = stored.sha256().expect("only a second reading has none, and ends with its fingerprint");
        Ok(StoredBytes { size_bytes: stored.size_bytes, sha256, fingerprint: stored.fingerprint() })
    }

    /// As [`Self::finish`], with what the file is then: of another size than was read, it is not told.
    pub(super) fn finish_watched(mut self) -> Result<(StoredBytes, Option<FileState>), SourceError> {
        self.read_rest()?;
        let (state, read) = (self.state()?, self.stored_bytes());
        Ok((self.finish()?, state.filter(|state| state.size_bytes == read)))
    }

    /// The end of a second reading.
    pub(in crate::source) fn finish_again(mut self) -> Result<Fingerprint, SourceError> {
        self.read_rest()?;
        Ok(self.stored().fingerprint())
    }

    fn read_rest(&mut self) -> Result<(), SourceError> {
        let mut rest = vec![0; 16 << 10];
        while self.read(&mut rest)? > 0 {}
        let stored = match &mut self.format {
            Format::Plain(reader) => reader,
            Format::Gzip(reader) => reader.get_mut(),
            Format::Zstd(reader) => reader.get_mut(),
            Format::Bzip2(reader) => reader.get_mut(),
            Format::Xz(reader) => reader.get_mut(),
        };
        let read = io::copy(stored, &mut io::sink());
        read.map(|_| ()).map_err(|source| self.failed(source))
    }

    /// Writes the content to `target`.
    pub(super) fn copy(&mut self, target: &mut impl Write) -> Result<(), SourceError> {
        let mut piece = vec![0; READ_BYTES];
        loop {
            match self.read(&mut piece)? {
                0 => return Ok(()),
                count => target.write_all(&piece[..count]).map_err(|source| self.unspooled(source))?,
            }
        }
    }

    fn unspooled(&self, source: io::Error) -> SourceError {
        SourceError::Spool { path: self.name.clone(), source }
    }

    fn stored(&self) -> &Stored {
        match &self.format {
            Format::Plain(reader) => reader,
            Format::Gzip(reader) => reader.get_ref(),
            Format::Zstd(reader) => reader.get_ref(),
            Format::Bzip2(reader) => reader.get_ref(),
            Format::Xz(reader) => reader.get_ref(),
        }
    }

    /// An error of the disk is the disk's; any other one comes from the decompressor.
    fn failed(&self, source: io::Error) -> SourceError {
        let is_entry = self.stored().is_entry;
        let format = match self.format {
            Format::Gzip(_) => "gzip",
            Format::Zstd(_) => "zstd",
            Format::Bzip2(_) => "bzip2",
            Format::Xz(_) => "xz",
            Format::Plain(_) => return unreadable(&self.name, is_entry, source),
        };
        if self.stored().failed {
            return unreadable(&self.name, is_entry, source);
        }
        if source.to_string().contains("memory") {
            let (path, kind) = (self.name.clone(), format);
            let reason =
                format!("it needs too much memory to be unpacked ({source}): pack it again with a smaller window");
            return SourceError::BadFile { path, kind, reason };
        }
        SourceError::BrokenCompression { path: self.name.clone(), format, position: self.position, source }
    }
}

/// What the disk says is the disk's fault; of an entry, anything else is the archive's.
fn unreadable(name: &str, is_entry: bool, source: io::Error) -> SourceError {
    let path = name.to_owned();
    if is_entry && source.raw_os_error().is_none() {
        SourceError::BrokenEntry { path, source }
    } else {
        SourceError::Read { path, source }
    }
}

/// The file's content where it can be sought in, with the size and hash of what is stored: the file itself, or a copy
/// on disk where it is compressed or stands in an archive. The copy has no name and is gone when it is closed.
pub(in crate::source) fn spool(file: &SourceFile) -> Result<(File, StoredBytes), SourceError> {
    let mut content = Content::open_any(file)?;
    if content.is_plain() && file.entry.is_none() {
        let stored = content.finish()?;
        let opened = File::open(&file.path);
        return Ok((opened.map_err(|source| SourceError::Read { path: file.name.clone(), source })?, stored));
    }
    // The folder goes when this function returns; the open file stays readable without a name.
    let (mut copied, _, _folder) = copy(&mut content)?;
    copied.rewind().map_err(|source| content.unspooled(source))?;
    Ok((copied, content.finish()?))
}

/// The file's content under a path, for whoever opens it by its name: the file itself, or a copy on disk that stays as
/// long as its folder is held.
pub(in crate::source) fn named(file: &SourceFile) -> Result<(PathBuf, Option<Arc<Spool>>), SourceError> {
    let mut content = Content::open(file)?;
    if content.is_plain() && file.entry.is_none() {
        return Ok((file.path.clone(), file.spool.clone()));
    }
    let (_, path, folder) = copy(&mut content)?;
    Ok((path, Some(folder)))
}

fn copy(content: &mut Content) -> Result<(File, PathBuf, Arc<Spool>), SourceError> {
    let folder = Spool::new().map_err(|source| content.unspooled(source))?;
    let (mut file, path) = folder.create().map_err(|source| content.unspooled(source))?;
    content.copy(&mut file)?;
    Ok((file, path, folder))
}

/// Unpacks xz, one stream behind the other, within bounded memory.
fn xz_stream() -> io::Result<Stream> {
    Ok(Stream::new_stream_decoder(XZ_MEMORY_BYTES, CONCATENATED)?)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all text");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(text: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<u8>, StoredBytes), SourceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, bytes).unwrap();
        let mut content = Content::open(&SourceFile::local(path, "a".into()))?;
        let (mut all, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match content.read(&mut buffer)? {
                0 => break,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
        Ok((all, content.finish()?))
    }

    #[test]
    fn content_is_decompressed_and_the_hash_is_that_of_the_file() {
        let text = b"abc".as_slice();
        // SHA-256 of "abc": FIPS 180-2, appendix B.1.
        let (content, stored) = read(text).unwrap();
        assert_eq!(content, text);
        assert_eq!(stored.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let long = "吉祥云\n".repeat(50_000).into_bytes();
        for packed in [gzip(&long), zstd::encode_all(long.as_slice(), 3).unwrap(), bzip2(&long), xz(&long)] {
            let (content, stored) = read(&packed).unwrap();
            assert_eq!(content, long);
            assert_eq!(stored.size_bytes, packed.len() as u64);
            assert_eq!(stored.sha256, hex(&Sha256::digest(&packed)));
        }
        // Several gzip members in one file are one content.
        for (a, b) in [(gzip(b"a"), gzip(b"b")), (bzip2(b"a"), bzip2(b"b")), (xz(b"a"), xz(b"b"))] {
            assert_eq!(read(&[a, b].concat()).unwrap().0, b"ab");
        }
    }

    #[test]
    fn a_cut_file_says_so() {
        let long: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let zstd = zstd::encode_all(long.as_slice(), 3).unwrap();
        let all = [(gzip(&long), "gzip"), (zstd, "zstd"), (bzip2(&long), "bzip2"), (xz(&long), "xz")];
        for (packed, format) in all {
            for end in [packed.len() / 2, packed.len() - 1] {
                let error = read(&packed[..end]).unwrap_err();
                let expected = format!("`a` is not a complete {format} file");
                assert!(error.to_string().starts_with(&expected), "{error}");
            }
        }
    }

    #[test]
    fn more_than_a_file_can_honestly_hold_is_refused() {
        let usual = Limits::new(None);
        usual.check("a", 1, 1 << 30).unwrap();
        usual.check("a", 3 << 20, 3_000 << 20).unwrap();
        assert!(usual.check("a", 1 << 20, 1 << 31).is_err());
        assert!(usual.check("a", 1 << 40, (1 << 40) + 1).is_err());
        Limits::new(Some(2)).check("a", 1, 1 << 31).unwrap();
        assert!(Limits::new(Some(2)).check("a", 1 << 31, (1 << 31) + 1).is_err());
    }

    #[test]
    fn a_spooled_file_can_be_sought_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for packed in [b"abcdef".to_vec(), gzip(b"abcdef")] {
            std::fs::write(&path, &packed).unwrap();
            let (mut file, stored) = spool(&SourceFile::local(path.clone(), "a".into())).unwrap();
            file.seek(io::SeekFrom::Start(3)).unwrap();
            let mut rest = String::new();
            file.read_to_string(&mut rest).unwrap();
            assert_eq!((rest.as_str(), stored.size_bytes), ("def", packed.len() as u64));
            assert_eq!(stored.sha256, hex(&Sha256::digest(&packed)));
        }
    }
}
