//! Rejected rows with the columns that they had.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use indexmap::IndexSet;
use serde_json::{Map, Value};
use uuid::Uuid;
use xiangyun_engine::Result;
use xiangyun_engine::error::BoxError;
use xiangyun_engine::scratch::Scratch;

use super::corrected::{COLUMNS, RAW};
use super::error::QuarantineError;
use super::whole;
use crate::ingest::Ingest;

/// Reasons of rows that were never split into columns: their text is a piece of the file.
const UNSPLIT: [&str; 3] = ["FIELD_COUNT", "QUOTE", "ENCODING"];

/// Rejected rows, a line each: where and why they were rejected, their own columns as texts, and the text of those that could
/// not be split into columns.
pub struct QuarantineExport {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
}

impl std::fmt::Debug for QuarantineExport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuarantineExport").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Opens the rows that fulfil `condition`; `inputs` are columns that are there in any case.
pub(super) async fn open(ingest: &Ingest, condition: &str, inputs: &[String]) -> Result<QuarantineExport> {
    let mut names: IndexSet<String> = IndexSet::new();
    let sql = format!("select reason, raw from system.quarantine where {condition} order by run_id, number");
    let mut rows = std::pin::pin!(whole(ingest.quarantine_query(&sql).await?));
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let (reasons, raws) = (texts(&batch, 0)?, texts(&batch, 1)?);
        for object in reasons.iter().zip(&raws).filter_map(|(reason, raw)| columns_of(reason?, raw?)) {
            for name in object.keys() {
                if !names.contains(name) {
                    names.insert(name.clone());
                }
            }
        }
    }
    names.extend(inputs.iter().cloned());
    if let Some(name) = names.iter().find(|name| COLUMNS.contains(&name.as_str()) || *name == RAW) {
        return Err(QuarantineError::Reserved { name: name.clone() }.into());
    }
    let all = COLUMNS.iter().copied().chain(names.iter().map(String::as_str)).chain([RAW]);
    let fields: Vec<Field> = all.map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let sql = format!(
        "select run_id, number, file, line, \"column\", reason, message, raw from system.quarantine where {condition} \
         order by run_id, number"
    );
    let (names, shown) = (Arc::new(names), Arc::clone(&schema));
    let batches = whole(ingest.quarantine_query(&sql).await?);
    let batches = batches.map(move |batch| spread(&batch?, &names, &shown)).boxed();
    Ok(QuarantineExport { schema, batches })
}

/// The rows of a batch with their own columns.
fn spread(batch: &RecordBatch, names: &IndexSet<String>, schema: &SchemaRef) -> Result<RecordBatch> {
    let head = (0..COLUMNS.len()).map(|index| texts(batch, index)).collect::<Result<Vec<_>>>()?;
    let (reasons, raws) = (texts(batch, 5)?, texts(batch, COLUMNS.len())?);
    let pairs = reasons.iter().zip(&raws);
    let objects: Vec<Option<Map<String, Value>>> =
        pairs.clone().map(|(reason, raw)| columns_of(reason?, raw?)).collect();
    let mut columns: Vec<ArrayRef> = head.into_iter().map(|column| Arc::new(column) as ArrayRef).collect();
    for name in names {
        let value = |object: &Option<Map<String, Value>>| match object.as_ref()?.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        columns.push(Arc::new(objects.iter().map(value).collect::<StringArray>()));
    }
    let unsplit = raws.iter().zip(&objects).map(|(raw, object)| raw.filter(|_| object.is_none()));
    columns.push(Arc::new(unsplit.collect::<StringArray>()));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| failed(error.into()))?)
}

/// The row's columns; none where it was not split into any.
fn columns_of(reason: &str, raw: &str) -> Option<Map<String, Value>> {
    if UNSPLIT.contains(&reason) {
        return None;
    }
    serde_json::from_str(raw).ok()
}

/// A column as texts.
pub(super) fn texts(batch: &RecordBatch, index: usize) -> Result<StringArray> {
    let texts = cast(batch.column(index), &DataType::Utf8).map_err(|error| failed(error.into()))?;
    Ok(texts.as_string::<i32>().clone())
}

fn failed(source: BoxError) -> QuarantineError {
    QuarantineError::Write { source }
}

/// A file that goes when it is no longer needed.
#[derive(Debug)]
pub(super) struct PassingFile {
    path: PathBuf,
    /// Keeps the folder it lies in.
    _scratch: Arc<Scratch>,
}

impl PassingFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PassingFile {
    fn drop(&mut self) {
        // A file that is left over is the lesser evil: what it was written for has been done.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes the rows that have columns as a file that can be replayed. What it holds depends on the rows alone, so that the
/// same rows are known again.
pub(super) async fn write_as_they_were(run: &str, export: QuarantineExport) -> Result<PassingFile> {
    let name = format!("quarantine-{}.csv", Uuid::new_v4());
    let scratch = Scratch::of_process().map_err(|error| failed(error.into()))?;
    let file = PassingFile { path: scratch.folder().join(name), _scratch: scratch };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = std::io::BufWriter::new(options.open(file.path()).map_err(|error| failed(error.into()))?);
    let names: Vec<&str> = export.schema.fields().iter().map(|field| field.name().as_str()).collect();
    write_line(&mut out, names.iter().map(|name| Some(*name))).map_err(|error| failed(error.into()))?;
    let (mut batches, mut rows) = (export.batches, 0);
    while let Some(batch) = batches.try_next().await? {
        let columns = (0..batch.num_columns()).map(|index| texts(&batch, index)).collect::<Result<Vec<_>>>()?;
        let raw = &columns[columns.len() - 1];
        for row in (0..batch.num_rows()).filter(|row| raw.is_null(*row)) {
            let values = columns.iter().map(|column| column.is_valid(row).then(|| column.value(row)));
            write_line(&mut out, values).map_err(|error| failed(error.into()))?;
            rows += 1;
        }
    }
    out.flush().map_err(|error| failed(error.into()))?;
    if rows == 0 { Err(QuarantineError::NoColumns { run: run.into() }.into()) } else { Ok(file) }
}

fn write_line<'a>(out: &mut impl Write, values: impl Iterator<Item = Option<&'a str>>) -> std::io::Result<()> {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        if let Some(value) = value {
            write!(out, "\"{}\"", value.replace('"', "\"\""))?;
        }
    }
    out.write_all(b"\n")
}
