//! One version of a table as files, for whoever writes some of them anew: which can hold a row, and what is in them.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::logical_expr::Expr;
use deltalake::kernel::LogicalFileView;
use deltalake::table::state::DeltaTableState;

use super::data_file::{DataFile, ScanColumns};
use super::error::CatalogError;
use super::log::TableLog;
use super::pruning::prune;
use super::scan::LakeTable;
use super::snapshot::{file_views, needs_fallback, scan_columns};
use crate::error::{Error, ErrorKind, Result};

/// The column of [`TableFiles::table`] that says in which file a row is.
pub const FILE_NUMBER_COLUMN: &str = "_number";

/// The files of one version of a table.
pub struct TableFiles {
    schema: SchemaRef,
    columns: ScanColumns,
    files: Vec<DataFile>,
    views: Vec<LogicalFileView>,
}

impl fmt::Debug for TableFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFiles").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl TableFiles {
    /// The files of `state`, read in the columns of `schema`: those that a file lacks are missing values.
    ///
    /// # Errors
    /// [`CatalogError::Unsupported`] for a table whose files are not the whole truth: with deletion vectors or column
    /// mapping. Such a table can be read and added to.
    pub fn try_new(log: &TableLog, state: &DeltaTableState, schema: &SchemaRef) -> Result<Self> {
        let views = file_views(log, state)?;
        if needs_fallback(state, &views) {
            let reason =
                "it has deletion vectors, column mapping or another feature by which its files cannot be written anew";
            return Err(CatalogError::Unsupported { table: log.label().into(), reason: reason.into() }.into());
        }
        let partition_by: Vec<String> = state.metadata().partition_columns().iter().map(Into::into).collect();
        let mut columns = scan_columns(schema, &partition_by);
        let mut files = DataFile::all(log, &views, &columns)?;
        for (number, file) in files.iter_mut().enumerate() {
            number_file(file, number);
        }
        let number: FieldRef = Arc::new(Field::new(FILE_NUMBER_COLUMN, DataType::Int64, false));
        columns.partition = columns.partition.iter().cloned().chain([number.clone()]).collect();
        let fields = schema.fields().iter().cloned().chain([number]).collect::<Vec<_>>();
        Ok(Self { schema: Arc::new(Schema::new(fields)), columns, files, views })
    }

    /// The numbers of the files that `filters` do not rule out, by the log's statistics.
    pub fn may_hold(&self, filters: &[Expr], session: &dyn Session) -> Result<Vec<usize>> {
        let fields = self.columns.iter().cloned().collect::<Vec<_>>();
        let kept = prune(&self.files, filters, &Arc::new(Schema::new(fields)), session).map_err(|error| {
            Error::new(ErrorKind::Internal, "files cannot be chosen by their statistics").with_source(error)
        })?;
        Ok(kept.iter().filter_map(number_of).collect())
    }

    /// The rows of the files with these numbers, with [`FILE_NUMBER_COLUMN`] behind the columns.
    pub fn table(&self, numbers: &[usize]) -> Arc<dyn TableProvider> {
        let files = numbers.iter().filter_map(|number| self.files.get(*number)).cloned().collect::<Vec<_>>();
        Arc::new(LakeTable::new(self.schema.clone(), &self.columns, files.into()))
    }

    /// Rows of a file, where the log knows.
    pub fn rows(&self, number: usize) -> Option<u64> {
        self.files.get(number).and_then(DataFile::rows)
    }

    /// A file as the log has it.
    pub fn view(&self, number: usize) -> Option<&LogicalFileView> {
        self.views.get(number)
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// A file's number is one more value that is constant in it, as those of partition columns are.
fn number_file(file: &mut DataFile, number: usize) {
    let value = ScalarValue::Int64(i64::try_from(number).ok());
    let mut statistics = file.statistics.as_ref().clone();
    statistics.column_statistics.push(ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(value.clone()),
        max_value: Precision::Exact(value.clone()),
        ..ColumnStatistics::new_unknown()
    });
    file.statistics = Arc::new(statistics);
    file.partition_values.push(value);
}

fn number_of(file: &DataFile) -> Option<usize> {
    match file.partition_values.last() {
        Some(ScalarValue::Int64(Some(number))) => usize::try_from(*number).ok(),
        _ => None,
    }
}
