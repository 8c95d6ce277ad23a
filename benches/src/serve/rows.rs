//! The rows that are served: trades of enterprises, made of a seed and written as Parquet in bounded memory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::random::Random;

/// Rows of one file; more rows are more files, which are loaded side by side.
const FILE_ROWS: u64 = 10_000_000;
const BATCH_ROWS: u64 = 65_536;

/// 2019-01-01, and the days from then on.
const FIRST_DAY: u64 = 17_897;
const DAYS: u64 = 5 * 365;

/// Rows of one enterprise, on average.
const ROWS_PER_ENTERPRISE: u64 = 20;

const REGIONS: [&str; 9] = ["220102", "220202", "220302", "220402", "220502", "220602", "220702", "220802", "222401"];
const CHANNELS: [&str; 4] = ["counter", "kiosk", "mobile", "online"];

/// Names and types by contract, in order.
pub(super) const COLUMNS: [(&str, &str); 7] = [
    ("id", "int64"),
    ("day", "date"),
    ("region", "text"),
    ("channel", "text"),
    ("enterprise", "text"),
    ("amount", "decimal(18,2)"),
    ("rate", "float64"),
];

/// Writes `rows` rows into files of `folder`, and tells the files.
pub(super) fn write(folder: &Path, rows: u64) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut random = Random::new(20_190_326);
    let enterprises = (rows / ROWS_PER_ENTERPRISE).max(1);
    let mut files = Vec::new();
    for (number, first) in (0..rows.max(1)).step_by(usize::try_from(FILE_ROWS)?).enumerate() {
        let path = folder.join(format!("trades-{number:03}.parquet"));
        write_file(&path, first, rows.min(first + FILE_ROWS), enterprises, &mut random)
            .with_context(|| format!("cannot write {}", path.display()))?;
        files.push(path);
    }
    Ok(files)
}

fn write_file(path: &Path, first: u64, end: u64, enterprises: u64, random: &mut Random) -> Result<()> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let schema = batch(first, first, enterprises, random)?.schema();
    let mut writer = ArrowWriter::try_new(File::create(path)?, schema, Some(properties))?;
    let mut from = first;
    while from < end {
        let to = end.min(from + BATCH_ROWS);
        writer.write(&batch(from, to, enterprises, random)?)?;
        from = to;
    }
    writer.close()?;
    Ok(())
}

/// The rows whose ids are from `from` to before `to`.
fn batch(from: u64, to: u64, enterprises: u64, random: &mut Random) -> Result<RecordBatch> {
    let (mut ids, mut days, mut regions, mut channels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut names, mut amounts, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for id in from..to {
        ids.push(i64::try_from(id)?);
        days.push(i32::try_from(FIRST_DAY + random.below(DAYS))?);
        regions.push(one_of(&REGIONS, random));
        channels.push(one_of(&CHANNELS, random));
        names.push(format!("E{:09}", random.below(enterprises)));
        amounts.push(i128::from(random.below(100_000_000)));
        rates.push(random.below(1 << 20) as f64 / f64::from(1 << 20));
    }
    let columns: [ArrayRef; 7] = [
        Arc::new(Int64Array::from(ids)),
        Arc::new(Date32Array::from(days)),
        Arc::new(StringArray::from(regions)),
        Arc::new(StringArray::from(channels)),
        Arc::new(StringArray::from(names)),
        Arc::new(Decimal128Array::from(amounts).with_precision_and_scale(18, 2)?),
        Arc::new(Float64Array::from(rates)),
    ];
    Ok(RecordBatch::try_from_iter(COLUMNS.iter().map(|(name, _)| *name).zip(columns))?)
}

fn one_of(list: &[&'static str], random: &mut Random) -> &'static str {
    list[random.below(list.len() as u64) as usize]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_seed_and_as_many_as_were_asked() {
        let batches: Vec<_> = (0..2).map(|_| batch(0, 100, 5, &mut Random::new(1)).unwrap()).collect();
        assert_eq!(batches[0], batches[1]);
        assert_eq!((batches[0].num_rows(), batches[0].num_columns()), (100, COLUMNS.len()));
        assert_ne!(batches[0], batch(0, 100, 5, &mut Random::new(2)).unwrap());
    }
}
