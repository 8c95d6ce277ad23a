//! Record batches → the bytes of a Parquet file.
//!
//! Texts have an encoder of our own, numbers and times that of the library, in the form that their first rows ask for.

mod bounds;
mod dictionary;
mod hybrid;
mod numbers;
#[cfg(test)]
mod tests;
mod text;

use std::io::Write;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowWriterOptions, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use numbers::Forms;
use text::TextColumn;

/// Rows of a row group: what a scan skips or reads as a whole.
pub(super) const ROW_GROUP_ROWS: usize = 1 << 20;

/// Writes one file.
pub(super) struct FileEncoder<W: Write + Send> {
    file: SerializedFileWriter<W>,
    forms: Forms,
    schema: SchemaRef,
    compressor: Compressor<'static>,
    group: Option<Group>,
}

/// A row group that takes rows in.
struct Group {
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    Text(Box<TextColumn>),
    Other(Box<ArrowColumnWriter>),
}

impl<W: Write + Send> FileEncoder<W> {
    /// A file of columns of `schema`, none of them nested, whose bytes go to `out`.
    ///
    /// # Errors
    /// Where `properties` do not compress all columns with one level of zstd.
    pub(super) fn new(out: W, schema: &SchemaRef, properties: WriterProperties) -> Result<Self> {
        // The properties have the schema that readers see, and not how it is held here.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let (file, _) = ArrowWriter::try_new_with_options(out, schema.clone(), options)?.into_serialized_writer()?;
        // Texts are compressed here, and all with one level.
        let compression = |column: &ColumnDescPtr| file.properties().compression(column.path());
        let mut compressions = file.schema_descr().columns().iter().map(compression);
        let level = match compressions.next() {
            Some(Compression::ZSTD(level)) if compressions.all(|other| other == Compression::ZSTD(level)) => level,
            Some(_) => return Err(ParquetError::General("all columns must be compressed with zstd".into())),
            None => ZstdLevel::default(),
        };
        let compressor = Compressor::new(level.compression_level())?;
        let forms = Forms::of(&file, schema)?;
        Ok(Self { file, forms, schema: schema.clone(), compressor, group: None })
    }

    /// Takes rows in.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < rows.num_rows() {
            let mut group = match self.group.take() {
                Some(group) => group,
                None => self.open_group(&rows.slice(from, rows.num_rows() - from))?,
            };
            let count = (ROW_GROUP_ROWS - group.rows).min(rows.num_rows() - from);
            let schema = self.schema.clone();
            for ((column, field), values) in group.columns.iter_mut().zip(schema.fields()).zip(rows.columns()) {
                column.write(field, &values.slice(from, count), &mut self.compressor)?;
            }
            group.rows += count;
            from += count;
            let is_full = group.rows >= ROW_GROUP_ROWS;
            self.group = Some(group);
            if is_full {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Closes the row group, if there is one.
    pub(super) fn flush(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut writer = self.file.next_row_group()?;
        for column in group.columns {
            column.close(&mut writer, &mut self.compressor)?;
        }
        writer.close()?;
        Ok(())
    }

    /// Bytes of closed row groups.
    pub(super) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    /// Bytes of the open row group, of which some are not compressed yet.
    pub(super) fn in_progress_size(&self) -> usize {
        self.group.iter().flat_map(|group| &group.columns).map(Column::bytes).sum()
    }

    /// Ends the file.
    pub(super) fn close(mut self) -> Result<ParquetMetaData> {
        self.flush()?;
        self.file.close()
    }

    /// A row group that begins with `rows`.
    fn open_group(&self, rows: &RecordBatch) -> Result<Group> {
        let number = self.file.flushed_row_groups().len();
        let library = self.forms.writers(number, rows)?;
        let described = self.file.schema_descr().columns().iter().zip(self.schema.fields());
        let columns = library.into_iter().zip(described).map(|(writer, (descriptor, field))| {
            Ok(match is_text(field.data_type()) {
                true => Column::Text(Box::new(TextColumn::new(descriptor.clone(), self.file.properties())?)),
                false => Column::Other(Box::new(writer)),
            })
        });
        Ok(Group { columns: columns.collect::<Result<_>>()?, rows: 0 })
    }
}

/// Whether a column of this type has our own encoder.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Dictionary(..))
}

impl Column {
    fn write(&mut self, field: &FieldRef, values: &ArrayRef, compressor: &mut Compressor<'_>) -> Result<()> {
        match self {
            Self::Text(column) => column.write(values.as_ref(), compressor),
            Self::Other(column) => compute_leaves(field, values)?.iter().try_for_each(|leaf| column.write(leaf)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(column) => column.bytes(),
            Self::Other(column) => column.get_estimated_total_bytes(),
        }
    }

    fn close<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        compressor: &mut Compressor<'_>,
    ) -> Result<()> {
        match self {
            Self::Text(column) => {
                let (bytes, close) = column.close(compressor)?;
                group.append_column(&bytes, close)
            }
            Self::Other(column) => column.close()?.append_to_row_group(group),
        }
    }
}
