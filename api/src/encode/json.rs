//! JSON: one document, or one object a line.

use std::io::Write;
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::EncoderOptions;
use arrow::json::writer::{
    Encoder as ValueEncoder, EncoderFactory, JsonFormat, LineDelimited, NullableEncoder, WriterBuilder,
};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};

use super::{EncodeError, EncodeOptions, Encoder, Ending, Format, WriteApart, schema_json};

/// `{<head>, "schema": […], "rows": [{…}], "row_count": n, "truncated": false}`; rows stream.
pub(super) struct JsonEncoder {
    schema: SchemaRef,
    head: Map<String, Value>,
    native_numbers: bool,
    first_row: bool,
}

impl JsonEncoder {
    pub(super) fn new(schema: SchemaRef, options: EncodeOptions) -> Self {
        Self { schema, head: options.head, native_numbers: options.native_numbers, first_row: true }
    }
}

impl Encoder for JsonEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut head = std::mem::take(&mut self.head);
        head.insert("schema".into(), schema_json(&self.schema));
        let text = Value::Object(head).to_string();
        out.extend_from_slice(text.strip_suffix('}').unwrap_or(&text).as_bytes());
        out.extend_from_slice(b",\"rows\":[");
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let rows = rows::<Members>(batch, self.native_numbers, Format::Json)?;
        out.append(&mut self.join(rows));
        Ok(())
    }

    fn apart(&self) -> Option<WriteApart> {
        let native_numbers = self.native_numbers;
        Some(Arc::new(move |batch| rows::<Members>(batch, native_numbers, Format::Json)))
    }

    fn join(&mut self, mut rows: Vec<u8>) -> Vec<u8> {
        if !rows.is_empty() && std::mem::take(&mut self.first_row) {
            rows.remove(0); // the comma
        }
        rows
    }

    fn end(&mut self, ending: Ending, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let tail = format!("\n],\"row_count\":{},\"truncated\":{}}}\n", ending.rows, ending.truncated);
        out.extend_from_slice(tail.as_bytes());
        Ok(())
    }
}

/// One object a line.
pub(super) struct NdjsonEncoder {
    native_numbers: bool,
    status_record: bool,
}

impl NdjsonEncoder {
    pub(super) fn new(options: &EncodeOptions) -> Self {
        Self { native_numbers: options.native_numbers, status_record: options.status_record }
    }
}

impl Encoder for NdjsonEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.append(&mut rows::<LineDelimited>(batch, self.native_numbers, Format::Ndjson)?);
        Ok(())
    }

    fn apart(&self) -> Option<WriteApart> {
        let native_numbers = self.native_numbers;
        Some(Arc::new(move |batch| rows::<LineDelimited>(batch, native_numbers, Format::Ndjson)))
    }

    fn end(&mut self, ending: Ending, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.status_record {
            let record = json!({"status": {"complete": true, "row_count": ending.rows, "truncated": ending.truncated}});
            out.extend_from_slice(format!("{record}\n").as_bytes());
        }
        Ok(())
    }
}

/// Objects as members of an array that has others before them.
#[derive(Debug, Default)]
struct Members;

impl JsonFormat for Members {
    fn start_row<W: Write>(&self, out: &mut W, _is_first_row: bool) -> Result<(), ArrowError> {
        Ok(out.write_all(b",\n")?)
    }
}

/// The rows as objects, one a line. Every column is there, null or not.
fn rows<F: JsonFormat>(batch: &RecordBatch, native_numbers: bool, format: Format) -> Result<Vec<u8>, EncodeError> {
    let mut builder = WriterBuilder::new().with_explicit_nulls(true);
    if !native_numbers {
        builder = builder.with_encoder_factory(Arc::new(WideNumbersAsText));
    }
    let mut writer = builder.build::<_, F>(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(EncodeError::of(format))?;
    Ok(writer.into_inner())
}

/// Writes numbers that a double cannot hold exactly as strings.
#[derive(Debug)]
struct WideNumbersAsText;

impl EncoderFactory for WideNumbersAsText {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let wide = matches!(
            array.data_type(),
            DataType::Int64
                | DataType::UInt64
                | DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
        );
        if !wide {
            return Ok(None);
        }
        let formatter = ArrayFormatter::try_new(array, &PLAIN)?;
        Ok(Some(NullableEncoder::new(Box::new(QuotedNumber(formatter)), array.nulls().cloned())))
    }
}

const PLAIN: FormatOptions<'static> = FormatOptions::new();

struct QuotedNumber<'a>(ArrayFormatter<'a>);

impl ValueEncoder for QuotedNumber<'_> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        // digits, sign and point only: nothing to escape
        let written = write!(out, "\"{}\"", self.0.value(index));
        debug_assert!(written.is_ok(), "a vector takes whatever is written");
    }
}
