//! Record batches to Parquet files that no reader sees yet.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL64_MAX_PRECISION, DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use deltalake::kernel::Add;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use tokio::task::JoinSet;
use uuid::Uuid;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{LINE_COLUMN, PROVENANCE_COLUMNS, SORTED_BY_TAG, STATISTICS_TEXT_CHARS, TableDef};
use xiangyun_engine::storage::{Storage, StorageError};

use super::encode::{FileEncoder, ROW_GROUP_ROWS};
use super::error::CommitError;
use super::partition::{PartitionKey, folders, split};
use super::sorted::Sorted;
use super::spool::SpooledRows;
use super::statistics::Statistics;
use super::streaming::Encoder;
use super::target::Target;

/// How files are cut and written.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// Bytes of rows in memory that become one file where they have to be sorted or parted; Parquet makes them several
    /// times smaller. All partitions together hold no more than this.
    pub file_memory_bytes: usize,
    /// Bytes of a file whose rows are encoded as they come. It is in memory until it is whole.
    pub file_bytes: usize,
    /// Files that are encoded and written at the same time as rows are taken in.
    pub parallel_files: usize,
    /// Level of zstd.
    pub zstd_level: i32,
    /// Columns with a Bloom filter, for point lookups by codes that the sort order does not help.
    pub bloom_filter_columns: Vec<String>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            file_memory_bytes: 128 << 20,
            file_bytes: 32 << 20,
            parallel_files: std::thread::available_parallelism().map_or(2, usize::from).min(4),
            zstd_level: 1,
            bloom_filter_columns: Vec::new(),
        }
    }
}

impl WriterOptions {
    /// As the contract of `def` says.
    pub fn of_table(def: &TableDef) -> Self {
        let lookup = def.columns.iter().filter(|column| column.lookup);
        Self {
            zstd_level: def.optimize.zstd_level.into(),
            bloom_filter_columns: lookup.map(|column| column.name.clone()).collect(),
            ..Self::default()
        }
    }

    pub(super) fn of_target(target: &Target) -> Self {
        let (zstd_level, bloom_filter_columns) = (target.optimize.zstd_level.into(), target.lookup.clone());
        Self { zstd_level, bloom_filter_columns, ..Self::default() }
    }
}

/// Files that are written durably and that no commit names yet. Dropped without a commit they are orphans: no reader
/// sees them, and their names are never used again.
#[derive(Debug, Default)]
pub struct StagedFiles {
    pub(super) adds: Vec<Add>,
    /// In the place of files, where the commit first has to work out what the rows change.
    pub(super) spooled: Option<SpooledRows>,
    rows: u64,
    size_bytes: u64,
}

impl StagedFiles {
    /// Rows that are kept until the commit has worked out what they change.
    pub(super) fn of_spooled(rows: SpooledRows) -> Self {
        Self { rows: rows.rows(), spooled: Some(rows), ..Self::default() }
    }

    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Number of files.
    pub fn files(&self) -> usize {
        self.adds.len()
    }
}

/// Writes record batches as Parquet files of one table: partitioned and, within each file, sorted as its contract
/// says. Memory is bounded by [`WriterOptions::file_memory_bytes`] times the files in flight, however many rows come; of
/// rows that need neither, only the encoded files are held.
#[derive(Debug)]
pub struct TableWriter {
    pub(super) job: Arc<FileJob>,
    buffers: HashMap<PartitionKey, Buffer>,
    buffered_bytes: usize,
    /// Of files whose rows are encoded as they come.
    pub(super) encoders: Vec<Option<Encoder>>,
    pub(super) running: JoinSet<Result<Vec<Add>>>,
    pub(super) staged: StagedFiles,
}

#[derive(Debug, Default)]
struct Buffer {
    batches: Vec<RecordBatch>,
    bytes: usize,
}

/// What every file of one writer shares.
#[derive(Debug)]
pub(super) struct FileJob {
    storage: Storage,
    pub(super) target: Target,
    /// The rows as they are held in memory.
    schema: SchemaRef,
    /// Without the partition columns: their values are in the log.
    pub(super) file_schema: SchemaRef,
    /// The same as readers see it.
    stored_schema: SchemaRef,
    pub(super) options: WriterOptions,
}

impl TableWriter {
    /// Writes files for `def`'s table.
    pub fn new(storage: &Storage, def: &TableDef, options: WriterOptions) -> Self {
        Self::for_target(storage, Target::of_table(storage, def), options)
    }

    pub(super) fn for_target(storage: &Storage, target: Target, options: WriterOptions) -> Self {
        Self {
            job: Arc::new(FileJob::new(storage, target, options)),
            buffers: HashMap::new(),
            buffered_bytes: 0,
            encoders: Vec::new(),
            running: JoinSet::new(),
            staged: StagedFiles::default(),
        }
    }

    /// Takes rows in. Columns are found by name and must have the contract's types; hidden ones may be missing.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = self.job.fit(&batch)?;
        self.staged.rows += batch.num_rows() as u64;
        if self.job.streams() {
            return self.stream(batch).await;
        }
        let parts = split(&batch, &self.job.target.partition_by).map_err(|error| self.job.schema_error(&error))?;
        for (key, part) in parts {
            let bytes = memory_size(&part);
            let buffer = self.buffers.entry(key).or_default();
            buffer.batches.push(part);
            buffer.bytes += bytes;
            self.buffered_bytes += bytes;
        }
        while self.buffered_bytes >= self.job.options.file_memory_bytes {
            self.flush_largest().await?;
        }
        Ok(())
    }

    /// Writes what is left and waits for all files: afterwards they are durable.
    pub async fn finish(mut self) -> Result<StagedFiles> {
        self.encoders.clear();
        while !self.buffers.is_empty() {
            self.flush_largest().await?;
        }
        while !self.running.is_empty() {
            self.join_one().await?;
        }
        // In the order in which they became ready, which their names have.
        self.staged.adds.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(self.staged)
    }

    async fn flush_largest(&mut self) -> Result<()> {
        let largest = self.buffers.iter().max_by_key(|(_, buffer)| buffer.bytes).map(|(key, _)| key.clone());
        let Some((key, buffer)) = largest.and_then(|key| self.buffers.remove_entry(&key)) else { return Ok(()) };
        self.buffered_bytes -= buffer.bytes;
        while self.running.len() >= self.job.options.parallel_files.max(1) {
            self.join_one().await?;
        }
        let job = self.job.clone();
        self.running.spawn(async move { Ok(vec![job.write_file(key, buffer.batches).await?]) });
        Ok(())
    }

    pub(super) async fn join_one(&mut self) -> Result<()> {
        let Some(joined) = self.running.join_next().await else { return Ok(()) };
        for add in joined.map_err(|error| self.job.encode_error(error))?? {
            self.staged.size_bytes += add.size.max(0) as u64;
            self.staged.adds.push(add);
        }
        Ok(())
    }
}

/// Bytes of the rows themselves: a slice of a large batch counts for its own rows only.
fn memory_size(batch: &RecordBatch) -> usize {
    let size = |column: &arrow::array::ArrayRef| {
        column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(size).sum::<usize>().max(1)
}

impl FileJob {
    pub(super) fn new(storage: &Storage, target: Target, options: WriterOptions) -> Self {
        let in_file = |schema: &Schema| {
            let fields = schema.fields().iter().filter(|field| !target.partition_by.contains(field.name()));
            Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
        };
        let schema = target.held_schema();
        let (file_schema, stored_schema) = (in_file(&schema), in_file(&target.schema));
        Self { storage: storage.clone(), target, schema, file_schema, stored_schema, options }
    }

    /// The columns of `rows`, which are the table's, that are in the files.
    pub(super) fn in_file(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let indices = self.file_schema.fields().iter().map(|field| self.schema.index_of(field.name()));
        rows.project(&indices.collect::<Result<Vec<_>, _>>()?)
    }

    /// `batch` with the table's columns in their order.
    pub(super) fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch, CommitError> {
        let error = |reason| CommitError::Schema { table: self.target.label().into(), reason };
        for field in batch.schema().fields() {
            if self.schema.column_with_name(field.name()).is_none() {
                return Err(error(format!("column `{}` is not in the contract", field.name())));
            }
        }
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            if PROVENANCE_COLUMNS.contains(&field.name().as_str()) {
                columns.push(self.hidden(batch, field)?);
                continue;
            }
            let Some(column) = batch.column_by_name(field.name()) else {
                return Err(error(format!("column `{}` is missing", field.name())));
            };
            if column.data_type() != field.data_type() {
                let (found, wanted) = (column.data_type(), field.data_type());
                return Err(error(format!("column `{}` is {found} and not {wanted}", field.name())));
            }
            if !field.is_nullable() && column.logical_null_count() > 0 {
                return Err(error(format!("column `{}` has missing values and may not", field.name())));
            }
            columns.push(column.clone());
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|source| self.schema_error(&source))
    }

    /// A hidden column as it is held: whoever writes rows that come from no file has none.
    fn hidden(&self, batch: &RecordBatch, field: &Field) -> Result<ArrayRef, CommitError> {
        match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
            Some(column) => cast(column, field.data_type()).map_err(|source| self.schema_error(&source)),
        }
    }

    fn schema_error(&self, error: &ArrowError) -> CommitError {
        let reason = match error {
            ArrowError::InvalidArgumentError(reason) | ArrowError::SchemaError(reason) => reason.clone(),
            other => other.to_string(),
        };
        CommitError::Schema { table: self.target.label().into(), reason }
    }

    pub(super) fn encode_error(&self, source: impl Into<xiangyun_engine::error::BoxError>) -> CommitError {
        CommitError::Encode { table: self.target.label().into(), source: source.into() }
    }

    async fn write_file(self: Arc<Self>, key: PartitionKey, batches: Vec<RecordBatch>) -> Result<Add> {
        let job = self.clone();
        let encoded = tokio::task::spawn_blocking(move || {
            let batches = batches.iter().map(|batch| job.in_file(batch)).collect::<Result<Vec<_>, _>>()?;
            match job.sort_columns() {
                names if names.is_empty() => job.encode(batches.into_iter().map(Ok)),
                names => job.encode(Sorted::try_new(&batches, &names)?),
            }
        });
        let encoded = encoded.await;
        self.store(key, encoded.map_err(|error| self.encode_error(error))?).await
    }

    /// Puts an encoded file where the log will say it is.
    pub(super) async fn store(
        &self,
        key: PartitionKey,
        encoded: Result<(Vec<u8>, String), xiangyun_engine::error::BoxError>,
    ) -> Result<Add> {
        let (bytes, statistics) = encoded.map_err(|error| self.encode_error(error))?;
        let columns = &self.target.partition_by;
        let relative = format!("{}part-{}.parquet", folders(columns, &key), Uuid::now_v7());
        let path =
            Path::parse(format!("{}/{relative}", self.target.log.path())).map_err(|error| self.encode_error(error))?;
        let size = bytes.len();
        self.storage.store.put(&path, PutPayload::from(bytes)).await.map_err(|error| {
            StorageError::explain(format!("writing a file of `{}`", self.target.label()), &self.storage.url, error)
        })?;
        let sorted_by = serde_json::Value::from(self.sort_columns()).to_string();
        Ok(Add {
            path: relative,
            partition_values: columns.iter().cloned().zip(key).collect(),
            size: size as i64,
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(statistics),
            tags: Some(HashMap::from([(SORTED_BY_TAG.to_string(), Some(sorted_by))])),
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        })
    }

    /// Sort columns that are in the files; a partition column is constant within each.
    pub(super) fn sort_columns(&self) -> Vec<String> {
        let in_file = |name: &&String| self.file_schema.column_with_name(name).is_some();
        self.target.sort_by.iter().filter(in_file).cloned().collect()
    }

    /// The bytes of a Parquet file of rows in the order in which they come, and its statistics for the log.
    pub(super) fn encode(
        &self,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<(Vec<u8>, String), xiangyun_engine::error::BoxError> {
        let mut bytes = Vec::new();
        let mut writer = self.parquet(&mut bytes)?;
        let mut statistics = Statistics::new(&self.file_schema);
        for batch in batches {
            let batch = batch?;
            statistics.push(&batch);
            writer.write(&batch)?;
        }
        let metadata = writer.close()?;
        Ok((bytes, statistics.close(&metadata)?))
    }

    /// A writer of Parquet into `bytes`.
    pub(super) fn parquet<'a>(
        &self,
        bytes: &'a mut Vec<u8>,
    ) -> Result<FileEncoder<&'a mut Vec<u8>>, xiangyun_engine::error::BoxError> {
        Ok(FileEncoder::new(bytes, &self.file_schema, self.properties()?)?)
    }

    fn properties(&self) -> Result<WriterProperties, xiangyun_engine::error::BoxError> {
        let names = self.sort_columns();
        let sorting = names.iter().map(|name| {
            let index = self.file_schema.index_of(name)?;
            Ok(SortingColumn { column_idx: i32::try_from(index)?, descending: false, nulls_first: false })
        });
        let sorting = sorting.collect::<Result<Vec<_>, xiangyun_engine::error::BoxError>>()?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(self.options.zstd_level)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Page)
            // As much of a text as the log says of it.
            .set_statistics_truncate_length(Some(STATISTICS_TEXT_CHARS * char::MAX.len_utf8()))
            .set_key_value_metadata(Some(vec![KeyValue::new(
                ARROW_SCHEMA_META_KEY.to_owned(),
                encode_arrow_schema(&self.stored_schema),
            )]))
            .set_created_by(format!("xiangyun version {}", env!("CARGO_PKG_VERSION")))
            .set_sorting_columns((!sorting.is_empty()).then_some(sorting));
        if self.schema.column_with_name(LINE_COLUMN).is_some() {
            // Lines hardly repeat, and mostly rise by one.
            let line = ColumnPath::from(LINE_COLUMN);
            properties = properties
                .set_column_dictionary_enabled(line.clone(), false)
                .set_column_encoding(line, Encoding::DELTA_BINARY_PACKED);
        }
        for field in self.file_schema.fields() {
            let column = ColumnPath::from(field.name().as_str());
            properties = match field.data_type() {
                // Run and file: one or a few for all rows. The log has their bounds, and comparing them row by row is dear.
                DataType::Dictionary(..) => properties.set_column_statistics_enabled(column, EnabledStatistics::None),
                // Sketches hardly repeat, and nobody looks for one.
                DataType::Binary => properties
                    .set_column_statistics_enabled(column.clone(), EnabledStatistics::None)
                    .set_column_dictionary_enabled(column, false),
                // What repeats is in a dictionary. Where that grows too large, differences of whole numbers take half the
                // bytes of the numbers themselves, and a reader unpacks them faster than it decompresses those.
                whole if is_whole_number(whole) => {
                    properties.set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
                }
                _ => properties,
            };
        }
        for name in &self.options.bloom_filter_columns {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(name.as_str()), true);
        }
        Ok(properties.build())
    }
}

/// Whether Parquet stores it as an integer of 32 or 64 bits.
fn is_whole_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(precision, _) => *precision <= DECIMAL64_MAX_PRECISION,
        DataType::Date32 | DataType::Timestamp(..) => true,
        other => other.is_integer(),
    }
}
