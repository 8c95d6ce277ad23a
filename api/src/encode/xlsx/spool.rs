//! A file of the process's scratch folder that holds the packed workbook until it is handed out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;
use xiangyun_engine::scratch::Scratch;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    path: PathBuf,
    /// Keeps the folder it lies in.
    _scratch: Arc<Scratch>,
}

impl Spool {
    pub(super) fn create(scratch: &Arc<Scratch>) -> io::Result<Self> {
        let path = scratch.folder().join(format!("{}.xlsx", Uuid::new_v4().simple()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: options.open(&path)?, path, _scratch: Arc::clone(scratch) })
    }

    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()
    }

    /// Appends the next piece to `out`; nothing at the end.
    pub(super) fn read_piece(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        (&self.file).take(PIECE_BYTES as u64).read_to_end(out).map(drop)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What is left over goes with the folder.
        let _ = std::fs::remove_file(&self.path);
    }
}
