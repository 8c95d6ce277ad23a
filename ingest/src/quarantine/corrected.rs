//! A file of corrected rows: which rejected rows its lines stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use xiangyun_engine::Result;

use super::error::QuarantineError;
use crate::pipeline::{CsvSource, SourceDef};
use crate::run::RunError;
use crate::source::{self, Source, SourceContext};

/// The run that rejected the row.
pub(crate) const RUN: &str = "quarantine_run";
/// The row's number in that run's quarantine.
pub(crate) const NUMBER: &str = "quarantine_number";
/// The text of a row that could not be split into columns.
pub(crate) const RAW: &str = "quarantine_raw";
/// What stands in front of a row's own columns.
pub(crate) const COLUMNS: [&str; 7] =
    [RUN, NUMBER, "quarantine_file", "quarantine_line", "quarantine_column", "quarantine_reason", "quarantine_message"];

/// Rows that one file may correct: which ones they are is held in memory.
pub(super) const ROWS_LIMIT: usize = 1_000_000;

/// A file of corrected rows.
#[derive(Debug)]
pub(super) struct Corrected {
    source: Arc<dyn Source>,
    runs: BTreeMap<String, BTreeSet<u64>>,
}

impl Corrected {
    /// Opens the file and reads which rows it has. Its encoding is told as that of any file: spreadsheets save in their own.
    pub(super) async fn read(context: SourceContext, file: &Path) -> Result<Self> {
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        // Characters that mean something in a pattern are meant as they stand.
        let path = glob::Pattern::escape(&path.to_string_lossy());
        let read = move || -> Result<Self> {
            let source = source::open(&context, &SourceDef::Csv(CsvSource::at(path)))?;
            let runs = ids(&*source)?;
            Ok(Self { source, runs })
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| RunError::ReaderLost { source: error.into() })?
    }

    /// The runs that rejected its rows.
    pub(super) fn runs(&self) -> impl Iterator<Item = &String> {
        self.runs.keys()
    }

    /// The numbers of those of `run`.
    pub(super) fn rows_of(&self, run: &str) -> BTreeSet<u64> {
        self.runs.get(run).cloned().unwrap_or_default()
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }
}

/// The rows by run.
fn ids(source: &dyn Source) -> Result<BTreeMap<String, BTreeSet<u64>>> {
    let path = source.files().first().map(|file| file.path.clone()).unwrap_or_default();
    let schema = source.schema();
    let find = |column: &'static str| {
        schema.index_of(column).map_err(|_| QuarantineError::NoId { path: path.clone(), column })
    };
    let (run_at, number_at) = (find(RUN)?, find(NUMBER)?);
    let mut runs: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut count = 0;
    for batch in source.batches()? {
        let batch = batch?;
        let wrong = |line: u64, reason: String| QuarantineError::Row { path: path.clone(), line, reason };
        if let Some(row) = batch.unreadable.first() {
            return Err(wrong(row.line, row.message.clone()).into());
        }
        count += batch.batch.num_rows();
        if count > ROWS_LIMIT {
            return Err(QuarantineError::TooMany { path }.into());
        }
        let (run_ids, numbers) =
            (batch.batch.column(run_at).as_string::<i32>(), batch.batch.column(number_at).as_string::<i32>());
        for row in 0..batch.batch.num_rows() {
            let line = batch.lines.value(row);
            if run_ids.is_null(row) || numbers.is_null(row) {
                return Err(wrong(line, format!("`{RUN}` or `{NUMBER}` is empty")).into());
            }
            let (run, text) = (run_ids.value(row).trim(), numbers.value(row).trim());
            let number = text.parse().map_err(|_| wrong(line, format!("`{text}` is no number of a row")))?;
            let is_new = match runs.get_mut(run) {
                Some(numbers) => numbers.insert(number),
                None => runs.entry(run.to_owned()).or_default().insert(number),
            };
            if !is_new {
                return Err(wrong(line, format!("row {number} of run {run} stands twice in the file")).into());
            }
        }
    }
    Ok(runs)
}
