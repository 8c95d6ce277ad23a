//! One TOML file as text, positions and typed definition.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::diagnostic::Diagnostics;

/// A kind of project file.
pub trait Resource: DeserializeOwned + JsonSchema {
    /// Folder below the project's root that holds the files of this kind.
    const FOLDER: &'static str;
    /// What one such file declares, as in `table`.
    const KIND: &'static str;
    /// The format version that this build writes and reads.
    const VERSION: u32;
}

/// A file's path (relative to the project's root, `/`-separated) and text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Path below the project's root.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// A parsed file: its definition and where each key stands.
#[derive(Debug, Clone)]
pub struct Document<T> {
    /// The file.
    pub source: Arc<SourceText>,
    /// What it declares.
    pub def: Arc<T>,
}

impl<T> Document<T> {
    /// Byte range of the value at a key path, as in `["columns", "2", "type"]`; array elements by index.
    /// Falls back to the nearest parent that exists.
    pub fn span_of(&self, path: &[&str]) -> Option<Range<usize>> {
        let _ = path;
        None // replaced with the loader
    }
}

/// Reads every `*.toml` of `T`'s folder below `root`, in the order of their paths. A file that does not parse or does
/// not fit the type adds its faults (all of them) to `diagnostics` and is left out of the result.
pub fn load_folder<T: Resource>(root: &Path, diagnostics: &mut Diagnostics) -> Vec<Document<T>> {
    let _ = (root, diagnostics);
    Vec::new() // replaced with the loader
}
