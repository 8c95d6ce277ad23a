//! Arrow IPC stream. The columns' own buffers are handed on and not copied.

use std::collections::VecDeque;

use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamEncoder;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use super::{EncodeError, Encoder, Ending, Format};

/// Bytes below which a buffer is copied to others rather than handed on by itself.
const SMALL: usize = 4 << 10;

pub(super) struct ArrowEncoder {
    /// None after the end. It writes the schema before whatever comes first.
    stream: Option<StreamEncoder>,
}

impl ArrowEncoder {
    pub(super) fn try_new(schema: &Schema) -> Result<Self, EncodeError> {
        let stream = StreamEncoder::try_new(schema).map_err(EncodeError::of(Format::Arrow))?;
        Ok(Self { stream: Some(stream) })
    }

    fn encoded(&mut self, batch: &RecordBatch) -> Result<Vec<Buffer>, EncodeError> {
        match &mut self.stream {
            Some(stream) => stream.encode(batch).map_err(EncodeError::of(Format::Arrow)),
            None => Ok(Vec::new()),
        }
    }
}

impl Encoder for ArrowEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encoded(batch)?.iter().for_each(|buffer| out.extend_from_slice(buffer));
        Ok(())
    }

    fn pieces(&mut self, batch: &RecordBatch, out: &mut VecDeque<Bytes>) -> Result<(), EncodeError> {
        let mut small = Vec::new();
        for buffer in self.encoded(batch)? {
            if buffer.len() < SMALL {
                small.extend_from_slice(&buffer);
                continue;
            }
            if !small.is_empty() {
                out.push_back(std::mem::take(&mut small).into());
            }
            out.push_back(Bytes::from_owner(Piece(buffer)));
        }
        if !small.is_empty() {
            out.push_back(small.into());
        }
        Ok(())
    }

    fn end(&mut self, _ending: Ending, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if let Some(stream) = self.stream.take() {
            let rest = stream.finish().map_err(EncodeError::of(Format::Arrow))?;
            rest.iter().for_each(|buffer| out.extend_from_slice(buffer));
        }
        Ok(())
    }
}

struct Piece(Buffer);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
