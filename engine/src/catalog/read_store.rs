//! The store as queries see it: read-only, and clear about a file that is gone.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

const STORE: &str = "ReadStore";
const BEFORE: &str = "data file `";
const MISSING: &str = "` is missing although the table's log lists it";
const FAILED: &str = "` could not be read from the lake's storage";

/// Only reads. DataFusion passes some errors on as text alone, so what went wrong has to be in the text: see
/// [`ReadFailure::find`].
#[derive(Debug)]
pub(super) struct ReadStore {
    inner: Arc<dyn ObjectStore>,
}

impl ReadStore {
    pub(super) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner }
    }
}

/// A file of the lake that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadFailure {
    /// It is not there.
    Missing(String),
    /// The storage failed.
    Failed(String),
}

impl ReadFailure {
    /// The failure that caused `error`.
    pub(super) fn find(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = Self::in_text(&error.to_string()) {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    fn in_text(text: &str) -> Option<Self> {
        let within = |end: &str| {
            let before = &text[..text.find(end)?];
            Some(before[before.rfind(BEFORE)? + BEFORE.len()..].to_string())
        };
        within(MISSING).map(Self::Missing).or_else(|| within(FAILED).map(Self::Failed))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{BEFORE}{path}{end}")]
struct ReadError {
    path: String,
    end: &'static str,
    source: Error,
}

fn explain(path: &Path, error: Error) -> Error {
    let end = if matches!(error, Error::NotFound { .. }) { MISSING } else { FAILED };
    Error::Generic { store: STORE, source: Box::new(ReadError { path: path.to_string(), end, source: error }) }
}

fn refused(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.into(), implementer: STORE.into() }
}

impl fmt::Display for ReadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE}({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for ReadStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await.map_err(|error| explain(location, error))
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await.map_err(|error| explain(location, error))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused("put"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("put"))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|_| Err(refused("delete"))).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused("copy"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_missing_file_is_found_in_text_and_in_causes() {
        let store = ReadStore::new(Arc::new(InMemory::new()));
        let path = Path::from("lake/a b.parquet");
        let error = store.get(&path).await.unwrap_err();
        let missing = Some(ReadFailure::Missing("lake/a b.parquet".into()));
        assert_eq!(ReadFailure::find(&error), missing);
        let as_text = std::io::Error::other(format!("Failed to fetch metadata: {error}"));
        assert_eq!(ReadFailure::find(&as_text), missing);
        assert_eq!(ReadFailure::find(&std::io::Error::other("division by zero")), None);
    }

    #[tokio::test]
    async fn nothing_is_written_through_it() {
        let inner = Arc::new(InMemory::new());
        inner.put(&Path::from("x"), "1".into()).await.unwrap();
        let store = ReadStore::new(inner.clone());
        assert!(store.put(&Path::from("y"), "2".into()).await.is_err());
        assert!(store.delete(&Path::from("x")).await.is_err());
        assert!(store.copy(&Path::from("x"), &Path::from("z")).await.is_err());
        assert_eq!(inner.list(None).count().await, 1);
    }
}
