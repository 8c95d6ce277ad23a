//! Standard output, or a file that appears when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Where bytes go.
pub(crate) enum Destination {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A file under a temporary name until it is finished.
    File(Unfinished),
}

impl Destination {
    pub(super) fn stdout() -> Self {
        Self::Stdout(BufWriter::with_capacity(64 << 10, io::stdout()))
    }

    pub(super) fn file(path: &Path) -> anyhow::Result<Self> {
        Unfinished::create(path).map(Self::File)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout(writer) => writer.write_all(bytes).context("cannot write to standard output"),
            Self::File(file) => {
                file.writer.write_all(bytes).with_context(|| format!("cannot write {}", file.path.display()))
            }
        }
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush().context("cannot write to standard output"),
            Self::File(_) => Ok(()),
        }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.flush()?;
        match self {
            Self::Stdout(_) => Ok(()),
            Self::File(file) => file.finish(),
        }
    }
}

/// A file that nobody sees half-written; dropped unfinished, it is gone.
pub(crate) struct Unfinished {
    path: PathBuf,
    temporary: PathBuf,
    writer: BufWriter<File>,
    finished: bool,
}

impl Unfinished {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        let temporary = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = File::create(&temporary).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path: path.into(), temporary, writer: BufWriter::with_capacity(1 << 20, file), finished: false })
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let written = self.writer.flush().and_then(|()| fs::rename(&self.temporary, &self.path));
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // the command has failed and says why; a leftover of a temporary name is the lesser evil
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
