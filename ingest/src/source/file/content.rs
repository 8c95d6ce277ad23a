//! A file's bytes: hashed as stored, decompressed by what they are and not by the file's name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::find::SourceFile;
use crate::source::SourceError;

/// Bytes read from disk at a time.
const READ_BYTES: usize = 128 << 10;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Size and hash of a file as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct StoredBytes {
    pub(in crate::source) size_bytes: u64,
    pub(in crate::source) sha256: String,
}

/// The decompressed content of one file.
pub(in crate::source) struct Content {
    name: String,
    format: Format,
    position: u64,
}

enum Format {
    Plain(Stored),
    Gzip(Box<MultiGzDecoder<Stored>>),
    Zstd(zstd::stream::read::Decoder<'static, Stored>),
}

impl Content {
    pub(in crate::source) fn open(file: &SourceFile) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Read { path: file.name.clone(), source };
        let mut stored = Stored::new(File::open(&file.path).map_err(failed)?);
        let start = stored.fill_buf().map_err(failed)?;
        let format = if start.starts_with(&GZIP_MAGIC) {
            Format::Gzip(Box::new(MultiGzDecoder::new(stored)))
        } else if start.starts_with(&ZSTD_MAGIC) {
            Format::Zstd(zstd::stream::read::Decoder::with_buffer(stored).map_err(failed)?)
        } else {
            Format::Plain(stored)
        };
        Ok(Self { name: file.name.clone(), format, position: 0 })
    }

    /// Reads the next bytes of the content; 0 at its end.
    pub(in crate::source) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let outcome = loop {
            let outcome = match &mut self.format {
                Format::Plain(reader) => reader.read(buffer),
                Format::Gzip(reader) => reader.read(buffer),
                Format::Zstd(reader) => reader.read(buffer),
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        let count = outcome.map_err(|source| self.failed(source))?;
        self.position += count as u64;
        Ok(count)
    }

    /// Bytes read from disk so far.
    pub(in crate::source) fn stored_bytes(&self) -> u64 {
        self.stored().size_bytes
    }

    /// Reads what is left, so that the hash covers the whole file.
    pub(in crate::source) fn finish(mut self) -> Result<StoredBytes, SourceError> {
        let mut rest = vec![0; 16 << 10];
        while self.read(&mut rest)? > 0 {}
        let stored = match &mut self.format {
            Format::Plain(reader) => reader,
            Format::Gzip(reader) => reader.get_mut(),
            Format::Zstd(reader) => reader.get_mut(),
        };
        let read = io::copy(stored, &mut io::sink());
        read.map_err(|source| self.failed(source))?;
        let stored = self.stored();
        Ok(StoredBytes { size_bytes: stored.size_bytes, sha256: hex(&stored.hash.clone().finalize()) })
    }

    fn stored(&self) -> &Stored {
        match &self.format {
            Format::Plain(reader) => reader,
            Format::Gzip(reader) => reader.get_ref(),
            Format::Zstd(reader) => reader.get_ref(),
        }
    }

    /// An error of the disk is the disk's; any other one comes from the decompressor.
    fn failed(&self, source: io::Error) -> SourceError {
        let format = match self.format {
            Format::Gzip(_) => "gzip",
            Format::Zstd(_) => "zstd",
            Format::Plain(_) => return SourceError::Read { path: self.name.clone(), source },
        };
        if self.stored().failed {
            return SourceError::Read { path: self.name.clone(), source };
        }
        SourceError::BrokenCompression { path: self.name.clone(), format, position: self.position, source }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all text");
        text
    })
}

/// The file as stored, hashed as it is consumed.
struct Stored {
    file: BufReader<File>,
    hash: Sha256,
    size_bytes: u64,
    /// Whether the disk itself gave an error.
    failed: bool,
}

impl Stored {
    fn new(file: File) -> Self {
        Self { file: BufReader::with_capacity(READ_BYTES, file), hash: Sha256::new(), size_bytes: 0, failed: false }
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
        match self.file.fill_buf() {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                self.failed = error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.hash.update(&self.file.buffer()[..count]);
        self.size_bytes += count as u64;
        self.file.consume(count);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<u8>, StoredBytes), SourceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, bytes).unwrap();
        let mut content = Content::open(&SourceFile { path, name: "a".into() })?;
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
        for packed in [gzip(&long), zstd::encode_all(long.as_slice(), 3).unwrap()] {
            let (content, stored) = read(&packed).unwrap();
            assert_eq!(content, long);
            assert_eq!(stored.size_bytes, packed.len() as u64);
            assert_eq!(stored.sha256, hex(&Sha256::digest(&packed)));
        }
        // Several gzip members in one file are one content.
        assert_eq!(read(&[gzip(b"a"), gzip(b"b")].concat()).unwrap().0, b"ab");
    }

    #[test]
    fn a_cut_file_says_so() {
        let long: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        for (packed, format) in [(gzip(&long), "gzip"), (zstd::encode_all(long.as_slice(), 3).unwrap(), "zstd")] {
            for end in [packed.len() / 2, packed.len() - 1] {
                let error = read(&packed[..end]).unwrap_err();
                let expected = format!("`a` is not a complete {format} file");
                assert!(error.to_string().starts_with(&expected), "{error}");
            }
        }
    }
}
