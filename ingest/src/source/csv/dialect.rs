//! The settings of a pipeline's source, ready to use.

use std::sync::Arc;

use super::super::SourceError;
use super::super::file::Encoding;
use super::super::table::{Footer, NameRules};
use crate::pipeline::{CsvSource, HeaderDef, HeaderWord, RaggedDef};

/// How a file's text is cut into rows and columns.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// None where quotes are characters like others.
    pub(super) quote: Option<u8>,
    /// None where each file's bytes decide.
    pub(super) encoding: Option<Encoding>,
    pub(super) null_values: Arc<[String]>,
    pub(super) header: Header,
    pub(super) skip_lines: u64,
    pub(super) footer: Footer,
    pub(super) comment: Option<Arc<str>>,
    pub(super) pads: bool,
    pub(super) names: NameRules,
}

/// Where the names of the columns come from.
#[derive(Debug, Clone)]
pub(super) enum Header {
    /// The first record.
    First,
    /// The record on this line.
    Line(u64),
    /// The pipeline.
    Names(Vec<String>),
}

impl Dialect {
    /// # Errors
    /// [`SourceError::BadSetting`] for settings that mean nothing.
    pub(super) fn try_new(def: &CsvSource) -> Result<Self, SourceError> {
        let delimiter = delimiter(def.delimiter)?;
        let quote = quote(&def.quote, delimiter)?;
        Ok(Self {
            delimiter,
            quote,
            encoding: Encoding::declared(&def.encoding)?,
            null_values: def.null_values.clone().into(),
            header: header(def)?,
            skip_lines: def.skip_lines,
            footer: Footer::try_new(def.footer.as_ref())?,
            comment: comment(def.comment.as_deref())?,
            pads: def.ragged == RaggedDef::Pad,
            names: NameRules::new(def.duplicate_names, def.fold_names),
        })
    }
}

fn bad(key: &'static str, value: impl ToString, hint: &str) -> SourceError {
    SourceError::BadSetting { key, value: value.to_string(), hint: hint.into() }
}

fn delimiter(delimiter: char) -> Result<u8, SourceError> {
    match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
        _ => {
            let hint = "use one ASCII character that is no quote and no line end, as in `,`, `;`, `|` or `\\t`";
            Err(bad("delimiter", delimiter, hint))
        }
    }
}

fn quote(quote: &str, delimiter: u8) -> Result<Option<u8>, SourceError> {
    match quote.as_bytes() {
        b"none" => Ok(None),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') && *byte != delimiter => Ok(Some(*byte)),
        _ => {
            let hint = "use one ASCII character that is neither the delimiter nor a line end, or `none`";
            Err(bad("quote", quote, hint))
        }
    }
}

fn header(def: &CsvSource) -> Result<Header, SourceError> {
    let named = !def.columns.is_empty();
    match def.header {
        HeaderDef::Word(HeaderWord::None) if named => Ok(Header::Names(def.columns.clone())),
        HeaderDef::Word(HeaderWord::None) => {
            Err(bad("header", "none", "name the columns in their order: `columns = [\"...\"]`"))
        }
        _ if named => {
            let hint =
                "columns are named where the file has no header: add `header = \"none\"`, or leave `columns` out";
            Err(bad("columns", def.columns.join(", "), hint))
        }
        HeaderDef::Word(HeaderWord::First) => Ok(Header::First),
        HeaderDef::Line(line) if line > def.skip_lines => Ok(Header::Line(line)),
        HeaderDef::Line(line) => {
            Err(bad("header", line, "lines count from 1 at the top of the file, those of `skip_lines` included"))
        }
    }
}

fn comment(prefix: Option<&str>) -> Result<Option<Arc<str>>, SourceError> {
    match prefix {
        Some(prefix) if prefix.is_empty() || prefix.len() > 64 || prefix.contains(['\n', '\r']) => {
            Err(bad("comment", prefix, "write how such lines begin, as in `#`"))
        }
        prefix => Ok(prefix.map(Into::into)),
    }
}
