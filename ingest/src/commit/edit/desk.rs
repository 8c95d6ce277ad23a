//! Where an edit works out what it changes: a session of bounded memory over one version of a table.
//!
//! Joins sort and merge, so that they spill to disk where memory ends; what a plan gives is streamed into new files or
//! kept on the disk. Nothing grows with the table or with the load.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::SessionConfig;
use deltalake::kernel::{Action, Add};
use deltalake::table::state::DeltaTableState;
use futures::StreamExt;
use futures::stream::BoxStream;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{FILE_NUMBER_COLUMN, TableFiles, register_store};
use xiangyun_engine::scratch::Scratch;
use xiangyun_engine::storage::Storage;

use crate::commit::error::CommitError;
use crate::commit::spool::{SpoolWriter, SpooledRows};
use crate::commit::target::Target;
use crate::commit::writer::{TableWriter, WriterOptions};
use crate::failpoint;

/// Memory of all plans of all edits of a process at a time; what needs more goes to disk.
const MEMORY_BYTES: usize = 256 << 20;
/// Disk that they may use: an edit of a large table sorts its keys.
const SPILL_BYTES: u64 = 512 << 30;
/// A join in one partition is planned as a hash join, which cannot spill.
const PARTITIONS: usize = 2;
/// Rows that become one file. A file in the making holds its rows three times: as they came, joined, and sorted.
const FILE_BYTES: usize = 48 << 20;
/// Rows of a batch: wide rows of several sorts at once must fit into the memory.
const BATCH_ROWS: usize = 4096;

/// Memory, disk and the lake's store for the plans of edits.
pub(in crate::commit) fn runtime(storage: &Storage, scratch: &Scratch) -> Result<Arc<RuntimeEnv>> {
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![scratch.folder().into()]))
        .with_max_temp_directory_size(SPILL_BYTES);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY_BYTES)))
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(|error| CommitError::Spool { table: "the lake".into(), source: error.into() })?;
    register_store(storage, &runtime)?;
    Ok(runtime)
}

/// One version of a table, about to be edited. Plans know it as `held`.
pub(in crate::commit) struct Desk<'a> {
    target: &'a Target,
    runtime: &'a RuntimeEnv,
    session: SessionContext,
    /// None where the table does not exist yet.
    files: Option<TableFiles>,
    /// The table's columns: those it has, and those that the contract adds.
    whole: SchemaRef,
    /// SQL predicate of rows that count as gone.
    gone: Option<String>,
}

impl<'a> Desk<'a> {
    /// Rows for which the predicate `gone` holds are treated as if they were not in the table.
    pub(in crate::commit) fn open(
        target: &'a Target,
        runtime: &'a Arc<RuntimeEnv>,
        state: Option<&DeltaTableState>,
        gone: Option<&str>,
    ) -> Result<Self> {
        failpoint::hit("before_rewrite");
        let mut config = SessionConfig::new().with_target_partitions(PARTITIONS).with_batch_size(BATCH_ROWS);
        let options = config.options_mut();
        options.optimizer.prefer_hash_join = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        let session = SessionContext::new_with_config_rt(config, Arc::clone(runtime));
        let whole = whole_schema(target, state);
        let files = state.map(|state| TableFiles::try_new(&target.log, state, &whole)).transpose()?;
        Ok(Self { target, runtime, session, files, whole, gone: gone.map(str::to_owned) })
    }

    /// The table's columns, those that the contract no longer has included.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.whole.fields().iter().map(|field| field.name().as_str())
    }

    /// The same, quoted, for SELECT lists.
    pub(in crate::commit) fn columns(&self) -> String {
        list(self.names(), "")
    }

    /// Lets plans read spooled rows as `name`.
    pub(super) fn show(&self, name: &str, rows: &SpooledRows) -> Result<()> {
        let shown = rows.table().and_then(|table| {
            self.session.deregister_table(name)?;
            self.session.register_table(name, table)
        });
        shown.map(drop).map_err(|error| self.failed(error))
    }

    /// Lets plans read the rows of some files as `held` and, with those that count as gone, as `stored`.
    pub(in crate::commit) async fn hold(&self, numbers: &[usize]) -> Result<()> {
        let held = async {
            let table = match &self.files {
                Some(files) => files.table(numbers),
                None => {
                    let number = Field::new(FILE_NUMBER_COLUMN, DataType::Int64, false);
                    let fields = self.whole.fields().iter().cloned().chain([Arc::new(number)]).collect::<Vec<_>>();
                    Arc::new(EmptyTable::new(Arc::new(Schema::new(fields))))
                }
            };
            self.session.deregister_table("stored")?;
            self.session.register_table("stored", table)?;
            let left = match &self.gone {
                Some(gone) => format!("SELECT * FROM stored WHERE ({gone}) IS NOT TRUE"),
                None => "SELECT * FROM stored".into(),
            };
            let view = self.session.sql(&left).await?.into_view();
            self.session.deregister_table("held")?;
            self.session.register_table("held", view)?;
            Ok(())
        };
        held.await.map_err(|error| self.failed(error))
    }

    /// Shows as `held` the files that can hold a row with a key of `rows`, by the log's statistics.
    pub(super) async fn hold_near(&self, rows: &str, key: &[String]) -> Result<()> {
        let Some(files) = &self.files else { return self.hold(&[]).await };
        let bounds = key.iter().map(|name| format!("min(\"{name}\"), max(\"{name}\")")).collect::<Vec<_>>().join(", ");
        let found = self.collect(&format!("SELECT {bounds} FROM {rows}")).await?;
        let mut filters: Vec<Expr> = Vec::new();
        for batch in found.iter().filter(|batch| batch.num_rows() > 0) {
            for (index, name) in key.iter().enumerate() {
                let bound = |column: usize| ScalarValue::try_from_array(batch.column(column), 0);
                let (least, greatest) = (bound(2 * index), bound(2 * index + 1));
                let (least, greatest) =
                    (least.map_err(|error| self.failed(error))?, greatest.map_err(|error| self.failed(error))?);
                if least.is_null() {
                    return self.hold(&[]).await;
                }
                filters.push(ident(name).gt_eq(lit(least)).and(ident(name).lt_eq(lit(greatest))));
            }
        }
        self.hold(&files.may_hold(&filters, &self.session.state())?).await
    }

    /// Shows as `held` all files that a predicate does not rule out.
    pub(super) async fn hold_where(&self, filters: &[Expr]) -> Result<()> {
        let numbers = match &self.files {
            Some(files) => files.may_hold(filters, &self.session.state())?,
            None => Vec::new(),
        };
        self.hold(&numbers).await
    }

    /// The files, with how many rows of each, that `rows` gives as `(number, count)`.
    pub(super) async fn counts(&self, sql: &str) -> Result<Vec<(usize, u64)>> {
        let mut counts = Vec::new();
        for batch in self.collect(sql).await? {
            let (numbers, rows) =
                (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
            let pairs = numbers.iter().flatten().zip(rows.iter().flatten());
            counts.extend(pairs.filter_map(|(number, rows)| Some((usize::try_from(number).ok()?, rows.max(0) as u64))));
        }
        Ok(counts)
    }

    /// The one number that `sql` gives.
    pub(super) async fn count(&self, sql: &str) -> Result<u64> {
        let batches = self.collect(sql).await?;
        let batch = batches.iter().find(|batch| batch.num_rows() > 0);
        let value = batch.and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>().cloned());
        Ok(value.filter(|value| value.is_valid(0)).map_or(0, |value| value.value(0).max(0) as u64))
    }

    /// Small results only.
    async fn collect(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let collected = async { self.session.sql(sql).await?.collect().await };
        collected.await.map_err(|error| self.failed(error))
    }

    /// Keeps what `sql` gives on the disk and shows it as `name`.
    pub(super) async fn keep(&self, name: &str, sql: &str) -> Result<u64> {
        let frame = self.session.sql(sql).await.map_err(|error| self.failed(error))?;
        let schema = Schema::new(frame.schema().as_arrow().fields().clone());
        let mut writer = SpoolWriter::open(self.runtime, self.target.label(), &schema, false)?;
        let mut rows = frame.execute_stream().await.map_err(|error| self.failed(error))?;
        while let Some(batch) = rows.next().await {
            writer.write(&batch.map_err(|error| self.failed(error))?)?;
        }
        let kept = writer.finish()?;
        self.show(name, &kept)?;
        Ok(kept.rows())
    }

    /// The files of the counts, and those with rows that count as gone; with the number of the latter rows.
    pub(super) async fn with_gone(&self, counts: &[(usize, u64)], filters: &[Expr]) -> Result<(Vec<usize>, u64)> {
        let mut numbers: BTreeSet<usize> = counts.iter().map(|(number, _)| *number).collect();
        let Some(gone) = &self.gone else { return Ok((numbers.into_iter().collect(), 0)) };
        self.hold_where(filters).await?;
        let sql =
            format!("SELECT {FILE_NUMBER_COLUMN}, count(*) FROM stored WHERE {gone} GROUP BY {FILE_NUMBER_COLUMN}");
        let gone = self.counts(&sql).await?;
        numbers.extend(gone.iter().map(|(number, _)| *number));
        Ok((numbers.into_iter().collect(), gone.iter().map(|(_, rows)| rows).sum()))
    }

    /// Takes the files with these numbers out of the table and puts the rows that `queries` give in.
    pub(super) async fn rewrite(&self, numbers: &[usize], queries: &[String]) -> Result<Vec<Action>> {
        let target = Target { schema: self.whole.clone(), ..self.target.clone() };
        let options = WriterOptions::of_target(&target);
        let options = WriterOptions { file_memory_bytes: FILE_BYTES, parallel_files: 1, ..options };
        let mut writer = TableWriter::for_target(self.target.log.storage(), target, options);
        for sql in queries {
            let stream = async { self.session.sql(sql).await?.execute_stream().await };
            let mut rows = stream.await.map_err(|error| self.failed(error))?;
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(|error| self.failed(error))?;
                writer.write(aligned(&batch, &self.whole).map_err(|error| self.failed(error.into()))?).await?;
            }
        }
        let staged = writer.finish().await?;
        failpoint::hit("after_rewrite");
        let mut actions: Vec<Action> = self.removals(numbers).collect();
        actions.extend(staged.adds.into_iter().map(Action::Add));
        Ok(actions)
    }

    /// The rows that `sql` gives, in the table's columns.
    pub(in crate::commit) async fn stream(&self, sql: &str) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let stream = async { self.session.sql(sql).await?.execute_stream().await };
        let rows = stream.await.map_err(|error| self.failed(error))?;
        let (schema, label) = (self.whole.clone(), self.target.label().to_owned());
        let fit = move |batch: Result<RecordBatch, DataFusionError>| {
            let fitted = batch.and_then(|batch| Ok(aligned(&batch, &schema)?));
            fitted.map_err(|error| CommitError::Edit { table: label.clone(), source: error.into() }.into())
        };
        Ok(rows.map(fit).boxed())
    }

    /// The files of the version; none where the table does not exist.
    pub(in crate::commit) fn files(&self) -> Option<&TableFiles> {
        self.files.as_ref()
    }

    fn removals(&self, numbers: &[usize]) -> impl Iterator<Item = Action> {
        let views = numbers.iter().filter_map(|number| self.files.as_ref().and_then(|files| files.view(*number)));
        views.map(|view| Action::Remove(view.remove_action(true)))
    }

    fn failed(&self, error: DataFusionError) -> xiangyun_engine::Error {
        CommitError::Edit { table: self.target.label().into(), source: error.into() }.into()
    }
}

/// The table's columns as the log has them, and those that the contract has beyond.
fn whole_schema(target: &Target, state: Option<&DeltaTableState>) -> SchemaRef {
    let Some(state) = state else { return target.schema.clone() };
    let stored = state.snapshot().arrow_schema();
    let known = stored.fields().iter().map(|field| match target.schema.column_with_name(field.name()) {
        Some((index, _)) => target.schema.fields()[index].clone(),
        None => Arc::new(Field::new(field.name(), field.data_type().clone(), field.is_nullable())),
    });
    let added = target.schema.fields().iter().filter(|field| stored.column_with_name(field.name()).is_none());
    Arc::new(Schema::new(known.chain(added.cloned()).collect::<Vec<_>>()))
}

/// The rows in the table's columns; those that they lack are missing values.
fn aligned(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let fields = schema.fields().iter();
    // A column that a plan thinks can be missing may still be whole.
    let open = Schema::new(fields.clone().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(open), fields.map(column).collect())
}

/// Names in quotes, each behind `prefix`.
pub(in crate::commit) fn list<'n>(names: impl Iterator<Item = &'n str>, prefix: &str) -> String {
    names.map(|name| format!("{prefix}\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The condition that two relations' keys are the same.
pub(super) fn same(left: &str, right: &str, key: &[String]) -> String {
    key.iter().map(|name| format!("{left}.\"{name}\" = {right}.\"{name}\"")).collect::<Vec<_>>().join(" AND ")
}

/// Files as actions.
pub(super) fn added(adds: &[Add]) -> impl Iterator<Item = Action> {
    adds.iter().cloned().map(Action::Add)
}
