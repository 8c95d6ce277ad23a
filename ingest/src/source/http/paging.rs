//! An API's pages, asked for as declared.

use std::collections::HashSet;

use reqwest::Url;
use serde_json::value::RawValue;

use super::client::{Answer, Api};
use super::spool::RecordWriter;
use crate::pipeline::{HttpSource, PagingDef};
use crate::source::file::SourceFile;
use crate::source::{SourceContext, SourceError};

/// Pages of one load. An API that never ends is a mistake in its description.
const MOST_PAGES: u64 = 1_000_000;

/// What was fetched: records as lines of JSON, and how far they go.
#[derive(Debug)]
pub(in crate::source) struct Fetched {
    /// The lines.
    pub(in crate::source) file: SourceFile,
    /// Records.
    pub(in crate::source) records: u64,
    /// The greatest value of the incremental field.
    pub(in crate::source) cursor: Option<String>,
}

/// Checks the settings without asking anybody.
pub(in crate::source) fn check(def: &HttpSource) -> Result<(), SourceError> {
    let bad =
        |key, value: &str, hint: &str| Err(SourceError::BadSetting { key, value: value.into(), hint: hint.into() });
    if !def.records.is_empty() && !def.records.starts_with('/') {
        return bad("records", &def.records, "write a JSON pointer, as in `/data/items`");
    }
    match &def.paging {
        Some(PagingDef::Cursor { next, .. }) if !next.starts_with('/') => {
            bad("paging.next", next, "write a JSON pointer, as in `/meta/next`")
        }
        Some(PagingDef::Page { size: 0, .. } | PagingDef::Offset { size: 0, .. }) => {
            bad("paging.size", "0", "use a number from 1 on")
        }
        _ => Ok(()),
    }
}

/// Fetches all pages; those behind the mark of the last load where the source is incremental. Blocks.
pub(in crate::source) fn open(context: &SourceContext, def: &HttpSource) -> Result<Fetched, SourceError> {
    check(def)?;
    let since = context.cursor.as_deref();
    let api = Api::open(context, &def.connection)?;
    let mut params: Vec<(String, String)> =
        def.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(incremental) = &def.incremental
        && let Some(value) = since.or(incremental.first.as_deref())
    {
        params.push((incremental.parameter.clone(), value.to_owned()));
    }
    let name = format!("{}:{}", api.connection(), def.path);
    let field = def.incremental.as_ref().map(|incremental| incremental.field.as_str());
    let pages = Pages { api: &api, path: &def.path, params, paging: def.paging.as_ref(), records: &def.records, field };
    let mut fetched = context.runtime.block_on(pages.fetch(name))?;
    // Nothing new: the mark stays where it was.
    fetched.cursor = fetched.cursor.or_else(|| since.map(str::to_owned));
    Ok(fetched)
}

/// The pages of one answer.
pub(super) struct Pages<'a> {
    pub(super) api: &'a Api,
    pub(super) path: &'a str,
    pub(super) params: Vec<(String, String)>,
    pub(super) paging: Option<&'a PagingDef>,
    /// JSON pointer to the records.
    pub(super) records: &'a str,
    /// Field whose greatest value is wanted.
    pub(super) field: Option<&'a str>,
}

impl Pages<'_> {
    pub(super) async fn fetch(&self, name: String) -> Result<Fetched, SourceError> {
        let mut spool = RecordWriter::open(name)?;
        let (mut cursor, mut seen) = (None, HashSet::new());
        let mut next = Some(self.first()?);
        let mut page = 0;
        while let Some(url) = next {
            if page == MOST_PAGES || !seen.insert(url.to_string()) {
                let reason = format!("its pages do not end: after {page} pages it came back to `{}`", url.path());
                return Err(self.api.failed(self.path, reason, false));
            }
            page += 1;
            let answer = self.api.get(&url).await?;
            let count = self.take(&answer.body, &mut spool, &mut cursor)?;
            next = self.next(page, count, &answer)?;
        }
        let records = spool.records();
        Ok(Fetched { file: spool.finish()?, records, cursor })
    }

    fn first(&self) -> Result<Url, SourceError> {
        match self.paging {
            Some(PagingDef::Page { first, .. }) => self.numbered(*first),
            Some(PagingDef::Offset { .. }) => self.numbered(0),
            _ => self.api.address(self.path, &self.params),
        }
    }

    /// The address of the page with this number or offset.
    fn numbered(&self, number: u64) -> Result<Url, SourceError> {
        let mut params = self.params.clone();
        match self.paging {
            Some(PagingDef::Page { parameter, size_parameter, size, .. }) => {
                params.push((parameter.clone(), number.to_string()));
                params.extend(size_parameter.iter().map(|name| (name.clone(), size.to_string())));
            }
            Some(PagingDef::Offset { parameter, size_parameter, size }) => {
                params.push((parameter.clone(), number.to_string()));
                params.push((size_parameter.clone(), size.to_string()));
            }
            _ => {}
        }
        self.api.address(self.path, &params)
    }

    fn next(&self, page: u64, count: u64, answer: &Answer) -> Result<Option<Url>, SourceError> {
        match self.paging {
            None => Ok(None),
            // An API without a size parameter decides on its own how many records a page has.
            Some(PagingDef::Page { first, size_parameter, size, .. }) => {
                let is_last = count == 0 || size_parameter.is_some() && count < *size;
                (!is_last).then(|| self.numbered(first + page)).transpose()
            }
            Some(PagingDef::Offset { size, .. }) => (count >= *size).then(|| self.numbered(page * size)).transpose(),
            Some(PagingDef::Link) => Ok(answer.next.clone()),
            Some(PagingDef::Cursor { parameter, next }) => {
                let document: serde_json::Value =
                    serde_json::from_slice(&answer.body).map_err(|error| self.no_json(&error))?;
                let cursor = match document.pointer(next) {
                    None | Some(serde_json::Value::Null) => None,
                    Some(serde_json::Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
                    Some(other) => Some(other.to_string()),
                };
                let Some(cursor) = cursor else { return Ok(None) };
                let mut params = self.params.clone();
                params.push((parameter.clone(), cursor));
                self.api.address(self.path, &params).map(Some)
            }
        }
    }

    /// Spools the records of one answer.
    fn take(&self, body: &[u8], spool: &mut RecordWriter, cursor: &mut Option<String>) -> Result<u64, SourceError> {
        let document: &RawValue = serde_json::from_slice(body).map_err(|error| self.no_json(&error))?;
        let records = at(document, self.records).ok_or_else(|| {
            let reason = format!("its answer has nothing at `{}`", self.records);
            self.api.failed(self.path, reason, false)
        })?;
        let records: Vec<&RawValue> = serde_json::from_str(records.get()).map_err(|_| {
            let place = if self.records.is_empty() {
                "its answer".to_owned()
            } else {
                format!("`{}` of its answer", self.records)
            };
            self.api.failed(self.path, format!("{place} is no array: say by `records` where the records are"), false)
        })?;
        if let Some(field) = self.field {
            for record in &records {
                let value = at(record, &format!("/{field}")).map(plain);
                *cursor = cursor.take().max(value.filter(|value| value != "null"));
            }
        }
        spool.push(&records)?;
        Ok(records.len() as u64)
    }

    fn no_json(&self, error: &serde_json::Error) -> SourceError {
        self.api.failed(self.path, format!("its answer is not JSON: {error}"), false)
    }
}

/// The value at a JSON pointer (RFC 6901), with its spelling.
fn at<'a>(value: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    let mut value = value;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = match serde_json::from_str::<indexmap::IndexMap<String, &'a RawValue>>(value.get()) {
            Ok(object) => object.get(&step).copied()?,
            Err(_) => {
                let array: Vec<&'a RawValue> = serde_json::from_str(value.get()).ok()?;
                array.get(step.parse::<usize>().ok()?).copied()?
            }
        };
    }
    Some(value)
}

/// A JSON text without its quotes, any other value as it is written.
fn plain(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}
