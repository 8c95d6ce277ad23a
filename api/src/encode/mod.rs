//! Record batches as bytes: the formats that every door writes.
//!
//! An [`Encoder`] turns one batch at a time into bytes and keeps nothing but what its format forces it to (Parquet: one
//! row group), so memory does not grow with the size of the result. It sends nothing: the HTTP door makes the bytes a
//! chunk, the command line writes them to a file. A workbook, which can only be packed when its last row is known, waits
//! in temporary files.

mod apart;
mod arrow_ipc;
mod csv;
mod error;
mod format;
mod json;
mod parquet_file;
mod types;
mod xlsx;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use serde_json::{Map, Value};

pub use apart::end_apart;
pub use error::EncodeError;
pub use format::{Format, UnknownFormat};
pub use types::{schema_json, type_name};

/// How a result ended: known only after its last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Rows in the result.
    pub rows: u64,
    /// Rows were left out because of a limit.
    pub truncated: bool,
}

/// What a caller may choose about the encoding.
#[derive(Debug, Clone, Default)]
pub struct EncodeOptions {
    /// JSON: members of the document before `schema` and `rows`.
    pub head: Map<String, Value>,
    /// JSON and NDJSON: write 64-bit integers and decimals as numbers. They are strings unless this is set, because
    /// most readers take every number for a double and would change the last digits in silence.
    pub native_numbers: bool,
    /// NDJSON: end with a record `{"status": …}` that tells a complete result from a cut one.
    pub status_record: bool,
    /// CSV: start with a byte order mark, for spreadsheets that take anything else for a legacy encoding.
    pub byte_order_mark: bool,
    /// CSV: put an apostrophe before text that a spreadsheet would run as a formula.
    pub escape_formulas: bool,
}

/// Writes the rows of one batch.
pub type WriteApart = Arc<dyn Fn(&RecordBatch) -> Result<Vec<u8>, EncodeError> + Send + Sync>;

/// Writes one result. Call `begin` once, `batch` for each batch, `end` once, and `rest` until it adds nothing: a result
/// without its end is cut.
pub trait Encoder: Send {
    /// What comes before the rows.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    /// The rows of one batch.
    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    /// The rows of one batch, in pieces that need not lie behind one another in memory.
    fn pieces(&mut self, batch: &RecordBatch, out: &mut VecDeque<Bytes>) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        self.batch(batch, &mut bytes)?;
        if !bytes.is_empty() {
            out.push_back(bytes.into());
        }
        Ok(())
    }
    /// Writes the rows of a batch whatever came before them, so that several batches may be written at once; none where
    /// one depends on another. What it writes goes through [`Self::join`], in the order of the batches.
    fn apart(&self) -> Option<WriteApart> {
        None
    }
    /// What was written apart, as it stands behind the rows before it.
    fn join(&mut self, rows: Vec<u8>) -> Vec<u8> {
        rows
    }
    /// What comes after the rows.
    fn end(&mut self, ending: Ending, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    /// A piece of what is left after the end, for a format that is only then made whole.
    fn rest(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// The encoder of `format` for results of `schema`.
pub fn encoder(format: Format, schema: SchemaRef, options: EncodeOptions) -> Result<Box<dyn Encoder>, EncodeError> {
    Ok(match format {
        Format::Csv => Box::new(csv::CsvEncoder::new(schema, &options)),
        Format::Json => Box::new(json::JsonEncoder::new(schema, options)),
        Format::Ndjson => Box::new(json::NdjsonEncoder::new(&options)),
        Format::Arrow => Box::new(arrow_ipc::ArrowEncoder::try_new(&schema)?),
        Format::Parquet => Box::new(parquet_file::ParquetEncoder::try_new(schema)?),
        Format::Xlsx => Box::new(xlsx::XlsxEncoder::try_new(&schema)?),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
