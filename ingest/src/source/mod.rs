//! Where rows come from: files of agencies, read as they are, their APIs, tables of their databases, and the seeded
//! generator.
//!
//! A [`Source`] is opened (found, hashed, its columns known) before any row is asked for, so that a load can tell
//! from the hashes alone that it has nothing to do. A large file may be hashed later: on demand, where its size says
//! that it may have been loaded before, or else while its rows are read. Rows then come in batches, each row with its
//! place in the file.

mod apart;
mod beside;
mod columnar;
mod csv;
mod database;
mod drift;
mod error;
mod excel;
mod file;
mod geojson;
mod http;
mod json;
mod parallel;
mod pushed;
mod synthetic;
mod table;
pub(crate) mod text;
pub(crate) mod web;
mod xml;

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use xiangyun_engine::catalog::RunSource;

use crate::connection::Connections;
use crate::pipeline::{FileLocation, SourceDef};
use columnar::Columnar;
use csv::Csv;
pub use database::DatabaseError;
pub use drift::{Drift, PartialColumn, WidenedColumn};
pub use error::SourceError;
use excel::Excel;
pub use file::Files;
pub(crate) use file::{Spool, hex};
use geojson::GeoJson;
use json::Json;
pub(crate) use pushed::{Pushed, is_pushed, pushed_name};
pub use synthetic::SyntheticRows;
use xml::Xml;

/// By file, the first lines of its footer.
pub type Footers = HashMap<String, Vec<String>>;

/// Rows that a source hands over at a time.
pub const BATCH_ROWS: usize = 8192;

/// Rows with their places.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// The rows, in the schema of the [`Source`].
    pub batch: RecordBatch,
    /// The file they stand in, as in [`RunSource::path`].
    pub file: Arc<str>,
    /// Per row: the line on which it begins, from 1, the header included; of a sheet, a
    /// Parquet, Arrow or Avro file and generated rows the row's number, of GeoJSON the feature's, all from 1.
    pub lines: UInt64Array,
    /// Rows of the same stretch of the file that could not be split into columns.
    pub unreadable: Vec<UnreadableRow>,
    /// Bytes of the file, as stored, that were read for this batch; for progress only.
    pub bytes: u64,
}

/// A row that has no columns, because its fields do not fit the header or its text is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The line on which it begins, from 1, the header included.
    pub line: u64,
    /// Reason code, as in `FIELD_COUNT`.
    pub reason: &'static str,
    /// What is wrong, in words.
    pub message: String,
    /// The row's text as it stands in the file, whole up to [`RAW_LIMIT_BYTES`].
    pub raw: String,
}

/// Bytes of a rejected row's text that are kept: all of the longest row that a delimited file may have.
pub const RAW_LIMIT_BYTES: usize = 1 << 20;

/// The batches of one reading. It blocks while it reads: run it on a thread that may.
pub type Batches = Box<dyn Iterator<Item = Result<SourceBatch, SourceError>> + Send>;

/// An opened source of rows.
pub trait Source: Debug + Send + Sync {
    /// Columns in order: all of them nullable text, unless the source is typed.
    fn schema(&self) -> SchemaRef;

    /// The files with size, SHA-256 and encoding, in the order in which they are read. Equal lists give equal rows:
    /// a generator names everything that its rows depend on in `path` and hashes that text. A large file has no hash
    /// here where [`SourceContext::read_once_from`] says so.
    fn files(&self) -> &[RunSource];

    /// As [`Self::files`], with the hash of all that are `wanted`. It is there once all rows have been read; before
    /// that, the file is read for it. Blocks. A source of sources passes it on.
    ///
    /// # Errors
    /// [`SourceError::Changed`] for a file that is no longer the one that was opened.
    fn hashed_files(&self, _wanted: &(dyn Fn(&RunSource) -> bool + Sync)) -> Result<Vec<RunSource>, SourceError> {
        Ok(self.files().to_vec())
    }

    /// Reads the rows from the beginning. The same rows come in the same order each time.
    fn batches(&self) -> Result<Batches, SourceError>;

    /// Those rows of [`Self::batches`] that stand in files called one of `paths`.
    fn batches_of(&self, paths: &Arc<HashSet<String>>) -> Result<Batches, SourceError> {
        let paths = Arc::clone(paths);
        let is_wanted = move |rows: &Result<SourceBatch, SourceError>| {
            rows.as_ref().map_or(true, |rows| paths.contains(rows.file.as_ref()))
        };
        Ok(Box::new(self.batches()?.filter(is_wanted)))
    }

    /// Whether it is known before any reading that there are no rows: nothing is new.
    fn is_empty(&self) -> bool {
        false
    }

    /// The mark that the next load of an incremental source begins behind.
    fn cursor(&self) -> Option<String> {
        None
    }

    /// What the run's record should say about the rows, once they have been read to the end: what was left out.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The footers of its files, once the rows have been read to the end.
    fn footers(&self) -> Footers {
        Footers::new()
    }

    /// How the columns of its files differ; [`Self::schema`] has those of all.
    fn drift(&self) -> Drift {
        Drift::default()
    }
}

/// What sources are opened with.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// The project's folder, at which relative paths start.
    pub root: PathBuf,
    /// The project's connections.
    pub connections: Connections,
    /// Drives what a source awaits: opening and reading block a thread of their own.
    pub runtime: tokio::runtime::Handle,
    /// The mark that the last load of an incremental source left.
    pub cursor: Option<String>,
    /// Bytes from which on a file may be hashed while its rows are read, so that it is read once; none where every file
    /// is hashed when it is opened. It is done for delimited text that is not compressed and whose encoding is certain
    /// from its start.
    pub read_once_from: Option<u64>,
}

/// Bytes from which on reading a file once is worth it.
pub const READ_ONCE_BYTES: u64 = 16 << 20;

/// Opens what a pipeline declares. Blocks while files are hashed.
pub fn open(context: &SourceContext, def: &SourceDef) -> Result<Arc<dyn Source>, SourceError> {
    Ok(match def {
        SourceDef::Csv(csv) => {
            let format = Csv::try_new(csv)?.reading_once(context.read_once_from);
            Arc::new(Files::open_at(context, &csv.location(), &format)?)
        }
        SourceDef::GeoJson(geojson) => Arc::new(Files::open_at(context, &geojson.location(), &GeoJson)?),
        SourceDef::Json(json) => Arc::new(Files::open_at(context, &json.location(), &Json::try_new(json)?)?),
        SourceDef::Excel(def) => Arc::new(Files::open_at(context, &def.location(), &Excel::try_new(def)?)?),
        SourceDef::Xml(def) => Arc::new(Files::open_at(context, &def.location(), &Xml::try_new(def)?)?),
        SourceDef::Parquet(def) => Arc::new(Files::open_at(context, &def.location(), &Columnar::Parquet)?),
        SourceDef::Arrow(def) => Arc::new(Files::open_at(context, &def.location(), &Columnar::Arrow)?),
        SourceDef::Avro(def) => Arc::new(Files::open_at(context, &def.location(), &Columnar::Avro)?),
        SourceDef::Http(def) => http::records(http::open(context, def)?, &def.null_values)?,
        SourceDef::Ckan(def) => http::records(http::open_ckan(context, def)?, &def.null_values)?,
        SourceDef::Socrata(def) => http::records(http::open_socrata(context, def)?, &def.null_values)?,
        SourceDef::Push(_) => return Err(SourceError::NotRun),
        SourceDef::Postgres(def) => Arc::new(database::Rows::of_postgres(context, def)?),
        SourceDef::Mysql(def) => Arc::new(database::Rows::of_mysql(context, def)?),
        SourceDef::Sqlite(def) => Arc::new(database::Rows::of_sqlite(context, def)?),
        SourceDef::Synthetic(generator) => Arc::new(SyntheticRows::open(generator)?),
    })
}

/// The place of the elements that seem to be the rows of an XML file; none where they are those in its own element.
pub(crate) fn guess_xml_row(context: &SourceContext, path: &str) -> Result<Option<String>, SourceError> {
    let found = file::locate(context, &FileLocation::of_path(path))?;
    found.first().map_or(Ok(None), xml::guess_row)
}

/// The place of the array that seems to be the rows of a JSON document; none where there is an object on each line, or
/// the file is an array.
pub(crate) fn guess_json_records(context: &SourceContext, path: &str) -> Result<Option<String>, SourceError> {
    let found = file::locate(context, &FileLocation::of_path(path))?;
    found.first().map_or(Ok(None), json::guess_records)
}

/// The first line of the first file at `path`, decompressed and decoded; its start where it is long.
pub(crate) fn first_line(context: &SourceContext, path: &str) -> Result<String, SourceError> {
    let found = file::locate(context, &FileLocation::of_path(path))?;
    found.first().map_or(Ok(String::new()), file::first_line)
}

/// What tells whether the files of a source have come or changed since the last look, without reading them; none
/// where there are no files, or where the source is no file.
pub(crate) fn fingerprint(context: &SourceContext, def: &SourceDef) -> Result<Option<String>, SourceError> {
    def.location().map_or(Ok(None), |location| file::fingerprint(context, &location))
}

/// Checks the settings of a source without opening it.
pub(crate) fn check_settings(def: &SourceDef) -> Result<(), SourceError> {
    match def {
        SourceDef::Csv(csv) => Csv::try_new(csv).map(|_| ()),
        SourceDef::GeoJson(_) | SourceDef::Ckan(_) | SourceDef::Socrata(_) | SourceDef::Push(_) => Ok(()),
        SourceDef::Parquet(_) | SourceDef::Arrow(_) | SourceDef::Avro(_) => Ok(()),
        SourceDef::Json(json) => Json::try_new(json).map(|_| ()),
        SourceDef::Excel(def) => Excel::try_new(def).map(|_| ()),
        SourceDef::Xml(def) => Xml::try_new(def).map(|_| ()),
        SourceDef::Http(def) => http::check_paging(def),
        SourceDef::Postgres(def) => database::check_settings(&def.rows()),
        SourceDef::Mysql(def) => database::check_settings(&def.rows()),
        SourceDef::Sqlite(def) => database::check_settings(&def.rows()),
        SourceDef::Synthetic(generator) => {
            if generator.scale.is_finite() && generator.scale > 0.0 {
                return Ok(());
            }
            let (value, hint) = (generator.scale.to_string(), "use a number greater than zero".to_owned());
            Err(SourceError::BadSetting { key: "scale", value, hint })
        }
    }
}
