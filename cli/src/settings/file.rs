//! `xiangyun.toml`: parsed with positions; unknown keys are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use xiangyun_engine::project::{Diagnostic, Diagnostics, SourceText, nearest};

use super::FILE_NAME;
use super::keys::{KEYS, Key, SECTIONS, key};
use super::value::Value;

/// The version of the file's format that this build reads and writes.
pub(crate) const VERSION: u64 = 1;

/// The settings that a file gives, each with its line.
#[derive(Debug, Default)]
pub(crate) struct FileSettings(pub(crate) Vec<(&'static Key, Value, usize)>);

/// Reads the project's `xiangyun.toml`. All faults go to `diagnostics`.
pub(crate) fn read(root: &Path, diagnostics: &mut Diagnostics) -> FileSettings {
    let path = root.join(FILE_NAME);
    match fs::read_to_string(&path) {
        Ok(text) => parse(text, diagnostics),
        Err(error) => {
            let source = Arc::new(SourceText { path: PathBuf::from(FILE_NAME), text: String::new() });
            diagnostics.push(Diagnostic::error(&source, None, format!("cannot read the file: {error}")));
            FileSettings::default()
        }
    }
}

pub(super) fn parse(text: String, diagnostics: &mut Diagnostics) -> FileSettings {
    let source = Arc::new(SourceText { path: PathBuf::from(FILE_NAME), text });
    let mut found = FileSettings::default();
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        diagnostics.push(Diagnostic::error(&source, error.span(), error.message().trim().replace('\n', ", ")));
    }
    if !errors.is_empty() {
        return found;
    }
    let mut reader = Reader { source: &source, diagnostics, found: &mut found };
    reader.root(document.get_ref());
    found
}

struct Reader<'a> {
    source: &'a Arc<SourceText>,
    diagnostics: &'a mut Diagnostics,
    found: &'a mut FileSettings,
}

impl Reader<'_> {
    fn root(&mut self, table: &DeTable<'_>) {
        if !table.contains_key("version") {
            let fault = Diagnostic::error(self.source, None, "missing key `version`");
            self.diagnostics.push(fault.with_hint(format!("begin the file with `version = {VERSION}`")));
        }
        for (name, value) in table {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("version", DeValue::Integer(number)) if number.as_str() == VERSION.to_string() => {}
                ("version", _) => self.fault(value.span(), format!("this build reads version {VERSION} of this file")),
                (section, DeValue::Table(keys)) if SECTIONS.iter().any(|(known, _)| *known == section) => {
                    self.section(section, keys);
                }
                (section, _) if SECTIONS.iter().any(|(known, _)| *known == section) => {
                    self.fault(value.span(), format!("`{section}` must be a table, as in `[{section}]`"));
                }
                _ => self.unknown(name, SECTIONS.iter().map(|(known, _)| *known).chain(["version"]).collect()),
            }
        }
    }

    fn section(&mut self, section: &str, keys: &DeTable<'_>) {
        for (name, value) in keys {
            let Some(key) = key(&format!("{section}.{}", name.get_ref())) else {
                let known = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
                self.unknown(name, known.collect());
                continue;
            };
            let read = match (value.get_ref(), key.kind) {
                (DeValue::Boolean(flag), super::keys::Kind::Flag) => Ok(Value::Flag(*flag)),
                (DeValue::Integer(number), super::keys::Kind::Count { .. }) => {
                    let parsed = u64::from_str_radix(number.as_str(), number.radix());
                    parsed.map_err(|_| "the number is negative or too large".into()).and_then(|n| key.check_count(n))
                }
                (DeValue::Float(number), super::keys::Kind::Ratio) => key.parse(number.as_str()),
                (DeValue::Integer(number), super::keys::Kind::Ratio) if number.radix() == 10 => {
                    key.parse(number.as_str())
                }
                (DeValue::String(text), _) if is_text(key) => key.parse(text),
                _ => Err(format!("`{}` must be {}", key.path(), key.expected())),
            };
            match read {
                Ok(read) => {
                    let line = self.source.position(name.span().start).line;
                    self.found.0.push((key, read, line));
                }
                Err(message) => self.fault(value.span(), message),
            }
        }
    }

    fn unknown(&mut self, name: &Spanned<DeString<'_>>, known: Vec<&str>) {
        let mut message = format!("unknown key `{}`", name.get_ref());
        if let Some(near) = nearest(name.get_ref(), known.iter().copied()) {
            message.push_str(&format!(", did you mean `{near}`?"));
        }
        let fault = Diagnostic::error(self.source, Some(name.span()), message);
        self.diagnostics.push(fault.with_hint(format!("known keys here: {}", known.join(", "))));
    }

    fn fault(&mut self, span: std::ops::Range<usize>, message: String) {
        self.diagnostics.push(Diagnostic::error(self.source, Some(span), message));
    }
}

fn is_text(key: &Key) -> bool {
    use super::keys::Kind;
    matches!(key.kind, Kind::Text | Kind::Address | Kind::Path)
}
