//! Which files can hold rows that a query asks for.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use super::data_file::DataFile;

/// The files of `files` that `filters` do not rule out, by the log's statistics. DataFusion's own file pruning reads
/// exact statistics only; the log's inexact ones are bounds, which is all that pruning needs.
pub(super) fn prune(
    files: &[DataFile],
    filters: &[Expr],
    schema: &SchemaRef,
    session: &dyn Session,
) -> Result<Vec<DataFile>> {
    let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(files.to_vec()) };
    let filter = session.create_physical_expr(filter, &DFSchema::try_from(schema.clone())?)?;
    let Some(predicate) = PruningPredicateBuilder::new().with_file_schema(schema.clone()).build(filter) else {
        return Ok(files.to_vec());
    };
    // A bound that the predicate cannot compute with rules nothing out; the filter itself is applied above the scan.
    let Ok(keep) = predicate.prune(&FileStatistics { files, schema }) else { return Ok(files.to_vec()) };
    Ok(files.iter().zip(keep).filter(|(_, keep)| *keep).map(|(file, _)| file.clone()).collect())
}

/// A container a file; `schema` is the scan's.
struct FileStatistics<'a> {
    files: &'a [DataFile],
    schema: &'a SchemaRef,
}

impl FileStatistics<'_> {
    fn bounds(&self, column: &Column, bound: impl Fn(&DataFile, usize) -> Precision<ScalarValue>) -> Option<ArrayRef> {
        let (index, field) = self.schema.column_with_name(&column.name)?;
        let missing = ScalarValue::try_from(field.data_type()).ok()?;
        let values = self.files.iter().map(|file| bound(file, index).get_value().cloned().unwrap_or(missing.clone()));
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |file, index| file.statistics.column_statistics[index].min_value.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |file, index| file.statistics.column_statistics[index].max_value.clone())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (index, _) = self.schema.column_with_name(&column.name)?;
        let counts = self
            .files
            .iter()
            .map(|file| file.statistics.column_statistics[index].null_count.get_value().map(|&count| count as u64));
        Some(Arc::new(UInt64Array::from_iter(counts)))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter(self.files.iter().map(DataFile::rows))))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
