//! Avro object container files.

use std::fs::File;
use std::io::{BufReader, Seek};

use arrow_avro::reader::ReaderBuilder;

use super::{Fault, Reading, avro_blocks};
use crate::source::BATCH_ROWS;

pub(super) fn read(content: File) -> Result<Reading, Fault> {
    let mut input = BufReader::new(content);
    let rows = avro_blocks::count_rows(&mut input)?;
    input.rewind()?;
    let batches = ReaderBuilder::new().with_batch_size(BATCH_ROWS).build(input)?;
    Ok(Reading { schema: batches.schema(), rows, batches: Box::new(batches) })
}
