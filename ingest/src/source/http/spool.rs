//! Records on their way to a temporary file, one line of JSON each.

use std::fs::File;
use std::io::{BufWriter, Write};

use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use crate::source::SourceError;

/// A temporary file of records. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Spool {
    file: NamedTempFile,
    writer: BufWriter<File>,
    name: String,
    records: u64,
}

impl Spool {
    /// `name` is what the source is called in reports.
    pub(super) fn open(name: String) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Read { path: name.clone(), source };
        let file = NamedTempFile::with_suffix(".ndjson").map_err(failed)?;
        let writer = BufWriter::with_capacity(256 << 10, file.reopen().map_err(failed)?);
        Ok(Self { file, writer, name, records: 0 })
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
                .map_err(|source| SourceError::Read { path: self.name.clone(), source })?;
            self.records += 1;
        }
        Ok(())
    }

    /// Records so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The file, whole.
    pub(super) fn finish(mut self) -> Result<(NamedTempFile, String), SourceError> {
        self.writer.flush().map_err(|source| SourceError::Read { path: self.name.clone(), source })?;
        Ok((self.file, self.name))
    }
}
