//! Rows that a caller has sent: a file of its own for each request, named for who sent it and under which key.

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::columnar::Columnar;
use super::csv::Csv;
use super::file::{Files, Format, OpenFile, SourceFile, Spool};
use super::json::Json;
use super::{Source, SourceError};
use crate::pipeline::{CsvSource, PushSource};
use crate::push::PushFormat;

/// What the name of every pushed file begins with. Such a name is the request's identity, and its content is not:
/// the same rows under another key are other rows.
const SCHEME: &str = "push:";

/// The name of what `caller` sends under `key`.
pub(crate) fn pushed_name(caller: &str, key: &str) -> String {
    format!("{SCHEME}{caller}/{key}")
}

/// Whether a file of that name was pushed.
pub(crate) fn is_pushed(name: &str) -> bool {
    name.starts_with(SCHEME)
}

/// One request's rows, with their columns known.
#[derive(Debug)]
pub(crate) struct Pushed(Vec<Box<dyn OpenFile>>);

impl Pushed {
    /// Keeps `body` in a temporary file and reads its columns. Blocks.
    ///
    /// # Errors
    /// For a body that is not what `format` says.
    pub(crate) fn open(def: &PushSource, name: &str, format: PushFormat, body: &[u8]) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Spool { path: name.into(), source };
        let spool = Spool::new().map_err(failed)?;
        let (mut file, path) = spool.create().map_err(failed)?;
        file.write_all(body).map_err(failed)?;
        let file = SourceFile::fetched(path, name.into(), &spool);
        let opened = match format {
            PushFormat::Csv => Csv::try_new(&CsvSource::plain(&def.null_values))?.open(&file)?,
            PushFormat::Json => Json::lines(&def.null_values).open(&file)?,
            PushFormat::Arrow => Columnar::Arrow.open(&file)?,
        };
        Ok(Self(opened))
    }

    /// Its columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.0[0].schema()
    }

    /// SHA-256 of the body as it was sent.
    pub(crate) fn sha256(&self) -> Option<String> {
        self.0[0].record().sha256.clone()
    }

    /// Several requests as one source, in their order.
    pub(crate) fn together(pushed: Vec<Self>) -> Result<Arc<dyn Source>, SourceError> {
        let files = pushed.into_iter().flat_map(|pushed| pushed.0).collect();
        Ok(Arc::new(Files::try_new(files)?))
    }
}
