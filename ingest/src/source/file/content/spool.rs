//! Files of a run's own: what was fetched, and what had to be unpacked to be seekable.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;
use xiangyun_engine::scratch::Scratch;

/// A folder that only this process's user can open; removed with all that is in it when the last file of the source
/// that uses it is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// Keeps the folder it lies in.
    _scratch: Arc<Scratch>,
}

impl Spool {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let scratch = Scratch::of_process()?;
        let folder = scratch.folder().join(Uuid::new_v4().simple().to_string());
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Arc::new(Self { folder, _scratch: scratch }))
    }

    /// A new empty file, to be written and read.
    pub(crate) fn create(&self) -> io::Result<(File, PathBuf)> {
        let path = self.folder.join(Uuid::new_v4().simple().to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        Ok((file, path))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "a folder of temporary files was left behind");
        }
    }
}
