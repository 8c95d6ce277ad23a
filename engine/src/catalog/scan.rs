//! Our own scan of a snapshot: the log's file list read by DataFusion's Parquet source.
//!
//! Measured against deltalake's provider it is as fast or faster for every kind of query, it hands DataFusion the
//! log's statistics and the files' sort order, and its plan serialises.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::data_file::{DataFile, ScanColumns};
use super::pruning::prune;

/// Under this URL the lake's store is registered with a query's runtime. No SQL can name it: the query gate refuses
/// every statement that takes a URL.
pub(super) const LAKE_STORE: &str = "xiangyun-lake://lake";

/// Sorted files that overlap need a partition each to be merged; with more than this many for each partition that the
/// query wants, the order is not worth it.
const MAX_GROUPS_PER_PARTITION: usize = 4;

/// One snapshot of a table.
#[derive(Debug)]
pub(super) struct LakeTable {
    /// In the log's order of columns.
    schema: SchemaRef,
    /// In the scan's order: partition columns last.
    scan_schema: TableSchema,
    /// Place of each of `schema`'s columns in `scan_schema`.
    to_scan: Vec<usize>,
    files: Arc<[DataFile]>,
}

impl LakeTable {
    /// `schema` is the table's; `columns` are the same ones in the scan's order.
    pub(super) fn new(schema: SchemaRef, columns: &ScanColumns, files: Arc<[DataFile]>) -> Self {
        let scan_schema = TableSchema::builder(Arc::new(Schema::new(columns.file.clone())))
            .with_table_partition_cols(columns.partition.clone())
            .build();
        let to_scan = schema
            .fields()
            .iter()
            .filter_map(|field| columns.iter().position(|column| column.name() == field.name()))
            .collect();
        Self { schema, scan_schema, to_scan, files }
    }

    /// The same table with the columns of `schema` only.
    pub(super) fn narrowed(&self, schema: SchemaRef) -> Self {
        let fields = self.scan_schema.table_schema().fields();
        let place = |name: &str| fields.iter().position(|field| field.name() == name);
        let to_scan = schema.fields().iter().filter_map(|field| place(field.name())).collect();
        Self { schema, scan_schema: self.scan_schema.clone(), to_scan, files: self.files.clone() }
    }

    /// The order that all of `files` share, as far as it has no missing values: those stand at a file's end and would
    /// break the order from one file to the next.
    fn ordering(&self, files: &[DataFile]) -> Option<LexOrdering> {
        let schema = self.scan_schema.table_schema();
        let common = files.iter().map(|file| &file.sorted_by).min_by_key(|columns| columns.len())?;
        let expressions = common.iter().map_while(|name| {
            let (index, _) = schema.column_with_name(name)?;
            let known = files.iter().all(|file| {
                let column = &file.statistics.column_statistics[index];
                file.sorted_by.starts_with(common)
                    && column.null_count == Precision::Exact(0)
                    && column.min_value.get_value().is_some()
                    && column.max_value.get_value().is_some()
            });
            let options = SortOptions { descending: false, nulls_first: false };
            known.then(|| PhysicalSortExpr::new(Arc::new(Column::new(name, index)), options))
        });
        LexOrdering::new(expressions.collect::<Vec<_>>())
    }

    /// Spreads the files over partitions: in their order where they have one, else in shares of equal count.
    fn groups(&self, files: &[DataFile], partitions: usize) -> (Vec<FileGroup>, Vec<LexOrdering>) {
        let ordering = self.ordering(files);
        let all = FileGroup::new(files.iter().map(|file| partitioned_file(file, ordering.clone())).collect());
        if let Some(ordering) = ordering {
            let groups = FileScanConfig::split_groups_by_statistics_with_target_partitions(
                self.scan_schema.table_schema(),
                std::slice::from_ref(&all),
                &ordering,
                partitions,
            );
            match groups {
                Ok(groups) if groups.len() <= partitions * MAX_GROUPS_PER_PARTITION => {
                    return (groups, vec![ordering]);
                }
                _ => {}
            }
        }
        (all.split_files(partitions), Vec::new())
    }
}

fn partitioned_file(file: &DataFile, ordering: Option<LexOrdering>) -> PartitionedFile {
    let mut partitioned = PartitionedFile::new_from_meta(file.meta.clone())
        .with_partition_values(file.partition_values.clone())
        .with_ordering(ordering);
    // Not by `with_statistics`: it would call a missing partition value present.
    partitioned.statistics = Some(file.statistics.clone());
    partitioned
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan_schema = self.scan_schema.table_schema();
        let indices = match projection {
            Some(projection) => projection.iter().map(|&index| self.to_scan[index]).collect(),
            None => self.to_scan.clone(),
        };
        let files = prune(&self.files, filters, scan_schema, session)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(scan_schema.project(&indices)?))));
        }
        let (groups, ordering) = self.groups(&files, session.config().target_partitions().max(1));
        let statistics = Statistics::try_merge_iter(files.iter().map(|file| file.statistics.as_ref()), scan_schema)?;
        let options = TableParquetOptions {
            global: session.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(self.scan_schema.clone()).with_table_parquet_options(options);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(LAKE_STORE)?, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_output_ordering(ordering)
            .with_projection_indices(Some(indices))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
