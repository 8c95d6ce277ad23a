//! What changed between two versions of a table: by files first, and of those that differ, the rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::prelude::SessionConfig;
use deltalake::table::state::DeltaTableState;
use futures::StreamExt;
use futures::stream::BoxStream;
use xiangyun_engine::catalog::{PROVENANCE_COLUMNS, TableFiles, TableLog, TableName};
use xiangyun_engine::{Engine, Result};

use super::{MaintainError, Maintenance};

/// Rows are sorted in two partitions, so that memory has two sorts at a time.
const PARTITIONS: usize = 2;

/// What changed from one version to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diff {
    /// Version.
    pub from: u64,
    /// Version.
    pub to: u64,
    /// Files of the second version that the first lacks.
    pub files_added: usize,
    /// Files of the first version that the second lacks.
    pub files_removed: usize,
    /// Rows that the second version has and the first has not, or has fewer times.
    pub rows_added: u64,
    /// The other way round.
    pub rows_removed: u64,
}

/// The rows that differ, as they come: `_change` (`added` or `removed`), `_count` (how many times), and the table's
/// columns, by which they are ordered.
pub struct DiffRows {
    /// Their columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
}

impl std::fmt::Debug for DiffRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiffRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Maintenance {
    /// Counts what changed between two versions. Files that were only written anew have the same rows and do not count;
    /// where a row came from is not compared.
    ///
    /// # Errors
    /// `NotFound` for a version that there is not; the storage's where a file of one was removed.
    pub async fn diff(&self, table: &TableName, from: u64, to: u64) -> Result<Diff> {
        let compared = self.compare(table, from, to).await?;
        let sql = format!(
            "SELECT coalesce(sum(CASE WHEN _n > 0 THEN _n END), 0), coalesce(sum(CASE WHEN _n < 0 THEN -_n END), 0) \
             FROM ({})",
            compared.differing()
        );
        let counted = async { compared.session.sql(&sql).await?.collect().await };
        let counted = counted.await.map_err(|source| compared.failed(source))?;
        let number = |column: usize| {
            let batch = counted.iter().find(|batch| batch.num_rows() > 0)?;
            let values = batch.column(column).as_primitive_opt::<Int64Type>()?;
            values.is_valid(0).then(|| values.value(0).max(0) as u64)
        };
        Ok(Diff {
            from,
            to,
            files_added: compared.files_added,
            files_removed: compared.files_removed,
            rows_added: number(0).unwrap_or_default(),
            rows_removed: number(1).unwrap_or_default(),
        })
    }

    /// The rows that differ between two versions, `limit` of them at the most.
    ///
    /// # Errors
    /// Of [`Self::diff`].
    pub async fn diff_rows(&self, table: &TableName, from: u64, to: u64, limit: Option<u64>) -> Result<DiffRows> {
        let compared = self.compare(table, from, to).await?;
        let columns = compared.columns();
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let sql = format!(
            "SELECT CASE WHEN _n > 0 THEN 'added' ELSE 'removed' END AS _change, abs(_n) AS _count, {columns} \
             FROM ({}) ORDER BY {columns}, _change{limit}",
            compared.differing()
        );
        let opened = async { compared.session.sql(&sql).await?.execute_stream().await };
        let rows = opened.await.map_err(|source| compared.failed(source))?;
        let schema = rows.schema();
        let batches = rows.map(move |batch| batch.map_err(|source| compared.failed(source))).boxed();
        Ok(DiffRows { schema, batches })
    }

    async fn compare(&self, table: &TableName, from: u64, to: u64) -> Result<Compared> {
        let log = TableLog::of_table(self.engine.storage(), table);
        self.def(table)?;
        let (first, second) = (log.load_version(from).await?, log.load_version(to).await?);
        let schema = all_columns(&first, &second).map_err(|(column, is, other)| MaintainError::OtherType {
            table: table.to_string(),
            column,
            from,
            to,
            is,
            other,
        })?;
        let (first, second) =
            (TableFiles::try_new(&log, &first, &schema)?, TableFiles::try_new(&log, &second, &schema)?);
        let (gone, come) = (without(&first, &second), without(&second, &first));
        let mut config = SessionConfig::new().with_target_partitions(PARTITIONS);
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        let session = SessionContext::new_with_config_rt(config, self.committer.runtime()?);
        let (files_added, files_removed) = (come.len(), gone.len());
        let engine = self.engine.clone();
        let compared = Compared { engine, table: table.clone(), session, schema, files_added, files_removed };
        for (name, rows) in [("gone", first.table(&gone)), ("come", second.table(&come))] {
            compared.session.register_table(name, rows).map_err(|source| compared.failed(source))?;
        }
        Ok(compared)
    }
}

/// Two versions, of which a session shows the files that differ as `gone` and `come`.
struct Compared {
    engine: Engine,
    table: TableName,
    session: SessionContext,
    schema: SchemaRef,
    files_added: usize,
    files_removed: usize,
}

impl Compared {
    fn columns(&self) -> String {
        self.schema.fields().iter().map(|field| format!("\"{}\"", field.name())).collect::<Vec<_>>().join(", ")
    }

    /// Each row that one version has more often than the other, with how much more often the second has it as `_n`.
    fn differing(&self) -> String {
        let columns = self.columns();
        format!(
            "SELECT {columns}, sum(_side) AS _n FROM (SELECT {columns}, 1 AS _side FROM come UNION ALL \
             SELECT {columns}, -1 AS _side FROM gone) GROUP BY {columns} HAVING sum(_side) <> 0"
        )
    }

    fn failed(&self, source: DataFusionError) -> xiangyun_engine::Error {
        // A file that is gone, or storage out of reach, is no fault of the comparison.
        self.engine
            .catalog()
            .read_failure(&source)
            .unwrap_or_else(|| MaintainError::Compare { table: self.table.to_string(), source: source.into() }.into())
    }
}

/// The columns of both versions, those of the second first. A row that a version has no value for has none.
///
/// # Errors
/// The first column that both have with different types, with those.
fn all_columns(first: &DeltaTableState, second: &DeltaTableState) -> Result<SchemaRef, (String, DataType, DataType)> {
    let (first, second) = (first.snapshot().arrow_schema(), second.snapshot().arrow_schema());
    for field in first.fields() {
        if let Some((_, other)) = second.column_with_name(field.name())
            && other.data_type() != field.data_type()
        {
            return Err((field.name().clone(), field.data_type().clone(), other.data_type().clone()));
        }
    }
    let older = first.fields().iter().filter(|field| second.column_with_name(field.name()).is_none());
    let all = second.fields().iter().chain(older);
    let all = all.filter(|field| !PROVENANCE_COLUMNS.contains(&field.name().as_str()));
    let plain = all.map(|field| Field::new(field.name(), field.data_type().clone(), true));
    Ok(Arc::new(Schema::new(plain.collect::<Vec<_>>())))
}

/// Numbers of the files of `one` that `other` lacks.
fn without(one: &TableFiles, other: &TableFiles) -> Vec<usize> {
    let path = |files: &TableFiles, number: usize| files.view(number).map(|view| view.path().into_owned());
    let there: HashSet<Option<String>> = (0..other.len()).map(|number| path(other, number)).collect();
    (0..one.len()).filter(|number| !there.contains(&path(one, *number))).collect()
}
