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

pub(crate) use content::Spool;
pub(crate) use content::hex;
pub(in crate::source) use content::{Content, FileState, Fingerprint, Limits, StoredBytes, named, spool};
pub(in crate::source) use decoded::Decoded;
pub(in crate::source) use encoding::{Detector, Encoding, TextDecoder};
#[cfg(test)]
use find::find;
pub(in crate::source) use find::{SourceFile, locate};
pub(in crate::source) use inspect::{Inspected, inspect, inspect_start};

use super::drift::{self, Drift};
use super::{Batches, Footers, Source, SourceContext, SourceError, parallel};
use crate::pipeline::FileLocation;

/// How files of one kind become rows.
pub(in crate::source) trait Format: Debug + Send + Sync {
    /// Reads as much of a file as its columns and its hash need, and decides what is decided once a file: its
    /// encoding, where its header stands. A file with several tables in it (the sheets of a workbook) gives several.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError>;
}

/// A file whose columns are known.
pub(in crate::source) trait OpenFile: Debug + Send + Sync {
    /// Name, size, hash, and what was decided; without a hash where the file is hashed while its rows are read.
    fn record(&self) -> &RunSource;

    /// The record with its hash. The file is read for it where nobody has read it to its end yet.
    fn hashed(&self) -> Result<RunSource, SourceError> {
        Ok(self.record().clone())
    }

    /// Its own columns, in its own order.
    fn schema(&self) -> SchemaRef;

    /// Its rows in [`Self::schema`], from the beginning. The reading fails with [`SourceError::Changed`] where the
    /// file is no longer the one that was hashed.
    fn batches(&self) -> Result<Batches, SourceError>;

    /// The first lines of its footer, once it has been read to the end.
    fn footer(&self) -> Vec<String> {
        Vec::new()
    }

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
        Self::try_new(parallel::each(found, |file| format.open(file))?.into_iter().flatten().collect())
    }

    /// The rows of the files that `wanted` names, or of all; the others are not opened again.
    fn batches_of_files(&self, wanted: Option<&HashSet<String>>) -> Batches {
        let is_wanted = |index: &usize| wanted.is_none_or(|paths| paths.contains(&self.records[*index].path));
        let wanted = (0..self.files.len()).filter(is_wanted).collect();
        let (files, schema) = (Arc::clone(&self.files), self.schema());
        let batches = parallel::in_order(wanted, move |index: &usize| files[*index].batches());
        Box::new(batches.map(move |batch| drift::in_schema(batch?, &schema)))
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

    fn hashed_files(&self, wanted: &(dyn Fn(&RunSource) -> bool + Sync)) -> Result<Vec<RunSource>, SourceError> {
        parallel::each(&self.files, |file| match wanted(file.record()) {
            true => file.hashed(),
            false => Ok(file.record().clone()),
        })
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        Ok(self.batches_of_files(None))
    }

    fn batches_of(&self, paths: &Arc<HashSet<String>>) -> Result<Batches, SourceError> {
        Ok(self.batches_of_files(Some(paths)))
    }

    fn footers(&self) -> Footers {
        self.files.iter().map(|file| (file.record().path.clone(), file.footer())).collect()
    }

    fn notes(&self) -> Vec<String> {
        self.files.iter().flat_map(|file| file.notes()).collect()
    }

    fn drift(&self) -> Drift {
        self.drift.clone()
    }
}

/// The first line of a file of text; its start where it is long.
pub(in crate::source) fn first_line(file: &SourceFile) -> Result<String, SourceError> {
    let mut text = Decoded::open(file, inspect(file, None)?.encoding)?;
    text.fill()?;
    Ok(text.rest().lines().next().unwrap_or_default().to_owned())
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
