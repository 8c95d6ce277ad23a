//! Temporary files of this process, in one folder that goes with it: at the end of its last user, or, where the process
//! was killed, when the next one starts.
//!
//! Beside the folder lies a file that its process holds locked. A lock goes with its process however that ends, so that
//! a folder whose lock can be taken belongs to nobody any more.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use uuid::Uuid;

const PREFIX: &str = "xiangyun-";
const LOCK: &str = ".lock";

/// Locks that are tried for until one is ours: a process that starts at the same moment may take a new one for left
/// behind.
const ATTEMPTS: usize = 16;

/// The folder, for as long as somebody holds it.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
    held: File,
}

impl Scratch {
    /// The folder of this process, below the one for temporary files. The first to ask makes it and removes what
    /// processes that were killed have left there.
    ///
    /// # Errors
    /// Where no folder can be made.
    pub fn of_process() -> io::Result<Arc<Self>> {
        static CURRENT: Mutex<Weak<Scratch>> = Mutex::new(Weak::new());
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scratch) = current.upgrade() {
            return Ok(scratch);
        }
        let scratch = Arc::new(Self::create(&std::env::temp_dir())?);
        scratch.remove_left_behind();
        *current = Arc::downgrade(&scratch);
        Ok(scratch)
    }

    /// The folder, which only this process's user can open.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn create(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
            let (folder, lock) = (parent.join(&name), parent.join(format!("{name}{LOCK}")));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let held = options.open(&lock)?;
            match held.try_lock() {
                // Somebody may have taken and removed it before it was locked.
                Ok(()) if !lock.exists() => continue,
                Err(TryLockError::WouldBlock) => continue,
                Ok(()) => {}
                // Without locks nothing is ever taken for left behind.
                Err(TryLockError::Error(error)) => tracing::debug!(%error, "temporary files cannot be locked"),
            }
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            return match builder.create(&folder) {
                Ok(()) => Ok(Self { folder, lock, held }),
                Err(error) => {
                    let _ = fs::remove_file(&lock);
                    Err(error)
                }
            };
        }
        Err(io::Error::other("others take every lock"))
    }

    /// Removes the folders beside this one whose processes are gone. What cannot be removed now is tried again by the
    /// next process.
    fn remove_left_behind(&self) {
        let Some(entries) = self.folder.parent().and_then(|parent| fs::read_dir(parent).ok()) else { return };
        for lock in entries.flatten().map(|entry| entry.path()) {
            let name = lock.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(folder) = name.strip_suffix(LOCK).filter(|folder| is_ours(folder)) else { continue };
            let folder = lock.with_file_name(folder);
            match self.remove_if_left_behind(&lock, &folder) {
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!(folder = %folder.display(), "removed temporary files of a process that was killed");
                }
                Err(error) => {
                    tracing::warn!(%error, folder = %folder.display(), "temporary files of a process that was killed stay");
                }
            }
        }
    }

    fn remove_if_left_behind(&self, lock: &Path, folder: &Path) -> io::Result<bool> {
        // A link could lead anywhere, and what belongs to another user is that user's.
        let is_own_file = |found: &fs::Metadata| found.is_file() && self.has_same_owner(found);
        if lock == self.lock || !fs::symlink_metadata(lock).is_ok_and(|found| is_own_file(&found)) {
            return Ok(false);
        }
        let Ok(held) = OpenOptions::new().write(true).open(lock) else { return Ok(false) };
        if held.try_lock().is_err() {
            return Ok(false);
        }
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::remove_file(lock)?,
        }
        Ok(true)
    }

    #[cfg(unix)]
    fn has_same_owner(&self, other: &fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.held.metadata().is_ok_and(|own| own.uid() == other.uid())
    }

    #[cfg(not(unix))]
    fn has_same_owner(&self, _other: &fs::Metadata) -> bool {
        true
    }
}

/// Whether a folder is called as those that are made here.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "a folder of temporary files was left behind");
            // The lock stays with it, so that the next process knows it.
            return;
        }
        let _ = fs::remove_file(&self.lock);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_the_dead_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::create(parent.path()).unwrap();
        fs::write(living.folder().join("kept"), "x").unwrap();
        // As a process that was killed leaves it: the lock's file is there, and nobody holds it.
        let dead = format!("{PREFIX}{}", Uuid::new_v4().simple());
        fs::create_dir(parent.path().join(&dead)).unwrap();
        fs::write(parent.path().join(&dead).join("left"), "x").unwrap();
        fs::write(parent.path().join(format!("{dead}{LOCK}")), "").unwrap();
        // Not ours: other names, a folder without a lock.
        let other = format!("{PREFIX}{}", Uuid::new_v4().simple());
        fs::create_dir(parent.path().join(&other)).unwrap();
        fs::write(parent.path().join("xiangyun-notes.lock"), "").unwrap();
        fs::create_dir(parent.path().join("xiangyun-notes")).unwrap();
        let own = Scratch::create(parent.path()).unwrap();
        own.remove_left_behind();
        let mut expected = vec![other, "xiangyun-notes".into(), "xiangyun-notes.lock".into()];
        for scratch in [&living, &own] {
            for path in [&scratch.folder, &scratch.lock] {
                expected.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
        expected.sort();
        assert_eq!(names(parent.path()), expected);
        assert!(living.folder().join("kept").exists());
        drop((living, own));
        assert_eq!(names(parent.path()).len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("precious"), "x").unwrap();
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        std::os::unix::fs::symlink(elsewhere.path(), parent.path().join(&name)).unwrap();
        fs::write(parent.path().join(format!("{name}{LOCK}")), "").unwrap();
        let linked = format!("{PREFIX}{}", Uuid::new_v4().simple());
        let lock = parent.path().join(format!("{linked}{LOCK}"));
        std::os::unix::fs::symlink(elsewhere.path().join("precious"), &lock).unwrap();
        Scratch::create(parent.path()).unwrap().remove_left_behind();
        assert!(elsewhere.path().join("precious").exists());
    }
}
