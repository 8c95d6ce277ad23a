//! Files of agencies: found by path or pattern, unpacked, decoded, and read as rows by what their [`Format`] says.
//!
//! What one file is, is the format's business; that several files are one source is [`Files`]'s.

mod archive;
mod content;
mod decoded;
mod encoding;
mod find;
mod inspect;

use std::collections::HashSet;
use std::fmt::Debug;
#[cfg(test)]
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::RunSource;

pub(crate) use content::hex;
pub(in crate::source) use content::{Content, Limits, Spool, StoredBytes, named, spool};
pub(in crate::source) use decoded::Decoded;
pub(in crate::source) use encoding::{Detector, Encoding, TextDecoder};
#[cfg(test)]
use find::find;
pub(in crate::source) use find::{SourceFile, locate};
pub(in crate::source) use inspect::inspect;

use super::drift::{self, Drift};
use super::{Batches, Source, SourceBatch, SourceContext, SourceError};
use crate::pipeline::FileLocation;

/// How files of one kind become rows.
pub(in crate::source) trait Format: Debug + Send + Sync {
    /// Reads as much of a file as its columns and its hash need, and decides what is decided once a file: its
    /// encoding, where its header stands. A file with several tables in it (the sheets of a workbook) gives several.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError>;
}

/// A file whose columns are known.
pub(in crate::source) trait OpenFile: Debug + Send + Sync {
    /// Name, size, hash, and what was decided.
    fn record(&self) -> &RunSource;

    /// Its own columns, in its own order.
    fn schema(&self) -> SchemaRef;

    /// Its rows in [`Self::schema`], from the beginning. The reading fails with [`SourceError::Changed`] where the
    /// file is no longer the one that was hashed.
    fn batches(&self) -> Result<Batches, SourceError>;

    /// What of it is in no row, once it has been read to the end.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Files of one kind as one source.
#[derive(Debug)]
pub struct Files {
    files: Arc<Vec<Box<dyn OpenFile>>>,
    records: Vec<RunSource>,
    schema: SchemaRef,
    drift: Drift,
}

impl Files {
    /// Opens every file that `location` means, in the order of their names; remote ones are fetched first.
    pub(in crate::source) fn open_at(
        context: &SourceContext,
        location: &FileLocation<'_>,
        format: &dyn Format,
    ) -> Result<Self, SourceError> {
        Self::of(&locate(context, location)?, format)
    }

    #[cfg(test)]
    /// Opens every file of this machine that `path` means, in the order of their names.
    pub(in crate::source) fn open(root: &Path, path: &str, format: &dyn Format) -> Result<Self, SourceError> {
        Self::of(&find(root, path)?, format)
    }

    /// Files that are found already.
    pub(in crate::source) fn of(found: &[SourceFile], format: &dyn Format) -> Result<Self, SourceError> {
        let mut files = Vec::new();
        for file in found {
            files.extend(format.open(file)?);
        }
        Self::try_new(files)
    }

    /// The rows of the files that `wanted` names, or of all; the others are not opened again.
    fn batches_of_files(&self, wanted: Option<Arc<HashSet<String>>>) -> Result<Batches, SourceError> {
        let (files, schema) = (Arc::clone(&self.files), self.schema());
        let mut open: Option<Batches> = None;
        let mut next = 0;
        let mut step = move || -> Result<Option<SourceBatch>, SourceError> {
            loop {
                if let Some(batches) = &mut open
                    && let Some(batch) = batches.next()
                {
                    return drift::in_schema(batch?, &schema).map(Some);
                }
                let Some(file) = files.get(next) else { return Ok(None) };
                next += 1;
                let is_wanted = wanted.as_ref().is_none_or(|paths| paths.contains(&file.record().path));
                open = is_wanted.then(|| file.batches()).transpose()?;
            }
        };
        Ok(Box::new(std::iter::from_fn(move || step().transpose())))
    }

    /// One source with the columns of all files.
    pub(in crate::source) fn try_new(files: Vec<Box<dyn OpenFile>>) -> Result<Self, SourceError> {
        let columns: Vec<_> = files.iter().map(|file| (file.record().path.as_str(), file.schema())).collect();
        let (schema, drift) = drift::union(&columns)?;
        let records = files.iter().map(|file| file.record().clone()).collect();
        Ok(Self { files: Arc::new(files), records, schema, drift })
    }
}

impl Source for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn files(&self) -> &[RunSource] {
        &self.records
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        self.batches_of_files(None)
    }

    fn batches_of(&self, paths: &Arc<HashSet<String>>) -> Result<Batches, SourceError> {
        self.batches_of_files(Some(Arc::clone(paths)))
    }

    fn notes(&self) -> Vec<String> {
        self.files.iter().flat_map(|file| file.notes()).collect()
    }

    fn drift(&self) -> Drift {
        self.drift.clone()
    }
}

/// Names, sizes and times of the files that `location` means, archives as a whole; none where there are none, or where
/// it is behind a URL that does not tell.
pub(in crate::source) fn fingerprint(
    context: &SourceContext,
    location: &FileLocation<'_>,
) -> Result<Option<String>, SourceError> {
    let files = match find::unlisted(context, location) {
        Ok(find::Unlisted::Local(files)) => files,
        Ok(find::Unlisted::Remote(text)) => return Ok(text.map(|text| hex(&Sha256::digest(text)))),
        Err(SourceError::NoMatch { .. } | SourceError::Missing { .. } | SourceError::Folder { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut hash = Sha256::new();
    for file in files {
        let seen = std::fs::metadata(&file.path).and_then(|found| Ok((found.len(), found.modified()?)));
        let (bytes, modified) = seen.map_err(|source| SourceError::Read { path: file.name.clone(), source })?;
        let nanos = modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        hash.update(format!("{}\n{bytes}\n{nanos}\n", file.name));
    }
    Ok(Some(hex(&hash.finalize())))
}
