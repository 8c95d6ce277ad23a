//! An object store in memory that counts what is asked of it, lets others act in the midst of it, and loses a reply.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use xiangyun_engine::storage::Storage;

#[derive(Debug, Clone, Default)]
pub(crate) struct CountingStore {
    pub(crate) inner: Arc<InMemory>,
    gets: Arc<AtomicUsize>,
    listed: Arc<AtomicUsize>,
    before_put: Interposed,
    /// The end of a path: the reply to the first object that is put there is lost.
    lost: Arc<Mutex<Option<String>>>,
}

/// The end of a path, and what happens before the first object is put whose path ends so.
type BeforePut = (String, BoxFuture<'static, ()>);

#[derive(Clone, Default)]
struct Interposed(Arc<Mutex<Option<BeforePut>>>);

impl fmt::Debug for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interposed")
    }
}

/// What was asked since the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Requests for an object or a part of one.
    pub(crate) gets: usize,
    /// Objects that lists have named.
    pub(crate) listed: usize,
}

impl CountingStore {
    pub(crate) fn storage(&self) -> Storage {
        let url = url::Url::parse("s3://lake/root").unwrap();
        Storage { store: Arc::new(self.clone()), url, root: Path::from("root"), turns: None }
    }

    pub(crate) fn take(&self) -> Reads {
        Reads { gets: self.gets.swap(0, Ordering::Relaxed), listed: self.listed.swap(0, Ordering::Relaxed) }
    }

    /// Does `work` before the first object is put whose path ends with `end`, while its writer waits.
    pub(crate) fn before_put(&self, end: &str, work: impl Future<Output = ()> + Send + 'static) {
        *self.before_put.0.lock().unwrap() = Some((end.to_owned(), work.boxed()));
    }

    /// Puts the first object whose path ends with `end`, and tells its writer that it failed.
    pub(crate) fn lose_reply(&self, end: &str) {
        *self.lost.lock().unwrap() = Some(end.to_owned());
    }

    fn interposed(&self, location: &Path) -> Option<BoxFuture<'static, ()>> {
        let mut held = self.before_put.0.lock().unwrap();
        held.take_if(|(end, _)| location.as_ref().ends_with(end.as_str())).map(|(_, work)| work)
    }

    fn count<'a>(&self, listed: BoxStream<'a, Result<ObjectMeta>>) -> BoxStream<'a, Result<ObjectMeta>> {
        let count = Arc::clone(&self.listed);
        let told = move |_: &Result<ObjectMeta>| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        listed.inspect(told).boxed()
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if let Some(work) = self.interposed(location) {
            work.await;
        }
        let put = self.inner.put_opts(location, payload, options).await?;
        match self.lost.lock().unwrap().take_if(|end| location.as_ref().ends_with(end.as_str())) {
            Some(_) => Err(Error::Generic { store: "CountingStore", source: "the reply was lost".into() }),
            None => Ok(put),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.gets.fetch_add(ranges.len(), Ordering::Relaxed);
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let found = self.inner.list_with_delimiter(prefix).await?;
        self.listed.fetch_add(found.objects.len(), Ordering::Relaxed);
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
