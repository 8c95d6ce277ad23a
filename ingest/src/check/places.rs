//! Where the rows of a batch stand in their files.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::filter;
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;

/// The columns that carry a row's file and line through a transform; tables call them the same.
pub(crate) use xiangyun_engine::catalog::{FILE_COLUMN, LINE_COLUMN};

/// A row's file and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as in the run's sources.
    pub file: Arc<str>,
    /// The line, from 1, the header included.
    pub line: u64,
}

/// The places of a batch's rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    columns: Option<(StringArray, UInt64Array)>,
}

impl Places {
    /// Takes the two columns out of a batch that has them.
    pub(crate) fn take(batch: &RecordBatch) -> Self {
        let file = batch.column_by_name(FILE_COLUMN).and_then(|column| column.as_string_opt::<i32>());
        let line = batch.column_by_name(LINE_COLUMN).and_then(|column| column.as_primitive_opt::<UInt64Type>());
        Self { columns: file.cloned().zip(line.cloned()) }
    }

    /// The files, a value a row, where they are known.
    pub(crate) fn files(&self) -> Option<&StringArray> {
        self.columns.as_ref().map(|(files, _)| files)
    }

    /// The lines, a value a row, where they are known.
    pub(crate) fn lines(&self) -> Option<&UInt64Array> {
        self.columns.as_ref().map(|(_, lines)| lines)
    }

    /// The places of the rows that are `kept`.
    pub(crate) fn filtered(&self, kept: &BooleanArray) -> Result<Self, ArrowError> {
        let Some((files, lines)) = &self.columns else { return Ok(Self::default()) };
        let (files, lines) = (filter(files, kept)?, filter(lines, kept)?);
        let columns = files.as_string_opt::<i32>().cloned().zip(lines.as_primitive_opt::<UInt64Type>().cloned());
        Ok(Self { columns })
    }

    /// Where row `row` stands, where that is known.
    pub(crate) fn of(&self, row: usize) -> Option<Place> {
        let (files, lines) = self.columns.as_ref()?;
        (files.is_valid(row) && lines.is_valid(row))
            .then(|| Place { file: files.value(row).into(), line: lines.value(row) })
    }
}
