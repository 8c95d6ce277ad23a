//! Comma-separated values, UTF-8, header first.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::{EncodeError, EncodeOptions, Encoder, Ending, Format, WriteApart};

pub(super) struct CsvEncoder {
    schema: SchemaRef,
    byte_order_mark: bool,
    escape_formulas: bool,
}

impl CsvEncoder {
    pub(super) fn new(schema: SchemaRef, options: &EncodeOptions) -> Self {
        Self { schema, byte_order_mark: options.byte_order_mark, escape_formulas: options.escape_formulas }
    }
}

impl Encoder for CsvEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.byte_order_mark {
            out.extend_from_slice("\u{feff}".as_bytes());
        }
        let mut writer = WriterBuilder::new().with_header(true).build(out);
        writer.write(&RecordBatch::new_empty(self.schema.clone())).map_err(EncodeError::of(Format::Csv))
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        rows(batch, self.escape_formulas, out)
    }

    fn apart(&self) -> Option<WriteApart> {
        let escape_formulas = self.escape_formulas;
        Some(Arc::new(move |batch| {
            let mut out = Vec::new();
            rows(batch, escape_formulas, &mut out)?;
            Ok(out)
        }))
    }

    fn end(&mut self, _ending: Ending, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

fn rows(batch: &RecordBatch, is_escaped: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let failed = EncodeError::of(Format::Csv);
    let mut writer = WriterBuilder::new().with_header(false).build(out);
    if !is_escaped {
        return writer.write(batch).map_err(failed);
    }
    let columns = batch.columns().iter().map(escape_formulas).collect::<Result<Vec<_>, _>>().map_err(&failed)?;
    let named = batch.schema().fields().iter().map(|field| field.name().clone()).zip(columns).collect::<Vec<_>>();
    writer.write(&RecordBatch::try_from_iter(named).map_err(&failed)?).map_err(failed)
}

/// Text that starts like a formula gets an apostrophe in front. Numbers are columns of their own and stay.
fn escape_formulas(column: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    if !matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return Ok(column.clone());
    }
    let text = cast(column, &DataType::Utf8)?;
    let escaped = text.as_string::<i32>().iter().map(|value| {
        value.map(
            |text| if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() },
        )
    });
    Ok(Arc::new(escaped.collect::<StringArray>()))
}
