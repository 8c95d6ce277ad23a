//! Records of HTTP APIs. What comes over the network is spooled as one line of JSON a record and hashed on the way, so
//! that such a source is like any other: opened first, its content known, then read, as often as it is needed.

mod ckan;
mod client;
mod paging;
mod socrata;
mod spool;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use xiangyun_engine::catalog::RunSource;

use super::file::Files;
use super::json::Json;
use super::{Batches, Source, SourceError};
pub(super) use ckan::open as open_ckan;
pub(super) use paging::{check as check_paging, open};
pub(super) use socrata::open as open_socrata;

use paging::Fetched;

/// What was fetched as a source of rows.
pub(super) fn records(fetched: Fetched, null_values: &[String]) -> Result<Arc<dyn Source>, SourceError> {
    let Fetched { file, records, cursor } = fetched;
    let files = match records {
        0 => None,
        _ => Some(Files::of(&[file], &Json::lines(null_values))?),
    };
    Ok(Arc::new(Records { files, cursor }))
}

/// The records of an API.
#[derive(Debug)]
struct Records {
    /// None where it had none.
    files: Option<Files>,
    cursor: Option<String>,
}

impl Source for Records {
    fn schema(&self) -> SchemaRef {
        self.files.as_ref().map_or_else(|| Arc::new(Schema::empty()), Source::schema)
    }

    fn files(&self) -> &[RunSource] {
        self.files.as_ref().map_or(&[], Source::files)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        match &self.files {
            Some(files) => files.batches(),
            None => Ok(Box::new(std::iter::empty())),
        }
    }

    fn is_empty(&self) -> bool {
        self.files.is_none()
    }

    fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }
}

#[cfg(test)]
mod tests;
