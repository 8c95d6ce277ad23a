//! Arrow IPC stream.

use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use super::{EncodeError, Encoder, Ending, Format};

pub(super) struct ArrowEncoder {
    writer: StreamWriter<Vec<u8>>,
}

impl ArrowEncoder {
    pub(super) fn try_new(schema: &Schema) -> Result<Self, EncodeError> {
        let writer = StreamWriter::try_new(Vec::new(), schema).map_err(EncodeError::of(Format::Arrow))?;
        Ok(Self { writer })
    }
}

impl Encoder for ArrowEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.append(self.writer.get_mut()); // the writer has put the schema there
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.writer.write(batch).map_err(EncodeError::of(Format::Arrow))?;
        out.append(self.writer.get_mut());
        Ok(())
    }

    fn end(&mut self, _ending: Ending, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.writer.finish().map_err(EncodeError::of(Format::Arrow))?;
        out.append(self.writer.get_mut());
        Ok(())
    }
}
