//! In which form the numbers of a row group are stored: with a dictionary or without, compressed or not. Their first rows
//! tell. A dictionary of numbers that hardly repeat is a second copy of them that a reader decompresses in vain, and
//! packed differences of such numbers do not shrink any further.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::Result;
use parquet::file::writer::SerializedFileWriter;

use super::is_text;

/// Rows that tell the form. They are encoded once in each.
const SAMPLE_ROWS: usize = 1 << 13;

/// Rows that tell nothing: so few are stored as the writer's properties say.
const FEW_ROWS: usize = 1 << 10;

/// Of a hundred bytes, those that must not be left for numbers to be compressed: readers decompress them each time.
const WORTHWHILE_PERCENT: u64 = 75;

/// With a dictionary or without; of both, compressed and not.
const FORMS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

/// The library's encoders, for each form.
pub(super) struct Forms {
    schema: SchemaRef,
    /// In the order of [`FORMS`].
    factories: Vec<ArrowRowGroupWriterFactory>,
}

impl Forms {
    /// Those of `file`, whose properties have dictionaries and compress.
    pub(super) fn of<W: Write + Send>(file: &SerializedFileWriter<W>, schema: &SchemaRef) -> Result<Self> {
        let factories = FORMS.map(|(has_dictionary, is_compressed)| {
            let mut properties = file.properties().as_ref().clone().into_builder();
            if !has_dictionary {
                properties = properties.set_dictionary_enabled(false);
            }
            if !is_compressed {
                properties = properties.set_compression(Compression::UNCOMPRESSED);
            }
            let described = file.schema_descr().root_schema_ptr();
            // Nothing is written by it: a factory is had of a file only.
            let file = SerializedFileWriter::new(io::sink(), described, Arc::new(properties.build()))?;
            Ok(ArrowRowGroupWriterFactory::new(&file, schema.clone()))
        });
        Ok(Self { schema: schema.clone(), factories: factories.into_iter().collect::<Result<_>>()? })
    }

    /// The encoders of row group `number`, which begins with `rows`, one for each column. Those of texts are not used.
    pub(super) fn writers(&self, number: usize, rows: &RecordBatch) -> Result<Vec<ArrowColumnWriter>> {
        let mut writers = Vec::with_capacity(FORMS.len());
        for factory in &self.factories {
            writers.push(factory.create_column_writers(number)?.into_iter());
            if rows.num_rows() < FEW_ROWS {
                return Ok(writers.into_iter().flatten().collect());
            }
        }
        let sample = rows.slice(0, rows.num_rows().min(SAMPLE_ROWS));
        let sizes = self.factories.iter().map(|factory| self.sizes(factory.create_column_writers(number)?, &sample));
        let sizes = sizes.collect::<Result<Vec<_>>>()?;
        let columns = (0..self.schema.fields().len()).map(|column| {
            let best = best_form(|form| sizes[form][column]);
            let mut forms: Vec<_> = writers.iter_mut().filter_map(Iterator::next).collect();
            forms.swap_remove(best)
        });
        Ok(columns.collect())
    }

    /// Bytes of each column of `sample`; 0 for texts.
    fn sizes(&self, writers: Vec<ArrowColumnWriter>, sample: &RecordBatch) -> Result<Vec<u64>> {
        let columns = writers.into_iter().zip(self.schema.fields()).zip(sample.columns());
        let sizes = columns.map(|((mut writer, field), values)| {
            if is_text(field.data_type()) {
                return Ok(0);
            }
            for leaf in compute_leaves(field, values)? {
                writer.write(&leaf)?;
            }
            Ok(writer.close()?.close().bytes_written)
        });
        sizes.collect()
    }
}

/// The place in [`FORMS`] of the one to take, by the bytes that each needs.
fn best_form(bytes: impl Fn(usize) -> u64) -> usize {
    let [repeating, repeating_plain, differing, differing_plain] = [0, 1, 2, 3];
    let (compressed, plain) = match bytes(differing_plain) < bytes(repeating_plain) {
        true => (differing, differing_plain),
        false => (repeating, repeating_plain),
    };
    let is_worthwhile = bytes(compressed) * 100 <= bytes(plain) * WORTHWHILE_PERCENT;
    if is_worthwhile { compressed } else { plain }
}
