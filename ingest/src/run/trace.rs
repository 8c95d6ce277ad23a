//! The hidden columns of the rows that a run loads: its id, and each row's file and line.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::error::ArrowError;
use xiangyun_engine::catalog::{FILE_COLUMN, LINE_COLUMN, RUN_COLUMN};

use crate::check::Places;

/// Bytes of a list of files that stands for the file of a row whose place a transform lost.
const LIST_BYTES: usize = 1000;

/// Marks rows with where they come from.
#[derive(Debug)]
pub(super) struct Trace {
    run_id: String,
    /// Stands for the file of a row that was made of several.
    files: String,
}

impl Trace {
    /// For the rows that run `run_id` makes of `files`.
    pub(super) fn new<'a>(run_id: &str, files: impl ExactSizeIterator<Item = &'a str>) -> Self {
        Self { run_id: run_id.into(), files: listed(files) }
    }

    /// `rows` with the hidden columns behind their own.
    pub(super) fn mark(&self, rows: &RecordBatch, places: &Places) -> Result<RecordBatch, ArrowError> {
        let count = rows.num_rows();
        let file = match places.files() {
            Some(files) => encoded(files)?,
            None => constant(&self.files, count)?,
        };
        let line = match places.lines() {
            Some(lines) => cast(lines, &DataType::Int64)?,
            None => new_null_array(&DataType::Int64, count),
        };
        let mut fields: Vec<_> = rows.schema().fields().iter().cloned().collect();
        let mut columns = rows.columns().to_vec();
        for (name, column) in [(RUN_COLUMN, constant(&self.run_id, count)?), (FILE_COLUMN, file), (LINE_COLUMN, line)] {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

/// The names in one text, and how many more there are where they are too many.
fn listed<'a>(files: impl ExactSizeIterator<Item = &'a str>) -> String {
    let (count, mut text) = (files.len(), String::new());
    for (index, file) in files.enumerate() {
        if !text.is_empty() {
            if text.len() + file.len() > LIST_BYTES {
                text.push_str(&format!(" and {} more", count - index));
                break;
            }
            text.push_str(", ");
        }
        text.push_str(file);
    }
    text
}

/// The same text in every row, held once.
fn constant(text: &str, count: usize) -> Result<ArrayRef, ArrowError> {
    let keys = Int32Array::from(vec![0; count]);
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(vec![text])))?))
}

/// Each file's name held once: a batch has rows of few files.
fn encoded(files: &StringArray) -> Result<ArrayRef, ArrowError> {
    let mut names: Vec<&str> = Vec::new();
    let mut places: HashMap<&str, i32> = HashMap::new();
    let mut keys = Vec::with_capacity(files.len());
    for file in files {
        let Some(file) = file else {
            keys.push(None);
            continue;
        };
        // Rows of one file stand together.
        let key = match names.last() {
            Some(last) if *last == file => i32::try_from(names.len() - 1).ok(),
            _ => places.get(file).copied(),
        };
        keys.push(Some(key.unwrap_or_else(|| {
            let key = names.len() as i32;
            names.push(file);
            places.insert(file, key);
            key
        })));
    }
    let names = Arc::new(StringArray::from(names));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), names)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::{AsArray, Int64Array, UInt64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn texts(column: &ArrayRef) -> Vec<Option<String>> {
        let texts = cast(column, &DataType::Utf8).unwrap();
        texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn rows_carry_their_run_file_and_line() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let files: ArrayRef = Arc::new(StringArray::from(vec!["a.csv", "b.csv", "a.csv"]));
        let lines: ArrayRef = Arc::new(UInt64Array::from(vec![2, 2, 3]));
        let placed = RecordBatch::try_from_iter([("id", ids.clone()), (FILE_COLUMN, files), (LINE_COLUMN, lines)]);
        let rows = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let trace = Trace::new("r1", ["a.csv", "b.csv"].into_iter());
        let marked = trace.mark(&rows, &Places::take(&placed.unwrap())).unwrap();
        assert_eq!(texts(&marked[RUN_COLUMN]), vec![Some("r1".to_owned()); 3]);
        assert_eq!(texts(&marked[FILE_COLUMN]), ["a.csv", "b.csv", "a.csv"].map(|file| Some(file.to_owned())));
        assert_eq!(marked[LINE_COLUMN].as_primitive::<Int64Type>().values(), &[2, 2, 3]);
        // A transform that groups loses the places: the files are all that is known.
        let marked = trace.mark(&rows, &Places::default()).unwrap();
        assert_eq!(texts(&marked[FILE_COLUMN])[0].as_deref(), Some("a.csv, b.csv"));
        assert_eq!(marked[LINE_COLUMN].null_count(), 3);
    }

    #[test]
    fn a_list_of_many_files_is_cut() {
        let files: Vec<String> = (0..10_000).map(|day| format!("data/daily/{day:05}.csv")).collect();
        let text = listed(files.iter().map(String::as_str));
        assert!(text.len() < LIST_BYTES + 30 && text.starts_with("data/daily/00000.csv, "), "{text}");
        let named = text.matches(".csv").count();
        assert!(text.ends_with(&format!(" and {} more", 10_000 - named)), "{text}");
    }
}
