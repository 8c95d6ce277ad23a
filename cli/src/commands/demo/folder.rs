//! The folder of the demo: made from the embedded example, recognised when it is there.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use include_dir::{Dir, DirEntry, include_dir};
use serde::{Deserialize, Serialize};
use xiangyun_engine::{Error, ErrorKind};

use crate::commands::init::is_empty;

/// The example project.
static EXAMPLE: Dir<'_> = include_dir!("$OUT_DIR/demo");

/// The file that tells a demo's folder from a folder of somebody's own; written first.
const MARKER: &str = ".xiangyun-demo.toml";

/// What the demo remembers from run to run.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// How much its synthetic tables were scaled by.
    scale: f64,
}

/// Makes the folder a demo, or completes one that was interrupted; files that are there stay as they are. Returns the
/// scale in force: the one asked for, else that of the last run.
pub(super) fn prepare(dir: &Path, scale: Option<f64>) -> anyhow::Result<f64> {
    let marker = dir.join(MARKER);
    let known = match fs::read_to_string(&marker) {
        Ok(text) => {
            let marker: Marker = toml::from_str(&text).with_context(|| format!("cannot read {}", marker.display()))?;
            Some(marker.scale)
        }
        Err(_) if dir.exists() && !is_empty(dir)? => {
            let message = format!("{} is not empty and not a demo", dir.display());
            let hint = "name another folder by `--dir DIR`";
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint).into());
        }
        Err(_) => None,
    };
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let wanted = scale.or(known).unwrap_or(1.0);
    if known != Some(wanted) {
        let text = toml::to_string(&Marker { scale: wanted }).context("cannot describe the demo")?;
        write(&marker, format!("# Made by `xiangyun demo`, which takes this folder for its own.\n{text}").as_bytes())?;
    }
    extract(&EXAMPLE, dir)?;
    Ok(wanted)
}

fn extract(folder: &Dir<'_>, dir: &Path) -> anyhow::Result<()> {
    for entry in folder.entries() {
        let path = dir.join(entry.path());
        match entry {
            DirEntry::Dir(inner) => {
                fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
                extract(inner, dir)?;
            }
            DirEntry::File(_) if path.exists() => {}
            DirEntry::File(file) => write(&path, file.contents())?,
        }
    }
    Ok(())
}

/// Writes a file that is whole or not there, whenever the process is killed.
fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("part");
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(contents)?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_demo_is_made_once_and_keeps_what_the_user_changed() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("demo");
        assert_eq!(prepare(&dir, Some(0.05)).unwrap(), 0.05);
        let settings = dir.join("xiangyun.toml");
        assert_eq!(fs::read(&settings).unwrap(), EXAMPLE.get_file("xiangyun.toml").unwrap().contents());
        fs::write(&settings, "version = 1\n").unwrap();
        fs::remove_file(dir.join("NOTICE")).unwrap();
        assert_eq!(prepare(&dir, None).unwrap(), 0.05, "the scale of the last run");
        assert_eq!(fs::read_to_string(&settings).unwrap(), "version = 1\n");
        assert!(dir.join("NOTICE").exists(), "an interrupted run is completed");
        assert_eq!(prepare(&dir, Some(2.0)).unwrap(), 2.0);
        assert_eq!(prepare(&dir, None).unwrap(), 2.0);
    }

    #[test]
    fn a_folder_of_somebodys_own_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letter.txt"), "mine").unwrap();
        assert!(prepare(dir.path(), None).unwrap_err().to_string().contains("is not empty and not a demo"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_run_leaves_is_not_embedded() {
        assert!(EXAMPLE.get_entry("lake").is_none());
        for part in ["tables", "pipelines", "metrics", "views", "data"] {
            assert!(EXAMPLE.get_dir(part).is_some_and(|dir| !dir.entries().is_empty()), "{part}");
        }
    }
}
