//! Copies the example project into the build's folder, so that `demo` embeds the files that belong to it and nothing
//! that a run left there.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What belongs to the example.
const PARTS: [&str; 11] = [
    "NOTICE",
    "README.md",
    "xiangyun.toml",
    "alerts",
    "calendar",
    "dashboards",
    "data",
    "metrics",
    "pipelines",
    "tables",
    "views",
];

fn main() -> io::Result<()> {
    let folder =
        |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("{name} is unset")));
    let example = folder("CARGO_MANIFEST_DIR")?.join("../examples/jilin");
    let target = folder("OUT_DIR")?.join("demo");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    for part in PARTS {
        let source = example.join(part);
        println!("cargo::rerun-if-changed={}", source.display());
        if source.exists() {
            copy(&source, &target.join(part))?;
        }
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> io::Result<()> {
    if source.is_dir() {
        fs::create_dir_all(target)?;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            copy(&entry.path(), &target.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(source, target).map(drop)
}
