//! One version of a table: its schema, its files and how to read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, ident, lit};
use deltalake::DeltaTable;
use deltalake::kernel::LogicalFileView;
use deltalake::table::state::DeltaTableState;

use super::data_file::{DataFile, ScanColumns};
use super::error::CatalogError;
use super::log::TableLog;
use super::provenance::{with_provenance, without_provenance};
use super::scan::LakeTable;
use crate::error::Result;
use crate::functions::calendar::china_day;

/// Reader features that change nothing for our own scan.
const HARMLESS_FEATURES: [&str; 5] =
    ["timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors", "columnMapping"];

/// One version of a table.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    version: u64,
    schema: SchemaRef,
    partition_by: Arc<[String]>,
    rows: Option<u64>,
    files: u64,
    size_bytes: u64,
    provider: Arc<dyn TableProvider>,
    traced: Arc<dyn TableProvider>,
    newest_days: Arc<BTreeMap<String, NaiveDate>>,
    id: Arc<str>,
}

impl TableSnapshot {
    /// Reads the file list of `state`. Tables with features that our own scan does not handle (deletion vectors in
    /// use, column mapping, …) get deltalake's provider.
    pub async fn try_new(log: &TableLog, state: &DeltaTableState) -> Result<Self> {
        Self::read(log, state, read_as).await
    }

    /// As [`Self::try_new`], with the types that the files have, for rows that are handed on as Rust has them.
    pub(super) async fn as_stored(log: &TableLog, state: &DeltaTableState) -> Result<Self> {
        Self::read(log, state, SchemaRef::clone).await
    }

    async fn read(log: &TableLog, state: &DeltaTableState, types: fn(&SchemaRef) -> SchemaRef) -> Result<Self> {
        let views = file_views(log, state)?;
        let stored = plain_schema(&state.snapshot().arrow_schema());
        // Files and tables that were written without the hidden columns have missing values in them.
        let traced_schema = with_provenance(&stored);
        let schema = without_provenance(&stored);
        let partition_by: Arc<[String]> = state.metadata().partition_columns().iter().map(Into::into).collect();
        let read_schema = types(&traced_schema);
        let columns = scan_columns(&read_schema, &partition_by);
        let files: Arc<[DataFile]> = DataFile::all(log, &views, &columns)?.into();
        let rows = files.iter().map(DataFile::rows).sum();
        let size_bytes = files.iter().map(|file| file.meta.size).sum();
        let newest_days = Arc::new(newest_days(&columns, &files));
        let count = files.len() as u64;
        let (provider, traced): (Arc<dyn TableProvider>, Arc<dyn TableProvider>) = if needs_fallback(state, &views) {
            let whole = fallback(log, state).await?;
            (projected(whole.clone(), &schema)?, projected(whole, &traced_schema)?)
        } else {
            let traced = LakeTable::new(read_schema, &columns, files);
            (Arc::new(traced.narrowed(types(&schema))), Arc::new(traced))
        };
        let version = state.version();
        let id = state.metadata().id().into();
        Ok(Self { version, schema, partition_by, rows, files: count, size_bytes, provider, traced, newest_days, id })
    }

    /// The id that the log gave the table.
    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Version of the Delta log.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Columns in the table's order, without the hidden ones.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Partition columns.
    pub fn partition_by(&self) -> &[String] {
        &self.partition_by
    }

    /// Rows, where the log knows them for every file.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Data files.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Bytes of the data files.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The greatest day, in China, of each date and timestamp column, as far as the log's statistics tell.
    pub(crate) fn newest_days(&self) -> &Arc<BTreeMap<String, NaiveDate>> {
        &self.newest_days
    }

    /// Reads this version, without the hidden columns.
    pub fn provider(&self) -> &Arc<dyn TableProvider> {
        &self.provider
    }

    /// Reads this version with the hidden columns of [`super::PROVENANCE_COLUMNS`] behind the others.
    pub fn traced(&self) -> &Arc<dyn TableProvider> {
        &self.traced
    }
}

/// See [`TableSnapshot::newest_days`]. A file without statistics may hold any day, so its columns are left out.
fn newest_days(columns: &ScanColumns, files: &[DataFile]) -> BTreeMap<String, NaiveDate> {
    let newest = |index: usize| {
        let mut newest = None;
        for file in files {
            let column = &file.statistics.column_statistics[index];
            let is_empty = column.null_count.get_value() == file.statistics.num_rows.get_value()
                && column.null_count.get_value().is_some();
            match column.max_value.get_value().and_then(china_day_of) {
                Some(day) => newest = newest.max(Some(day)),
                None if is_empty => {}
                None => return None,
            }
        }
        newest
    };
    let named = columns.iter().enumerate();
    named.filter_map(|(index, field)| Some((field.name().clone(), newest(index)?))).collect()
}

fn china_day_of(value: &ScalarValue) -> Option<NaiveDate> {
    match value {
        ScalarValue::Date32(Some(days)) => NaiveDate::from_epoch_days(*days),
        ScalarValue::TimestampMicrosecond(Some(micros), zone) => {
            NaiveDate::from_epoch_days(china_day(*micros, zone.is_some()))
        }
        _ => None,
    }
}

/// Names, types and nullability; Delta's own metadata means nothing to a query.
pub(super) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let plain = fields.map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()));
    Arc::new(Schema::new(plain.collect::<Vec<_>>()))
}

/// The types that queries read columns in: texts as views, whose bytes are not copied out of a page, and of which short
/// ones are compared and grouped as numbers.
fn read_as(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

pub(super) fn scan_columns(schema: &SchemaRef, partition_by: &[String]) -> ScanColumns {
    let file: Fields = schema.fields().iter().filter(|field| !partition_by.contains(field.name())).cloned().collect();
    let partition = partition_by.iter().filter_map(|name| schema.column_with_name(name));
    let partition: Fields = partition.map(|(index, _)| schema.fields()[index].clone()).collect();
    ScanColumns { file, partition }
}

/// The columns of `schema`, as a view over deltalake's provider; those that the table lacks are missing values.
fn projected(whole: Arc<dyn TableProvider>, schema: &SchemaRef) -> Result<Arc<dyn TableProvider>> {
    if whole.schema().fields() == schema.fields() {
        return Ok(whole);
    }
    let plan = || {
        let stored = whole.schema();
        let columns = schema.fields().iter().map(|field| match stored.column_with_name(field.name()) {
            Some(_) => Ok(ident(field.name())),
            None => Ok(lit(ScalarValue::try_from(field.data_type())?).alias(field.name())),
        });
        let columns = columns.collect::<datafusion::common::Result<Vec<_>>>()?;
        LogicalPlanBuilder::scan("t", provider_as_source(whole), None)?.project(columns)?.build()
    };
    let plan = plan().map_err(|error| {
        crate::Error::new(crate::ErrorKind::Internal, "a table's columns cannot be selected").with_source(error)
    })?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The files that the log of `state` lists.
pub(super) fn file_views(log: &TableLog, state: &DeltaTableState) -> Result<Vec<LogicalFileView>> {
    let listed = state.snapshot().try_log_data();
    let listed =
        listed.map_err(|error| CatalogError::Unreadable { table: log.label().into(), source: error.into() })?;
    Ok(listed.iter().collect())
}

/// Whether this version can only be read by deltalake's provider.
pub(super) fn needs_fallback(state: &DeltaTableState, views: &[LogicalFileView]) -> bool {
    let foreign = state
        .protocol()
        .reader_features()
        .into_iter()
        .flatten()
        .any(|feature| !HARMLESS_FEATURES.contains(&feature.as_ref()));
    let mapped = state.metadata().configuration().get("delta.columnMapping.mode").is_some_and(|mode| mode != "none");
    foreign || mapped || views.iter().any(|view| view.deletion_vector_descriptor().is_some())
}

async fn fallback(log: &TableLog, state: &DeltaTableState) -> Result<Arc<dyn TableProvider>> {
    let mut table = DeltaTable::new(log.log_store().clone());
    table.state = Some(state.clone());
    let provider = table
        .table_provider()
        .await
        .map_err(|error| CatalogError::Unsupported { table: log.label().into(), reason: error.to_string() })?;
    Ok(provider)
}
