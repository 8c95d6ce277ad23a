//! One row on its way: its elements and attributes as columns.

use std::collections::HashSet;

use indexmap::IndexMap;
use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::MOST_COLUMNS;

/// Column of the text that stands in the row's own element.
const OWN_TEXT: &str = "#text";

/// Reason code and words.
pub(super) type RowFault = (&'static str, String);

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// The line on which its element begins.
    pub(super) line: u64,
    pub(super) fields: IndexMap<String, String>,
    pub(super) fault: Option<RowFault>,
}

/// An element that is not closed yet.
struct Open {
    /// Its column: the names from the row on, none for the row itself.
    path: String,
    text: String,
    has_parts: bool,
    is_nil: bool,
}

/// A row whose element is not closed yet.
pub(super) struct Building {
    line: u64,
    values: IndexMap<String, Vec<String>>,
    open: Vec<Open>,
    /// How often each element stood in the row, and which have elements or attributes of their own.
    counts: IndexMap<String, u32>,
    with_parts: HashSet<String>,
    fault: Option<RowFault>,
}

impl Building {
    pub(super) fn new(line: u64) -> Self {
        Self {
            line,
            values: IndexMap::new(),
            open: Vec::new(),
            counts: IndexMap::new(),
            with_parts: HashSet::new(),
            fault: None,
        }
    }

    pub(super) fn reject(&mut self, reason: &'static str, message: String) {
        self.fault.get_or_insert((reason, message));
    }

    /// The row's own element, or one in it.
    pub(super) fn start(&mut self, element: &BytesStart<'_>) {
        let path = match self.open.last_mut() {
            None => String::new(),
            Some(parent) => {
                parent.has_parts = true;
                joined(&parent.path, element.local_name().as_ref())
            }
        };
        let mut open = Open { path, text: String::new(), has_parts: false, is_nil: false };
        // Comparing each attribute with all before it is what a hostile document of millions of them waits for.
        for attribute in element.attributes().with_checks(false) {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => {
                    self.reject("XML", format!("an attribute cannot be read: {error}"));
                    break;
                }
            };
            // Whoever asks for the columns refuses so many; there is no use in keeping the rest.
            if self.values.len() > MOST_COLUMNS {
                break;
            }
            let (name, local) = (attribute.key.as_ref(), attribute.key.local_name());
            if name == "xmlns" || name.starts_with("xmlns:") {
                continue;
            }
            match attribute.normalized_value(XmlVersion::Implicit1_0) {
                Ok(value) if local.as_ref() == "nil" && name != "nil" => open.is_nil = value == "true" || value == "1",
                Ok(value) => {
                    open.has_parts = true;
                    let column = joined(&open.path, &format!("@{}", local.as_ref()));
                    self.values.entry(column).or_default().push(value.into_owned());
                }
                Err(error) => self.reject("XML", format!("attribute `{}` cannot be read: {error}", local.as_ref())),
            }
        }
        self.open.push(open);
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(open) = self.open.last_mut() {
            open.text.push_str(text);
        }
    }

    /// Closes the innermost element; the row, where it was the row's own.
    pub(super) fn end(&mut self) -> Option<Row> {
        let open = self.open.pop()?;
        let is_row = self.open.is_empty();
        let text = open.text.trim();
        if is_row {
            if !text.is_empty() {
                self.values.entry(OWN_TEXT.into()).or_default().push(text.to_owned());
            }
            return Some(self.finished());
        }
        let count = self.counts.entry(open.path.clone()).or_default();
        *count += 1;
        let is_repeated = *count > 1;
        if open.has_parts {
            self.with_parts.insert(open.path.clone());
        }
        if is_repeated && self.with_parts.contains(&open.path) {
            let message = format!("`{}` stands in the row more than once and has parts: make it the row", open.path);
            self.reject("REPEATED", message);
        }
        let is_new = self.values.len() > MOST_COLUMNS && !self.values.contains_key(&open.path);
        if !open.is_nil && !is_new && (!text.is_empty() || !open.has_parts) {
            self.values.entry(open.path).or_default().push(text.to_owned());
        }
        None
    }

    fn finished(&mut self) -> Row {
        let values = std::mem::take(&mut self.values);
        let field = |(name, mut values): (String, Vec<String>)| match values.len() {
            1 => (name, values.remove(0)),
            _ => (name, serde_json::Value::from(values).to_string()),
        };
        Row { line: self.line, fields: values.into_iter().map(field).collect(), fault: self.fault.take() }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
