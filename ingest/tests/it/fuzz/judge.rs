//! Reads a file as a load would, and compares what must be the same.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use arrow::row::{RowConverter, SortField};
use chrono::NaiveDate;
use tokio::runtime::Handle;
use xiangyun_ingest::connection::Connections;
use xiangyun_ingest::infer::{InferOptions, infer};
use xiangyun_ingest::pipeline::SourceDef;
use xiangyun_ingest::source::{Source, SourceContext, open};

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) rows: u64,
    pub(crate) unreadable: u64,
    /// Of the rows with their places, and of those that have no columns.
    sums: (u64, u64),
}

/// A source's declaration without its path, for the file called `name`.
pub(crate) fn source_of(declared: &str, name: &str) -> SourceDef {
    toml::from_str(&format!("path = \"{name}\"\n{declared}")).unwrap()
}

/// Opens and reads a source to its end; an error is the whole of its words.
pub(crate) fn read(runtime: &Handle, root: &Path, source: &SourceDef) -> Result<Reading, String> {
    let context = SourceContext {
        root: root.into(),
        connections: Connections::default(),
        runtime: runtime.clone(),
        cursor: None,
        read_once_from: None,
    };
    let opened = open(&context, source).map_err(|error| chain(&error))?;
    let first = drain(opened.as_ref());
    let again = drain(opened.as_ref());
    assert_eq!(first, again, "a second reading gives something else");
    first
}

fn drain(source: &dyn Source) -> Result<Reading, String> {
    let schema = source.schema();
    let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields).unwrap();
    let (mut rows, mut unreadable) = (0, 0);
    let (mut good, mut bad) = (DefaultHasher::new(), DefaultHasher::new());
    for batch in source.batches().map_err(|error| chain(&error))? {
        let batch = batch.map_err(|error| chain(&error))?;
        assert_eq!(batch.batch.schema(), schema);
        assert_eq!(batch.batch.num_rows(), batch.lines.len(), "a line for each row");
        assert!(batch.lines.values().windows(2).all(|pair| pair[0] < pair[1]), "lines go up: {:?}", batch.lines);
        assert!(batch.unreadable.windows(2).all(|pair| pair[0].line <= pair[1].line), "{:?}", batch.unreadable);
        rows += batch.batch.num_rows() as u64;
        unreadable += batch.unreadable.len() as u64;
        batch.lines.values().iter().for_each(|line| line.hash(&mut good));
        if !schema.fields().is_empty() {
            let converted = converter.convert_columns(batch.batch.columns()).unwrap();
            converted.iter().for_each(|row| row.as_ref().hash(&mut good));
        }
        for row in batch.unreadable {
            assert!(!row.reason.is_empty() && !row.message.is_empty(), "{row:?}");
            (row.line, row.reason, row.message, row.raw).hash(&mut bad);
        }
    }
    Ok(Reading { rows, unreadable, sums: (good.finish(), bad.finish()) })
}

/// Guesses a contract; what is guessed must at least be read again.
pub(crate) fn guess(runtime: &Handle, root: &Path, name: &str) -> Result<(), String> {
    let _entered = runtime.enter();
    let today = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();
    let options = InferOptions { root: root.into(), path: name.into(), table: None, rows: 1000, today };
    let inferred = infer(&options).map_err(|error| chain(&error))?;
    for text in [&inferred.contract, &inferred.pipeline_file] {
        if let Err(error) = text.parse::<toml::Table>() {
            panic!("what was guessed is no TOML: {error}\n{text}");
        }
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}
