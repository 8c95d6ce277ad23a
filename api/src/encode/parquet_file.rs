//! A Parquet file, written from front to back.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{EncodeError, Encoder, Ending};

/// Rows that are held before they are written: bounds the memory of a result of any size.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Bytes that are held before they are written, for wide rows.
const ROW_GROUP_BYTES: usize = 32 << 20;

pub(super) struct ParquetEncoder {
    writer: ArrowWriter<Shared>,
    written: Shared,
}

impl ParquetEncoder {
    pub(super) fn try_new(schema: SchemaRef) -> Result<Self, EncodeError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by(concat!("xiangyun ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let written = Shared::default();
        Ok(Self { writer: ArrowWriter::try_new(written.clone(), schema, Some(properties))?, written })
    }
}

impl Encoder for ParquetEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.writer.write(batch)?;
        self.written.take_into(out);
        Ok(())
    }

    fn end(&mut self, _ending: Ending, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.writer.finish()?;
        self.written.take_into(out);
        Ok(())
    }
}

/// Bytes that the writer has let go of. The writer counts offsets itself, so taking them away is safe.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take_into(&self, out: &mut Vec<u8>) {
        out.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
