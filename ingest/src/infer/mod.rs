//! A first contract and a first pipeline from a sample of a file, with every guess marked.
//!
//! Nothing is known but the rows: what the agency promises, who answers for the data and how strictly it is guarded has
//! to be written by a person, and the text says where.

mod column;
mod names;
mod render;
mod source;

use std::path::Path;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::functions::gov_codes::Divisions;
use xiangyun_engine::{Error, ErrorKind, Result};

use crate::connection::Connections;
use crate::pipeline::SourceDef;
use crate::source::{self as sources, SourceContext};

/// What to look at.
#[derive(Debug, Clone)]
pub struct InferOptions {
    /// The project's folder.
    pub root: std::path::PathBuf,
    /// File or pattern, relative to the project or absolute.
    pub path: String,
    /// The table's name; made of the file's name unless said.
    pub table: Option<TableName>,
    /// Rows that are looked at.
    pub rows: usize,
    /// Today, for codes that hold a date of birth.
    pub today: NaiveDate,
}

/// A first contract and a first pipeline.
#[derive(Debug, Clone)]
pub struct Inferred {
    /// The table's name.
    pub table: TableName,
    /// The pipeline's name.
    pub pipeline: String,
    /// Text of `tables/<table>.toml`.
    pub contract: String,
    /// Text of `pipelines/<pipeline>.toml`.
    pub pipeline_file: String,
    /// Rows that were looked at.
    pub rows: usize,
    /// Rows of the sample that could not be split into columns.
    pub unreadable: usize,
}

/// A sample of a file: its columns as text.
#[derive(Debug)]
struct Sample {
    names: Vec<String>,
    columns: Vec<StringArray>,
    /// Columns whose type the file itself declares.
    types: Vec<DataType>,
    rows: usize,
    unreadable: usize,
}

/// Reads a sample of `options.path` and writes down what it seems to be. Blocks while the file is read; must be called
/// within a runtime.
///
/// # Errors
/// Of the source; [`ErrorKind::InvalidInput`] for a file whose kind cannot be told from its name.
pub fn infer(options: &InferOptions) -> Result<Inferred> {
    let context = SourceContext {
        root: options.root.clone(),
        connections: Connections::default(),
        runtime: tokio::runtime::Handle::current(),
        cursor: None,
        // Only its first rows are looked at.
        read_once_from: Some(sources::READ_ONCE_BYTES),
    };
    let def = source::of_file(&context, &options.path)?;
    let sample = sample(&context, &def, &options.path, options.rows)?;
    if sample.rows == 0 {
        return Err(Error::new(ErrorKind::DataQuality, format!("`{}` holds no row that can be read", options.path)));
    }
    let divisions = Divisions::built_in();
    let guessed = column::guess_all(&sample, &divisions, options.today);
    let table = match &options.table {
        Some(table) => table.clone(),
        None => names::table(&options.path)?,
    };
    let pipeline = table.table().to_owned();
    let written =
        render::Written { table: &table, pipeline: &pipeline, path: &options.path, def: &def, sample: &sample };
    Ok(Inferred {
        contract: written.contract(&guessed),
        pipeline_file: written.pipeline(&guessed),
        pipeline,
        rows: sample.rows,
        unreadable: sample.unreadable,
        table,
    })
}

/// The first rows as text.
fn sample(context: &SourceContext, def: &SourceDef, path: &str, rows: usize) -> Result<Sample> {
    let opened = sources::open(context, def)?;
    let schema = opened.schema();
    let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
    let (mut found, mut unreadable) = (0, 0);
    for batch in opened.batches()? {
        let batch = batch?;
        let taken = batch.batch.num_rows().min(rows - found);
        for ((pieces, column), field) in pieces.iter_mut().zip(batch.batch.columns()).zip(schema.fields()) {
            let text = cast(&column.slice(0, taken), &DataType::Utf8);
            pieces.push(text.map_err(|error| unreadable_column(path, field.name(), error))?);
        }
        found += taken;
        unreadable += batch.unreadable.len();
        if found == rows {
            break;
        }
    }
    let columns = pieces.iter().zip(schema.fields()).map(|(pieces, field)| {
        let pieces: Vec<&dyn arrow::array::Array> = pieces.iter().map(AsRef::as_ref).collect();
        match pieces.is_empty() {
            true => Ok(StringArray::new_null(0)),
            false => concat(&pieces)
                .map(|column| column.as_string::<i32>().clone())
                .map_err(|error| unreadable_column(path, field.name(), error)),
        }
    });
    Ok(Sample {
        names: schema.fields().iter().map(|field| field.name().clone()).collect(),
        columns: columns.collect::<Result<_>>()?,
        types: schema.fields().iter().map(|field| field.data_type().clone()).collect(),
        rows: found,
        unreadable,
    })
}

fn unreadable_column(path: &str, column: &str, error: arrow::error::ArrowError) -> Error {
    let message = format!("column `{column}` of {path} holds a value that cannot be shown as text");
    Error::new(ErrorKind::DataQuality, message)
        .with_hint("declare the table by hand, or have the file written again")
        .with_source(error)
}

/// A path as its last part tells it.
fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

#[cfg(test)]
mod tests;
