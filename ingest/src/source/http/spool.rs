//! Records on their way to a temporary file, one line of JSON each.

use std::fs::File;
use std::io::{BufWriter, Write};

use crate::source::SourceError;
use crate::source::file::{SourceFile, Spool};
use serde_json::value::RawValue;

/// A temporary file of records. It is gone with the last who holds it.
#[derive(Debug)]
pub(super) struct RecordWriter {
    file: SourceFile,
    writer: BufWriter<File>,
    name: String,
    records: u64,
}

impl RecordWriter {
    /// `name` is what the source is called in reports.
    pub(super) fn open(name: String) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Spool { path: name.clone(), source };
        let spool = Spool::new().map_err(failed)?;
        let (opened, path) = spool.create().map_err(failed)?;
        let writer = BufWriter::with_capacity(256 << 10, opened);
        Ok(Self { file: SourceFile::fetched(path, name.clone(), &spool), writer, name, records: 0 })
    }

    /// Adds records as they are written, each on a line of its own.
    pub(super) fn push(&mut self, records: &[&RawValue]) -> Result<(), SourceError> {
        for record in records {
            // A record may be spread over lines; within JSON a line break between tokens means nothing, and within a
            // text it is escaped.
            let text = record.get();
            let written = match text.contains(['\n', '\r']) {
                true => self.writer.write_all(text.replace(['\n', '\r'], " ").as_bytes()),
                false => self.writer.write_all(text.as_bytes()),
            };
            written
                .and_then(|()| self.writer.write_all(b"\n"))
                .map_err(|source| SourceError::Spool { path: self.name.clone(), source })?;
            self.records += 1;
        }
        Ok(())
    }

    /// Records so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The file, whole.
    pub(super) fn finish(mut self) -> Result<SourceFile, SourceError> {
        self.writer.flush().map_err(|source| SourceError::Spool { path: self.name.clone(), source })?;
        Ok(self.file)
    }
}
