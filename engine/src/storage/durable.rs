//! Local files that survive a power loss once a write was acknowledged.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use uuid::Uuid;

use super::file_layer::{FileLayer, LayerFile, OsFiles};

const STORE: &str = "DurableFileStore";

/// Local files with the guarantees of an object store: a write that returned is on disk, whole, under its name.
///
/// object_store's own [`LocalFileSystem`] never syncs, so a power loss can leave a commit of zero bytes, or none. Here
/// a write goes to a temporary file beside its target, is synced, gets its name (by `rename`, or by `hard_link` where
/// it must not exist yet, which is atomic between processes), and then the directory is synced, and once per process
/// every directory above it up to the lake's root. Reads, lists and deletes are [`LocalFileSystem`]'s.
///
/// Temporary files are called `name#digits`, which [`LocalFileSystem`] leaves out of its lists.
pub struct DurableFileStore {
    files: Arc<Files>,
    local: LocalFileSystem,
}

/// The part that blocking tasks share.
#[derive(Debug)]
struct Files {
    layer: Arc<dyn FileLayer>,
    /// The lake's root: directories above it are the user's.
    root: PathBuf,
    /// Directories whose own entry is known to be durable.
    durable_dirs: Mutex<HashSet<PathBuf>>,
}

impl DurableFileStore {
    /// Stores below `root`; paths are those of the file system's root.
    pub fn new(root: &FsPath) -> Self {
        Self::with_layer(root, Arc::new(OsFiles))
    }

    /// As [`Self::new`], with other file operations.
    pub fn with_layer(root: &FsPath, layer: Arc<dyn FileLayer>) -> Self {
        let files = Files { layer, root: root.to_path_buf(), durable_dirs: Mutex::default() };
        Self { files: Arc::new(files), local: LocalFileSystem::new() }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        location: &Path,
        work: impl FnOnce(&Files, &FsPath) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = self.local.path_to_filesystem(location)?;
        let files = self.files.clone();
        run_blocking(path, move |path| work(&files, path)).await
    }
}

async fn run_blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&FsPath) -> io::Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(move || work(&path).map_err(|source| file_error(&path, source)))
        .await
        .map_err(|source| Error::JoinError { source })?
}

fn file_error(path: &FsPath, source: io::Error) -> Error {
    let text = path.to_string_lossy().into_owned();
    match source.kind() {
        ErrorKind::NotFound => Error::NotFound { path: text, source: Box::new(source) },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path: text, source: Box::new(source) },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path: text, source: Box::new(source) },
        _ => Error::Generic { store: STORE, source: Box::new(FileError { path: text, source }) },
    }
}

/// A failed file operation with the file's name.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`")]
struct FileError {
    path: String,
    source: io::Error,
}

impl Files {
    /// A new temporary file beside `target`, with its directories.
    fn stage(&self, target: &FsPath) -> io::Result<Staged> {
        let temporary = temporary_name(target);
        let file = match self.layer.create_new(&temporary) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create_parents(target)?;
                self.layer.create_new(&temporary)?
            }
            other => other?,
        };
        Ok(Staged { layer: self.layer.clone(), temporary, file, published: false })
    }

    fn create_parents(&self, target: &FsPath) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut folder = target.parent();
        while let Some(path) = folder.filter(|path| !path.exists()) {
            missing.push(path);
            folder = path.parent();
        }
        for path in missing.into_iter().rev() {
            match self.layer.create_dir(path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => self.sync_parent(path)?,
            }
        }
        Ok(())
    }

    fn sync_parent(&self, path: &FsPath) -> io::Result<()> {
        path.parent().map_or(Ok(()), |parent| self.layer.sync_dir(parent))
    }

    /// Makes the name `target` durable: its directory, and those above it that another process may have just made.
    fn sync_name(&self, target: &FsPath) -> io::Result<()> {
        self.sync_parent(target)?;
        let mut folder = target.parent();
        while let Some(path) = folder.filter(|path| path.starts_with(&self.root)) {
            if !self.is_durable(path) {
                // Syncing the root's own parent may be denied, and then the root was there before us.
                match self.sync_parent(path) {
                    Err(error) if path != self.root || error.kind() != ErrorKind::PermissionDenied => {
                        return Err(error);
                    }
                    _ => self.set_durable(path),
                }
            }
            folder = path.parent();
        }
        Ok(())
    }

    fn is_durable(&self, path: &FsPath) -> bool {
        self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn set_durable(&self, path: &FsPath) {
        self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf());
    }

    /// Syncs `staged`, gives it the name `target` and makes that name durable.
    fn publish(&self, mut staged: Staged, target: &FsPath, exclusive: bool) -> io::Result<()> {
        staged.file.sync_all()?;
        if exclusive {
            self.layer.hard_link(&staged.temporary, target)?;
            // The temporary name goes with `staged`.
        } else {
            self.layer.rename(&staged.temporary, target)?;
            staged.published = true;
        }
        drop(staged);
        self.sync_name(target)
    }
}

fn temporary_name(target: &FsPath) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{}", Uuid::new_v4().as_u128()));
    PathBuf::from(name)
}

/// A temporary file; removed when dropped before it was renamed.
#[derive(Debug)]
struct Staged {
    layer: Arc<dyn FileLayer>,
    temporary: PathBuf,
    file: Box<dyn LayerFile>,
    published: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // A left-over is harmless: no list shows it and no name refers to it.
            let _ = self.layer.remove_file(&self.temporary);
        }
    }
}

impl fmt::Debug for DurableFileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(STORE).field("root", &self.files.root).finish_non_exhaustive()
    }
}

impl fmt::Display for DurableFileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE}({})", self.files.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableFileStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let exclusive = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(not_implemented("put with PutMode::Update")),
        };
        self.blocking(location, move |files, target| {
            let mut staged = files.stage(target)?;
            let mut offset = 0;
            for chunk in &payload {
                staged.file.write_at(offset, chunk)?;
                offset += chunk.len() as u64;
            }
            files.publish(staged, target, exclusive)
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let target = self.local.path_to_filesystem(location)?;
        let staged = self.blocking(location, |files, target| files.stage(target)).await?;
        let staged = Arc::new(Mutex::new(Some(staged)));
        Ok(Box::new(Upload { files: self.files.clone(), target, staged, offset: 0 }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.local.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<Bytes>> {
        self.local.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.local.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.local.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.local.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.local.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(not_implemented("copy")) // would have to be made durable; nothing here copies
    }
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.into(), implementer: STORE.into() }
}

/// A file that arrives in parts.
#[derive(Debug)]
struct Upload {
    files: Arc<Files>,
    target: PathBuf,
    /// `None` once completed or aborted.
    staged: Arc<Mutex<Option<Staged>>>,
    offset: u64,
}

fn finished() -> io::Error {
    io::Error::other("the upload was completed or aborted before")
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let start = self.offset;
        self.offset += data.content_length() as u64;
        let staged = self.staged.clone();
        Box::pin(run_blocking(self.target.clone(), move |_| {
            let mut guard = staged.lock().unwrap_or_else(PoisonError::into_inner);
            let file = &mut guard.as_mut().ok_or_else(finished)?.file;
            let mut offset = start;
            for chunk in &data {
                file.write_at(offset, chunk)?;
                offset += chunk.len() as u64;
            }
            Ok(())
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (files, staged) = (self.files.clone(), self.staged.clone());
        run_blocking(self.target.clone(), move |target| {
            let staged = staged.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(finished)?;
            files.publish(staged, target, false)
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = self.staged.clone();
        run_blocking(self.target.clone(), move |_| {
            drop(staged.lock().unwrap_or_else(PoisonError::into_inner).take());
            Ok(())
        })
        .await
    }
}
