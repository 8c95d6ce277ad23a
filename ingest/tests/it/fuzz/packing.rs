//! What packs an input: with it gone, damage reaches what lies inside, and checksums are right again afterwards.

use std::io::{Cursor, Read, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Zip,
    Tar,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

type Parts = Vec<(String, Vec<u8>)>;

impl Packing {
    /// The parts by their names; none where it is not packed like this.
    pub(super) fn unpack(self, bytes: &[u8]) -> Option<Parts> {
        let mut content = Vec::new();
        let read = match self {
            Self::None => return None,
            Self::Zip => return unzip(bytes),
            Self::Tar => return untar(bytes),
            Self::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut content),
            Self::Zstd => zstd::stream::read::Decoder::new(bytes).ok()?.read_to_end(&mut content),
            Self::Bzip2 => bzip2::read::MultiBzDecoder::new(bytes).read_to_end(&mut content),
            Self::Xz => liblzma::read::XzDecoder::new_multi_decoder(bytes).read_to_end(&mut content),
        };
        read.ok().map(|_| vec![(String::new(), content)])
    }

    /// The parts packed; none where they cannot be.
    pub(crate) fn pack(self, parts: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
        let content = || parts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<u8>>();
        Some(match self {
            Self::None => content(),
            Self::Zip => {
                let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
                for (name, bytes) in parts {
                    writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).ok()?;
                    writer.write_all(bytes).ok()?;
                }
                writer.finish().ok()?.into_inner()
            }
            Self::Tar => {
                let mut builder = tar::Builder::new(Vec::new());
                for (name, bytes) in parts {
                    let mut header = tar::Header::new_gnu();
                    header.set_size(bytes.len() as u64);
                    header.set_mode(0o644);
                    builder.append_data(&mut header, name, bytes.as_slice()).ok()?;
                }
                builder.into_inner().ok()?
            }
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&content()).ok()?;
                encoder.finish().ok()?
            }
            Self::Zstd => zstd::encode_all(content().as_slice(), 1).ok()?,
            Self::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(&content()).ok()?;
                encoder.finish().ok()?
            }
            Self::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
                encoder.write_all(&content()).ok()?;
                encoder.finish().ok()?
            }
        })
    }
}

fn unzip(bytes: &[u8]) -> Option<Parts> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        let name = entry.name().ok()?.into_owned();
        parts.push((name, content));
    }
    Some(parts)
}

fn untar(bytes: &[u8]) -> Option<Parts> {
    let mut archive = tar::Archive::new(bytes);
    let mut parts = Vec::new();
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let name = entry.path().ok()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        parts.push((name, content));
    }
    Some(parts)
}

/// `bytes` as gzip members of random sizes: each is decoded into a piece of its own.
pub(super) fn in_pieces(bytes: &[u8], mut size: impl FnMut() -> usize) -> Vec<u8> {
    let (mut packed, mut rest) = (Vec::new(), bytes);
    loop {
        let (piece, behind) = rest.split_at(size().min(rest.len()));
        let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::none());
        encoder.write_all(piece).unwrap();
        packed = encoder.finish().unwrap();
        rest = behind;
        if rest.is_empty() {
            return packed;
        }
    }
}
