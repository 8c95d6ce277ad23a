//! The elements of a document that are rows.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::bad;
use super::element::{Building, Row};
use super::text::Text;
use crate::source::SourceError;
use crate::source::file::{Decoded, Encoding, Fingerprint, SourceFile};

/// Elements that may stand in one another.
const MOST_LEVELS: usize = 256;

/// Which elements are rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowRule {
    /// Those in the document's own.
    Children,
    /// Those of a name, wherever they stand.
    Name(String),
    /// Those at a place, from the document's own element on.
    Path(Vec<String>),
}

impl RowRule {
    pub(super) fn try_new(row: Option<&str>) -> Result<Self, SourceError> {
        let Some(row) = row else { return Ok(Self::Children) };
        let is_name =
            |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "<>&@:".contains(c));
        let names: Vec<String> = row.trim_start_matches('/').split('/').map(str::to_owned).collect();
        if !names.iter().all(|name| is_name(name)) {
            let hint = "write an element's name, or its place as in `data/list/item`, without namespaces".into();
            return Err(SourceError::BadSetting { key: "row", value: row.into(), hint });
        }
        match <[String; 1]>::try_from(names) {
            Ok([name]) if !row.starts_with('/') => Ok(Self::Name(name)),
            Ok([name]) => Ok(Self::Path(vec![name])),
            Err(names) => Ok(Self::Path(names)),
        }
    }

    /// What a file without rows lacks.
    pub(super) fn missing(&self) -> String {
        match self {
            Self::Children => "its own element holds no other".into(),
            Self::Name(name) => format!("no element is called `{name}`"),
            Self::Path(names) => format!("there is no element at `{}`", names.join("/")),
        }
    }

    /// Whether the innermost of `open` is a row.
    fn fits(&self, open: &[String]) -> bool {
        match self {
            Self::Children => open.len() == 2,
            Self::Name(name) => open.last() == Some(name),
            Self::Path(names) => open == names,
        }
    }
}

/// Reads the rows one by one.
pub(super) struct Rows {
    name: String,
    reader: Reader<Text>,
    rule: RowRule,
    buffer: Vec<u8>,
    /// Names of the elements that are open outside a row, the row's own included.
    open: Vec<String>,
    /// Elements that are open within a row, its own included.
    depth: usize,
    row: Option<Building>,
    any: bool,
}

impl Rows {
    pub(super) fn open(file: &SourceFile, encoding: Encoding, rule: &RowRule) -> Result<Self, SourceError> {
        let text = Text::new(&file.name, Decoded::open(file, encoding)?);
        let mut reader = Reader::from_reader(text);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self {
            name: file.name.clone(),
            reader,
            rule: rule.clone(),
            buffer: Vec::new(),
            open: Vec::new(),
            depth: 0,
            row: None,
            any: false,
        })
    }

    /// The next row; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row>, SourceError> {
        loop {
            if self.row.is_none() {
                self.reader.get_mut().begin();
            }
            let line = self.reader.get_ref().line;
            self.buffer.clear();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => {
                    let failure = self.reader.get_mut().take_failure();
                    return Err(failure.unwrap_or_else(|| bad(&self.name, format!("line {line}: {error}"))));
                }
            };
            let mut ended = None;
            match event {
                Event::Start(start) => {
                    self.any = true;
                    if self.open.len() + self.depth >= MOST_LEVELS {
                        let reason = format!("line {line}: more than {MOST_LEVELS} elements stand in one another");
                        return Err(bad(&self.name, reason));
                    }
                    match &mut self.row {
                        Some(row) => {
                            row.start(&start);
                            self.depth += 1;
                        }
                        None => {
                            self.open.push(start.local_name().as_ref().to_owned());
                            if self.rule.fits(&self.open) {
                                let mut row = Building::new(line);
                                row.start(&start);
                                (self.row, self.depth) = (Some(row), 1);
                            }
                        }
                    }
                }
                Event::End(_) => match &mut self.row {
                    Some(row) => {
                        self.depth -= 1;
                        ended = row.end();
                    }
                    None => {
                        self.open.pop();
                    }
                },
                Event::Text(text) => {
                    if let Some(row) = &mut self.row {
                        row.text(&text.xml10_content());
                    }
                }
                Event::CData(text) => {
                    if let Some(row) = &mut self.row {
                        row.text(&text.xml10_content());
                    }
                }
                Event::GeneralRef(reference) => {
                    if let Some(row) = &mut self.row {
                        match reference.resolve_char_ref() {
                            Ok(Some(character)) => row.text(character.encode_utf8(&mut [0; 4])),
                            Ok(None) => match resolve_predefined_entity(&reference) {
                                Some(text) => row.text(text),
                                None => {
                                    let message =
                                        format!("`&{};` is not known, since document types are not read", &*reference);
                                    row.reject("XML", message);
                                }
                            },
                            Err(error) => row.reject("XML", format!("`&{};` is no character: {error}", &*reference)),
                        }
                    }
                }
                Event::DocType(declared)
                    if declared.contains('[') || declared.to_ascii_uppercase().contains("<!ENTITY") =>
                {
                    let reason = "its document type declares entities or elements, which are not read: one could expand to any \
                                  size; ask for the file without `<!DOCTYPE … [ … ]>`";
                    return Err(bad(&self.name, reason.into()));
                }
                Event::Eof => return self.end(line).map(|()| None),
                _ => {}
            }
            if let Some(message) = self.reader.get_mut().take_damage() {
                match (&mut ended, &mut self.row) {
                    (Some(row), _) => {
                        row.fault.get_or_insert(("ENCODING", message));
                    }
                    (None, Some(row)) => row.reject("ENCODING", message),
                    (None, None) => return Err(bad(&self.name, format!("line {line}: {message}"))),
                }
            }
            if let Some(row) = ended {
                self.row = None;
                self.open.pop();
                return Ok(Some(row));
            }
        }
    }

    fn end(&self, line: u64) -> Result<(), SourceError> {
        if self.row.is_some() || !self.open.is_empty() {
            let open = self.open.last().map(String::as_str).unwrap_or_default();
            return Err(bad(&self.name, format!("it is cut off: on line {line} it ends within `{open}`")));
        }
        if !self.any {
            return Err(bad(&self.name, "it has no element".into()));
        }
        Ok(())
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.reader.get_ref().stored_bytes()
    }

    pub(super) fn finish(self) -> Result<Fingerprint, SourceError> {
        self.reader.into_inner().finish()
    }
}
