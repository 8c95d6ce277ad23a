//! One TOML file as text, positions and typed definition.

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::validate::Validator;

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
    /// Byte range of the value at a key path, as in `["columns", "2", "type"]`; array elements by index from 0. For a
    /// table it is the range of its key. Falls back to the nearest parent that exists.
    pub fn span_of(&self, path: &[&str]) -> Option<Range<usize>> {
        // Parsed again rather than kept: only faults ask, and a project without faults pays nothing.
        let (root, _) = DeTable::parse_recoverable(&self.source.text);
        let mut value = &Spanned::new(root.span(), DeValue::Table(root.into_inner()));
        let mut span = None;
        for step in path {
            let next = match value.get_ref() {
                DeValue::Table(table) => table.get_key_value(*step).map(|(key, value)| match value.get_ref() {
                    DeValue::Table(_) => (key.span(), value),
                    _ => (value.span(), value),
                }),
                DeValue::Array(items) => {
                    step.parse().ok().and_then(|index: usize| items.get(index)).map(|value| (value.span(), value))
                }
                _ => None,
            };
            let Some((found, child)) = next else { break };
            (span, value) = (Some(found), child);
        }
        span
    }

    /// An error at a key path of this file; see [`Document::span_of`].
    pub fn fault(&self, path: &[&str], message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.source, self.span_of(path), message)
    }

    /// `path:line:column` of a key path, for a message about another file.
    pub fn place_of(&self, path: &[&str]) -> String {
        self.source.place(self.span_of(path).map_or(0, |span| span.start))
    }
}

impl<T: Resource> Document<T> {
    /// Parses one file's text. Every fault goes to `diagnostics`; with any, there is no document.
    pub fn parse(source: SourceText, diagnostics: &mut Diagnostics) -> Option<Self> {
        parse(&Validator::of::<T>(), Arc::new(source), diagnostics)
    }
}

/// Reads every `*.toml` of `T`'s folder below `root`, in the order of their paths. A file that does not parse or does
/// not fit the type adds its faults (all of them) to `diagnostics` and is left out of the result. A folder that is not
/// there declares nothing.
pub fn load_folder<T: Resource>(root: &Path, diagnostics: &mut Diagnostics) -> Vec<Document<T>> {
    let names = match file_names(&root.join(T::FOLDER)) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let source = Arc::new(SourceText { path: T::FOLDER.into(), text: String::new() });
            diagnostics.push(unreadable(&source, &error, "folder"));
            return Vec::new();
        }
    };
    let validator = Validator::of::<T>();
    let mut documents = Vec::with_capacity(names.len());
    for name in names {
        let path = PathBuf::from(format!("{}/{}", T::FOLDER, name.to_string_lossy()));
        let Some(source) = read(&root.join(T::FOLDER).join(&name), path, diagnostics) else { continue };
        documents.extend(parse(&validator, source, diagnostics));
    }
    documents
}

/// The names of the folder's `*.toml` files, sorted; hidden files (editors' locks and backups) are not among them.
fn file_names(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        if !hidden && Path::new(&name).extension() == Some(OsStr::new("toml")) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn unreadable(source: &Arc<SourceText>, error: &std::io::Error, what: &str) -> Diagnostic {
    Diagnostic::error(source, None, format!("cannot read the {what}: {error}"))
        .with_hint(format!("check that it is a {what} and that you may read it"))
}

fn read(file: &Path, path: PathBuf, diagnostics: &mut Diagnostics) -> Option<Arc<SourceText>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            diagnostics.push(unreadable(&Arc::new(SourceText { path, text: String::new() }), &error, "file"));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(Arc::new(SourceText { path, text })),
        Err(error) => {
            // The replacement character stands where the first bad byte stood, so the caret finds it.
            let start = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let span = start..start + char::REPLACEMENT_CHARACTER.len_utf8();
            let source = Arc::new(SourceText { path, text });
            diagnostics.push(
                Diagnostic::error(&source, Some(span), "the file is not UTF-8 text").with_hint("save it as UTF-8"),
            );
            None
        }
    }
}

fn parse<T: Resource>(
    validator: &Validator,
    source: Arc<SourceText>,
    diagnostics: &mut Diagnostics,
) -> Option<Document<T>> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        syntax_faults(&source, errors, diagnostics);
        return None;
    }
    let faults = match version_fault::<T>(root.get_ref()) {
        Some(fault) => vec![fault],
        None => validator.validate(root.get_ref()),
    };
    if !faults.is_empty() {
        for fault in faults {
            let diagnostic = Diagnostic::error(&source, fault.span, fault.message);
            diagnostics.push(Diagnostic { hint: fault.hint, ..diagnostic });
        }
        return None;
    }
    match T::deserialize(toml::de::Deserializer::from(root)) {
        Ok(def) => Some(Document { def: Arc::new(def), source: Arc::clone(&source) }),
        Err(error) => {
            diagnostics.push(Diagnostic::error(&source, error.span(), error.message().trim_end()));
            None
        }
    }
}

/// Every syntax error, but one a line: a single slip makes the parser complain about what follows as well.
fn syntax_faults(source: &Arc<SourceText>, mut errors: Vec<toml::de::Error>, diagnostics: &mut Diagnostics) {
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut last_line = None;
    for error in errors {
        let line = error.span().map(|span| source.position(span.start).line);
        if line.is_some() && line == last_line {
            continue;
        }
        last_line = line;
        diagnostics.push(Diagnostic::error(source, error.span(), format!("not valid TOML: {}", error.message())));
    }
}

/// What is wrong with the `version` key, which decides how everything else is read.
fn version_fault<T: Resource>(root: &DeTable<'_>) -> Option<super::validate::Fault> {
    let fault = |span, message: String| {
        let hint = format!("begin the file with `version = {}`", T::VERSION);
        Some(super::validate::Fault { span, message, hint: Some(hint) })
    };
    let Some((key, value)) = root.get_key_value("version") else {
        return fault(None, format!("missing key `version` in a {} file", T::KIND));
    };
    if root.keys().any(|other| other.span().start < key.span().start) {
        return fault(Some(key.span()), "`version` must be the first key".into());
    }
    match value.get_ref() {
        DeValue::Integer(number) if number.to_string().parse() == Ok(T::VERSION) => None,
        DeValue::Integer(number) => {
            let message = format!("version {number} of {} files is not known to this build", T::KIND);
            let hint = format!("this build reads version {}", T::VERSION);
            Some(super::validate::Fault { span: Some(value.span()), message, hint: Some(hint) })
        }
        other => {
            fault(Some(value.span()), format!("`version` must be a whole number, not {}", super::validate::kind(other)))
        }
    }
}
