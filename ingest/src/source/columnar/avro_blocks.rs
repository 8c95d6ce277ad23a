//! The blocks of an Avro file, gone along before it is read: arrow-avro takes a file that is cut off for one that has
//! ended, does not compare the marks between blocks, and decompresses a block to whatever it becomes.

use std::fs::File;
use std::io::{BufReader, Read};

use liblzma::stream::Stream;

use super::Fault;
use super::avro_rows::RowForm;

const MAGIC: &[u8; 4] = b"Obj\x01";

/// Bytes that the description of the file may have.
const HEADER_BYTES: u64 = 16 << 20;

/// Bytes that a block may have when it is decompressed: it is held in memory as a whole.
const BLOCK_BYTES: u64 = 64 << 20;

/// Memory that unpacking xz may take: the highest level of the tools takes 65 MiB.
const XZ_MEMORY_BYTES: u64 = 256 << 20;

type Input = BufReader<File>;

/// The rows that the blocks say they have.
///
/// # Errors
/// Where the file is no Avro, is cut off or damaged between its blocks, or holds more than it may.
pub(super) fn count_rows(input: &mut Input) -> Result<u64, Fault> {
    let mut magic = [0; 4];
    if input.read_exact(&mut magic).is_err() || magic != *MAGIC {
        return Err(damaged("it is no Avro object container file"));
    }
    let Header { codec, form, mark } = header(input)?;
    let mut rows = 0_u64;
    while let Some(count) = long(input)? {
        let count = u64::try_from(count).map_err(|_| damaged("it is damaged: a block has less than no rows"))?;
        let size = long(input)?.and_then(|size| u64::try_from(size).ok());
        let size = size
            .filter(|size| *size <= BLOCK_BYTES)
            .ok_or_else(|| damaged("it is damaged: a block has no size that can be"))?;
        let mut block = Vec::new();
        input.take(size).read_to_end(&mut block)?;
        let mut own = [0; 16];
        if block.len() as u64 != size || input.read_exact(&mut own).is_err() {
            return Err(damaged("it is cut off within a block"));
        }
        if own != mark {
            return Err(Fault::Damaged(format!(
                "it is damaged: the mark behind row {} is not the file's",
                rows + count
            )));
        }
        let content = unpacked(&codec, block)?;
        let bytes = content.len() as u64;
        if bytes > BLOCK_BYTES {
            return Err(Fault::Damaged(format!("a block has more than {BLOCK_BYTES} bytes when it is decompressed")));
        }
        // A row without a single byte could be said to be there any number of times.
        if count > bytes {
            return Err(Fault::Damaged(format!("it is damaged: a block of {bytes} bytes says it has {count} rows")));
        }
        form.check(&content, count)?;
        rows = rows.saturating_add(count);
    }
    Ok(rows)
}

struct Header {
    codec: String,
    form: RowForm,
    /// Stands behind each block.
    mark: [u8; 16],
}

fn header(input: &mut Input) -> Result<Header, Fault> {
    let cut = || damaged("it is cut off within its header");
    let (mut codec, mut schema, mut total) = ("null".to_owned(), Vec::new(), 0_u64);
    loop {
        let mut count = long(input)?.ok_or_else(cut)?;
        if count == 0 {
            break;
        }
        if count < 0 {
            // A negative count is followed by the size of the block.
            long(input)?.ok_or_else(cut)?;
            count = count.saturating_neg();
        }
        for _ in 0..count {
            let mut texts = [Vec::new(), Vec::new()];
            for text in &mut texts {
                let length = long(input)?.and_then(|length| u64::try_from(length).ok()).ok_or_else(cut)?;
                total = total.saturating_add(length).saturating_add(1);
                if total > HEADER_BYTES {
                    return Err(Fault::Damaged(format!("its header has more than {HEADER_BYTES} bytes")));
                }
                input.take(length).read_to_end(text)?;
                if text.len() as u64 != length {
                    return Err(cut());
                }
            }
            let [key, value] = texts;
            match key.as_slice() {
                b"avro.codec" => codec = String::from_utf8_lossy(&value).into_owned(),
                b"avro.schema" => schema = value,
                _ => {}
            }
        }
    }
    let mut mark = [0; 16];
    input.read_exact(&mut mark).map_err(|_| cut())?;
    Ok(Header { codec, form: RowForm::parse(&schema)?, mark })
}

/// A block when it is decompressed, up to one byte beyond what it may have.
fn unpacked(codec: &str, block: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let mut content: Box<dyn Read + '_> = match codec {
        "null" => return Ok(block),
        // A sum of four bytes stands last.
        "snappy" => {
            let packed = &block[..block.len().saturating_sub(4)];
            if snap::raw::decompress_len(packed)? as u64 > BLOCK_BYTES {
                return Err(Fault::Damaged(format!(
                    "a block has more than {BLOCK_BYTES} bytes when it is decompressed"
                )));
            }
            return Ok(snap::raw::Decoder::new().decompress_vec(packed)?);
        }
        "deflate" => Box::new(flate2::read::DeflateDecoder::new(&*block)),
        "zstandard" => Box::new(zstd::stream::read::Decoder::new(&*block)?),
        "bzip2" => Box::new(bzip2::read::BzDecoder::new(&*block)),
        "xz" => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES, 0)?;
            Box::new(liblzma::read::XzDecoder::new_stream(&*block, stream))
        }
        other => return Err(Fault::Damaged(format!("its blocks are packed by `{other}`, which is not read"))),
    };
    let mut unpacked = Vec::new();
    content.by_ref().take(BLOCK_BYTES + 1).read_to_end(&mut unpacked)?;
    drop(content);
    Ok(unpacked)
}

/// A whole number in Avro's zigzag form; none at the end of the file.
pub(super) fn long(input: &mut impl Read) -> Result<Option<i64>, Fault> {
    let value = varint(input)?;
    Ok(value.map(|value| (value >> 1) as i64 ^ -((value & 1) as i64)))
}

fn varint(input: &mut impl Read) -> Result<Option<u64>, Fault> {
    let (mut value, mut byte) = (0_u64, [0]);
    for index in 0..10 {
        if input.read(&mut byte)? == 0 {
            return if index == 0 { Ok(None) } else { Err(damaged("it is cut off within a number")) };
        }
        value |= u64::from(byte[0] & 0x7f).checked_shl(7 * index).unwrap_or_default();
        if byte[0] < 0x80 {
            return Ok(Some(value));
        }
    }
    Err(damaged("it is damaged: a number has more than ten bytes"))
}

pub(super) fn damaged(reason: &str) -> Fault {
    Fault::Damaged(reason.into())
}
