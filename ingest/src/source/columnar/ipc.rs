//! Arrow: streams, and files (Feather), which are streams with an index behind them. Both are read as streams, since the
//! index can say anything; that the stream is whole is seen from its messages, which are walked along before.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use arrow::ipc::reader::StreamReader;
use arrow::ipc::{MessageHeader, RecordBatch, root_as_message};

use super::{Fault, Reading};
use crate::source::SourceError;

const MAGIC: &[u8; 6] = b"ARROW1";

/// The widest alignment that writers use.
const MOST_ALIGNMENT: u64 = 64;

/// What stands before a message, unless it is of the first version of the format.
const CONTINUATION: u32 = u32::MAX;

/// Bytes that the description of a message may have.
const HEAD_BYTES: u32 = 64 << 20;

/// Bytes that one batch may have when it is decompressed: it is held in memory as a whole.
const BATCH_BYTES: u64 = 4 << 30;

/// Bytes that a compressed buffer may become whatever its size, and beyond them for each of its bytes.
const BUFFER_FREE_BYTES: u64 = 64 << 20;
const BUFFER_RATIO: u64 = 1_000;

/// Rows that a batch may say it has without a byte for them.
const LEAST_ROWS: u64 = 1 << 20;

/// Reads a file; `check` says whether so many bytes may come of it.
pub(super) fn read(mut content: File, check: impl Fn(u64) -> Result<(), SourceError>) -> Result<Reading, Fault> {
    let size = content.seek(SeekFrom::End(0))?;
    content.rewind()?;
    let mut start = [0; MAGIC.len()];
    let is_file = content.read_exact(&mut start).is_ok() && start == *MAGIC;
    if is_file {
        let mut end = [0; MAGIC.len()];
        content.seek(SeekFrom::Start(size.saturating_sub(MAGIC.len() as u64)))?;
        content.read_exact(&mut end)?;
        if end != *MAGIC || size < 24 {
            return Err(damaged("it is cut off: its end is missing"));
        }
    } else if start.starts_with(b"FEA1") {
        return Err(damaged("it is Feather of the first version, which is not read any more: write it again"));
    }
    let first = if is_file { behind_padding(&mut content)? } else { 0 };
    content.seek(SeekFrom::Start(first))?;
    let mut input = BufReader::new(content);
    let rows = walk(&mut input, first, size, check)?;
    input.seek(SeekFrom::Start(first))?;
    let batches = StreamReader::try_new(input, None)?;
    Ok(Reading { schema: batches.schema(), rows, batches: Box::new(batches) })
}

/// Where the first message of a file stands: behind the magic and its padding, which reaches to a multiple of the
/// writer's alignment.
fn behind_padding(content: &mut File) -> std::io::Result<u64> {
    let (mut at, mut word) = (8, [0; 8]);
    content.seek(SeekFrom::Start(at))?;
    while at < MOST_ALIGNMENT {
        content.read_exact(&mut word)?;
        if word != [0; 8] {
            break;
        }
        at += 8;
    }
    Ok(at)
}

/// Goes along the messages to the end mark; the rows of all batches.
fn walk(
    input: &mut BufReader<File>,
    first: u64,
    size: u64,
    check: impl Fn(u64) -> Result<(), SourceError>,
) -> Result<u64, Fault> {
    let (mut at, mut rows, mut expanded, mut is_first) = (first, 0_u64, 0_u64, true);
    let mut head = Vec::new();
    loop {
        let Some(mut length) = word(input, &mut at) else {
            return Err(damaged("it is cut off: its end mark is missing"));
        };
        if length == CONTINUATION {
            length = word(input, &mut at).ok_or_else(|| damaged("it is cut off within a message"))?;
        }
        if length == 0 {
            return Ok(rows);
        }
        if length > HEAD_BYTES || u64::from(length) > size - at {
            let reason =
                if is_first { "it is no Arrow data" } else { "it is damaged: a message reaches beyond its end" };
            return Err(damaged(reason));
        }
        head.resize(length as usize, 0);
        input.read_exact(&mut head)?;
        at += u64::from(length);
        let message = root_as_message(&head).map_err(|error| match is_first {
            true => damaged("it is no Arrow data"),
            false => Fault::Damaged(format!("it is damaged: a message cannot be read ({error})")),
        })?;
        let body = u64::try_from(message.bodyLength()).ok().filter(|body| *body <= size - at);
        let Some(body) = body else { return Err(damaged("it is damaged: a message reaches beyond its end")) };
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => message.header_as_record_batch(),
            MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|batch| batch.data()),
            _ => None,
        };
        if message.header_type() == MessageHeader::RecordBatch
            && let Some(batch) = &batch
        {
            rows = rows.saturating_add(u64::try_from(batch.length()).unwrap_or_default());
        }
        if let Some(batch) = batch {
            let bytes = unpacked(input, at, body, &batch)?;
            expanded = expanded.saturating_add(bytes);
            if bytes > BATCH_BYTES {
                return Err(Fault::Damaged(format!("one of its batches has more than {BATCH_BYTES} bytes")));
            }
            check(expanded).map_err(Fault::Other)?;
        }
        at += body;
        input.seek(SeekFrom::Start(at))?;
        is_first = false;
    }
}

/// Bytes of a batch's buffers when they are decompressed, as they say themselves.
fn unpacked(input: &mut BufReader<File>, at: u64, body: u64, batch: &RecordBatch<'_>) -> Result<u64, Fault> {
    let beyond = || damaged("it is damaged: a buffer reaches beyond its message");
    let mut bytes = 0_u64;
    for buffer in batch.buffers().iter().flatten() {
        let (offset, length) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length()));
        let (Ok(offset), Ok(length)) = (offset, length) else { return Err(beyond()) };
        if offset.checked_add(length).is_none_or(|end| end > body) {
            return Err(beyond());
        }
        let mut said = length;
        if batch.compression().is_some() && length >= 8 {
            input.seek(SeekFrom::Start(at + offset))?;
            let mut word = [0; 8];
            input.read_exact(&mut word)?;
            // -1 stands for a buffer that is not compressed.
            said = match i64::from_le_bytes(word) {
                -1 => length,
                said => u64::try_from(said).map_err(|_| beyond())?,
            };
        }
        // Room is made for as much as it says.
        if said > BUFFER_FREE_BYTES && said / BUFFER_RATIO > length {
            let reason = format!("it is damaged: a buffer of {length} bytes says it becomes {said}");
            return Err(Fault::Damaged(reason));
        }
        bytes = bytes.saturating_add(said);
    }
    // A value takes a bit at least, but those that are all missing: without this a few bytes could be endless rows.
    let most = i64::try_from(bytes.saturating_mul(8).max(LEAST_ROWS)).unwrap_or(i64::MAX);
    let lengths = batch.nodes().into_iter().flatten().map(|node| node.length());
    if lengths.chain([batch.length()]).any(|length| !(0..=most).contains(&length)) {
        return Err(damaged("it is damaged: a batch says it has more rows than it has room for"));
    }
    Ok(bytes)
}

fn word(input: &mut BufReader<File>, at: &mut u64) -> Option<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes).ok()?;
    *at += 4;
    Some(u32::from_le_bytes(bytes))
}

fn damaged(reason: &str) -> Fault {
    Fault::Damaged(reason.into())
}
