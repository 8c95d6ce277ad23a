//! A data file as the log describes it: path, partition values, statistics.

use std::sync::Arc;

use arrow::datatypes::{Field, Fields};
use datafusion::common::{ScalarValue, Statistics};
use deltalake::kernel::LogicalFileView;
use object_store::ObjectMeta;

use super::error::CatalogError;
use super::log::TableLog;
use super::log_statistics::LogStatistics;

/// Tag of an `add` action: the columns by which the file's rows are sorted (ascending, missing values last), as a JSON
/// array; empty for none. Only Xiangyun's own writer sets it, so its presence also tells that the file's statistics
/// are Xiangyun's: decimals in full, texts cut only from [`STATISTICS_TEXT_CHARS`] characters on.
pub const SORTED_BY_TAG: &str = "xiangyun.sortedBy";

/// Texts of this many characters and more are cut in the log's statistics.
pub const STATISTICS_TEXT_CHARS: usize = 32;

/// The columns of a table in the order in which a scan yields them: those in the files, then the partition columns.
#[derive(Debug, Clone)]
pub(super) struct ScanColumns {
    pub(super) file: Fields,
    pub(super) partition: Fields,
}

impl ScanColumns {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Field>> {
        self.file.iter().chain(&self.partition)
    }
}

/// One data file of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    /// Within the store.
    pub(super) meta: ObjectMeta,
    /// Typed, in the order of the partition columns.
    pub(super) partition_values: Vec<ScalarValue>,
    /// Of the scan's columns. `Inexact` values are bounds, never estimates.
    pub(super) statistics: Arc<Statistics>,
    /// Columns by which the rows are sorted.
    pub(super) sorted_by: Vec<String>,
}

impl DataFile {
    /// All files of a snapshot.
    pub(super) fn all(
        log: &TableLog,
        views: &[LogicalFileView],
        columns: &ScanColumns,
    ) -> Result<Vec<Self>, CatalogError> {
        let texts: Vec<_> = views.iter().map(LogicalFileView::stats).collect();
        let statistics = LogStatistics::parse(&texts, &columns.file);
        views.iter().enumerate().map(|(row, view)| Self::try_new(log, view, columns, &statistics, row)).collect()
    }

    fn try_new(
        log: &TableLog,
        view: &LogicalFileView,
        columns: &ScanColumns,
        statistics: &LogStatistics,
        row: usize,
    ) -> Result<Self, CatalogError> {
        let escaping = |path: &str| CatalogError::EscapingPath { table: log.label().into(), path: path.into() };
        let decoded = view.path();
        if escapes(&decoded) {
            return Err(escaping(&decoded));
        }
        let location = view.object_store_path().parts().fold(log.path().clone(), |path, part| path.join(part));
        let meta = ObjectMeta {
            location,
            last_modified: view.modification_datetime().unwrap_or_default(),
            size: view.size().max(0) as u64,
            e_tag: None,
            version: None,
        };
        let raw = view.partition_values_map();
        let partition_values = columns
            .partition
            .iter()
            .map(|field| partition_value(log, field, raw.get(field.name()).cloned().flatten()))
            .collect::<Result<Vec<_>, _>>()?;
        let sorted_by = own_sort_columns(view);
        let statistics = statistics.of_file(row, &columns.file, &partition_values, sorted_by.is_some());
        Ok(Self { meta, partition_values, statistics: Arc::new(statistics), sorted_by: sorted_by.unwrap_or_default() })
    }

    /// Rows, where the log knows.
    pub(super) fn rows(&self) -> Option<u64> {
        self.statistics.num_rows.get_value().map(|&rows| rows as u64)
    }
}

/// Whether a path of the log leads outside of the table: absolute, a URL, or upward.
fn escapes(path: &str) -> bool {
    let has_scheme = path.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    has_scheme || path.is_empty() || path.starts_with(['/', '\\']) || path.split(['/', '\\']).any(|part| part == "..")
}

/// The sort columns that Xiangyun's writer recorded; `None` for other writers' files.
fn own_sort_columns(view: &LogicalFileView) -> Option<Vec<String>> {
    #[expect(deprecated, reason = "the only public way to a file's tags")]
    let tags = view.add_action().tags?;
    serde_json::from_str(tags.get(SORTED_BY_TAG)?.as_deref()?).ok()
}

fn partition_value(log: &TableLog, field: &Field, raw: Option<String>) -> Result<ScalarValue, CatalogError> {
    let data_type = field.data_type();
    // Delta's protocol: an empty text is a missing value.
    let Some(raw) = raw.filter(|raw| !raw.is_empty()) else {
        return ScalarValue::try_from(data_type).map_err(|_| unsupported(log, field));
    };
    ScalarValue::try_from_string(raw.clone(), data_type).map_err(|_| CatalogError::Unsupported {
        table: log.label().into(),
        reason: format!("`{raw}` is no {data_type} for partition column `{}`", field.name()),
    })
}

fn unsupported(log: &TableLog, field: &Field) -> CatalogError {
    CatalogError::Unsupported {
        table: log.label().into(),
        reason: format!("column `{}` has type {}", field.name(), field.data_type()),
    }
}

#[cfg(test)]
mod tests {
    use super::escapes;

    #[test]
    fn paths_that_leave_the_table_are_found() {
        for path in ["../x.parquet", "a/../../x", "/etc/passwd", "file:///etc/passwd", "s3://other/x", "", "\\\\h\\x"] {
            assert!(escapes(path), "{path}");
        }
        for path in ["part-1.parquet", "region=长春/x.parquet", "t=2019-03-26 10:00:00/x.parquet", "..x/y"] {
            assert!(!escapes(path), "{path}");
        }
    }
}
