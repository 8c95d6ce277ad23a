//! What a run makes of columns that are not those they were: the source's rows brought into one shape, and the
//! contract of the rows, which grows where the pipeline lets it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use xiangyun_engine::catalog::{ColumnDef, ColumnType, PROVENANCE_COLUMNS, RunSource, TableDef};
use xiangyun_engine::{ErrorKind, Result};

use super::Run;
use super::error::RunError;
use super::files::standing;
use crate::pipeline::{PipelineDef, SchemaPolicy};
use crate::source::{Batches, Drift, Footers, PartialColumn, Source, SourceBatch, SourceError};

/// Columns that a table may grow to: beyond, a file is taken for damaged.
const GROWN_COLUMNS: usize = 2_000;
/// Names that a note lists.
const NAMES_TOLD: usize = 20;

/// A source in the shape that the run reads it in.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) source: Arc<dyn Source>,
    /// The contract, with the columns that the source adds.
    pub(super) table: Arc<TableDef>,
    pub(super) notes: Vec<String>,
}

impl Run<'_> {
    /// Brings the source's columns into the shape that the pipeline declares, or says why they have none.
    pub(super) async fn shape(&self, table: Arc<TableDef>, source: Arc<dyn Source>) -> Result<Shape> {
        let mut shape = shape(&self.pipeline, table, source)?;
        if self.pipeline.schema.is_some() && self.replay.is_none() && self.pushed.is_none() {
            self.since_last_load(&mut shape).await?;
        }
        self.tell_growth(&mut shape).await?;
        Ok(shape)
    }

    /// Compares the columns with those of the pipeline's last load.
    async fn since_last_load(&self, shape: &mut Shape) -> Result<()> {
        let (past, _) = self.committer.past_loads(&shape.table).await?;
        let loads = standing(&past, &self.pipeline.name);
        let Some(last) = loads.iter().rfind(|load| !load.columns.is_empty()) else { return Ok(()) };
        let present = names(&shape.source.schema());
        let less = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|name| !those.contains(name)).cloned().collect()
        };
        for (columns, what) in [(less(&present, &last.columns), "new"), (less(&last.columns, &present), "gone")] {
            if columns.is_empty() {
                continue;
            }
            let change = format!("{} since run {}: {}", what, last.run_id, listed(&columns));
            if self.pipeline.schema == Some(SchemaPolicy::Stop) {
                return Err(stopped(&self.pipeline, change).into());
            }
            shape.notes.push(format!("columns of the source are {change}"));
        }
        Ok(())
    }

    /// Names the columns that the table does not have yet.
    async fn tell_growth(&self, shape: &mut Shape) -> Result<()> {
        let stored = match self.engine.catalog().pin(&shape.table.name).await {
            Ok(pinned) => pinned.provider.schema(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let is_new = |column: &&ColumnDef| stored.column_with_name(&column.name).is_none();
        let added: Vec<String> = shape.table.columns.iter().filter(is_new).map(|column| column.name.clone()).collect();
        if !added.is_empty() {
            shape.notes.push(format!("columns are added to the table: {}", listed(&added)));
        }
        Ok(())
    }
}

/// The shape as far as pipeline, contract and source tell it.
fn shape(pipeline: &PipelineDef, table: Arc<TableDef>, source: Arc<dyn Source>) -> Result<Shape, RunError> {
    let mut notes = Vec::new();
    tell_files(pipeline, &source.drift(), &mut notes)?;
    let source = renamed(pipeline, source, &mut notes)?;
    let lenient = matches!(pipeline.schema, Some(SchemaPolicy::Evolve | SchemaPolicy::Freeze));
    if !lenient || pipeline.transform.is_some() {
        return Ok(Shape { source, table, notes });
    }
    let source = with_missing(pipeline, &table, source, &mut notes)?;
    let table = grown(pipeline, table, &source.schema(), &mut notes)?;
    Ok(Shape { source, table, notes })
}

/// Whether files may differ as they do.
fn tell_files(pipeline: &PipelineDef, drift: &Drift, notes: &mut Vec<String>) -> Result<(), RunError> {
    let refuses = matches!(pipeline.schema, None | Some(SchemaPolicy::Stop));
    let is_renamed = |name: &str| pipeline.renamed.iter().any(|(new, old)| new == name || old == name);
    for column in &drift.partial {
        let (name, with, without) = (&column.name, &column.first_with, &column.first_without);
        if refuses && !is_renamed(name) {
            return Err(stopped(pipeline, format!("`{with}` has a column `{name}` and `{without}` has none")));
        }
    }
    if let (true, Some(column)) = (refuses, drift.widened.first()) {
        let (name, file, from) = (&column.name, &column.file, &column.from);
        return Err(stopped(pipeline, format!("column `{name}` of `{file}` is not {from} as in the files before it")));
    }
    // Of columns that came or went together one note is enough.
    let mut told: Vec<(&PartialColumn, Vec<String>)> = Vec::new();
    for column in &drift.partial {
        match told.iter_mut().find(|(first, _)| first.present == column.present) {
            Some((_, names)) => names.push(column.name.clone()),
            None => told.push((column, vec![column.name.clone()])),
        }
    }
    for (column, names) in told.iter().take(NAMES_TOLD) {
        let (count, all, names) = (column.count(), drift.files, listed(names));
        let (with, without) = (&column.first_with, &column.first_without);
        notes.push(format!(
            "{count} of {all} files have these columns, `{with}` the first, and `{without}` is the first without: {names}"
        ));
    }
    if told.len() > NAMES_TOLD {
        notes.push(format!("files differ in {} more sets of columns", told.len() - NAMES_TOLD));
    }
    for column in drift.widened.iter().take(NAMES_TOLD) {
        let (name, from, to, file) = (&column.name, &column.from, &column.to, &column.file);
        notes.push(format!("column `{name}` is {from} and, from `{file}` on, not any more: it is read as {to}"));
    }
    Ok(())
}

/// The source with declared columns under one name.
fn renamed(
    pipeline: &PipelineDef,
    source: Arc<dyn Source>,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Source>, RunError> {
    let (schema, drift) = (source.schema(), source.drift());
    let mut steps: Vec<Step> =
        schema.fields().iter().enumerate().map(|(index, field)| Step::take(index, field)).collect();
    let mut gone = HashSet::new();
    for (new, old) in &pipeline.renamed {
        let Ok(from) = schema.index_of(old) else { continue };
        notes.push(format!("column `{old}` is read as `{new}`"));
        let Ok(to) = schema.index_of(new) else {
            steps[from].name.clone_from(new);
            continue;
        };
        let meet = match (drift.partial(new), drift.partial(old)) {
            (Some(new), Some(old)) => new.meets(old),
            _ => true,
        };
        if meet {
            let change = format!("a file has both `{old}` and `{new}`, and `{old}` is declared as the earlier name");
            return Err(stopped(pipeline, change));
        }
        let types = (schema.field(to).data_type(), schema.field(from).data_type());
        if types.0 != types.1 {
            return Err(stopped(pipeline, format!("`{new}` is {} and `{old}` is {}", types.0, types.1)));
        }
        steps[to].or = Some(from);
        gone.insert(from);
    }
    if gone.is_empty() && steps.iter().zip(schema.fields()).all(|(step, field)| step.name == *field.name()) {
        return Ok(source);
    }
    let steps: Vec<Step> =
        steps.into_iter().enumerate().filter(|(index, _)| !gone.contains(index)).map(|(_, step)| step).collect();
    Ok(Arc::new(Shaped::new(source, steps)))
}

/// The source with columns of missing values in the place of those that the contract lets be missing.
fn with_missing(
    pipeline: &PipelineDef,
    table: &TableDef,
    source: Arc<dyn Source>,
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Source>, RunError> {
    let (schema, drift) = (source.schema(), source.drift());
    let input = |column: &ColumnDef| pipeline.input_of(&column.name).to_owned();
    // A file has a column under its present name or an earlier one.
    let is_whole = |input: &str| {
        let old = pipeline.renamed.get(input).and_then(|old| drift.partial(old));
        drift.partial(input).is_none_or(|new| new.count() + old.map_or(0, |old| old.count()) == drift.files)
    };
    let mut absent: Vec<String> = Vec::new();
    for column in &pipeline.mode.contract_of_rows(table).columns {
        let input = input(column);
        if schema.index_of(&input).is_err() {
            // Without it, the rows' check says what is there.
            if column.nullable && !absent.contains(&input) {
                absent.push(input);
            }
        } else if let Some(partial) = drift.partial(&input)
            && !column.nullable
            && !is_whole(&input)
        {
            let (without, name) = (&partial.first_without, &column.name);
            let change = format!("`{without}` has no column `{input}`, and `{name}` may not be missing");
            return Err(stopped(pipeline, change));
        }
    }
    let is_there = |column: &ColumnDef| schema.index_of(&input(column)).is_ok();
    if absent.is_empty() || !table.columns.iter().any(is_there) {
        return Ok(source);
    }
    notes.push(format!("no file has these columns, which have no values: {}", listed(&absent)));
    let taken = schema.fields().iter().enumerate().map(|(index, field)| Step::take(index, field));
    Ok(Arc::new(Shaped::new(Arc::clone(&source), taken.chain(absent.into_iter().map(Step::missing)).collect())))
}

/// The contract with the columns that it does not have, or a note that they are left out.
fn grown(
    pipeline: &PipelineDef,
    table: Arc<TableDef>,
    schema: &Schema,
    notes: &mut Vec<String>,
) -> Result<Arc<TableDef>, RunError> {
    let used: HashSet<&str> = table.columns.iter().map(|column| pipeline.input_of(&column.name)).collect();
    let unknown: Vec<&Field> =
        schema.fields().iter().map(AsRef::as_ref).filter(|field| !used.contains(field.name().as_str())).collect();
    if unknown.is_empty() {
        return Ok(table);
    }
    let (mut added, mut left_out) = (Vec::new(), Vec::new());
    for field in unknown {
        match column_type(field.data_type()) {
            Some(column_type)
                if pipeline.schema == Some(SchemaPolicy::Evolve) && is_free(&table, &added, field.name()) =>
            {
                added.push(column(field.name(), column_type));
            }
            _ => left_out.push(field.name().clone()),
        }
    }
    if !left_out.is_empty() {
        notes.push(format!("columns that the contract does not have are left out: {}", listed(&left_out)));
    }
    if table.columns.len() + added.len() > GROWN_COLUMNS {
        let change = format!("the table would grow by {} columns to more than {GROWN_COLUMNS}", added.len());
        return Err(stopped(pipeline, change));
    }
    if !added.is_empty() {
        let names: Vec<String> = added.iter().map(|column| column.name.clone()).collect();
        notes.push(format!("columns that the contract does not have are kept: {}", listed(&names)));
    }
    let columns = table.columns.iter().cloned().chain(added).collect();
    Ok(Arc::new(TableDef { columns, ..TableDef::clone(&table) }))
}

/// Whether a table can have a column of that name beside its own. Names that differ in case only cannot be told apart
/// by other readers, and these characters mean something in a Parquet schema or a partition's folder.
fn is_free(table: &TableDef, added: &[ColumnDef], name: &str) -> bool {
    let is_same = |column: &ColumnDef| column.name.to_lowercase() == name.to_lowercase();
    let reserved = PROVENANCE_COLUMNS.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
    let is_plain = !name.is_empty() && !name.contains(|c: char| c.is_control() || " ,;{}()=\"".contains(c));
    is_plain && !reserved && name.len() <= 255 && !table.columns.iter().chain(added).any(is_same)
}

fn column(name: &str, column_type: ColumnType) -> ColumnDef {
    ColumnDef {
        name: name.into(),
        column_type,
        nullable: true,
        title: None,
        description: None,
        unit: None,
        level: None,
        code_list: None,
        lookup: false,
    }
}

/// The contract's type of a typed source's column.
fn column_type(data_type: &DataType) -> Option<ColumnType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => ColumnType::Text,
        DataType::Dictionary(_, values) => column_type(values)?,
        DataType::UInt64 => ColumnType::Decimal { precision: 20, scale: 0 },
        whole if whole.is_integer() => ColumnType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Float64,
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::Decimal128(precision, scale) => {
            ColumnType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        _ => return None,
    })
}

fn stopped(pipeline: &PipelineDef, change: String) -> RunError {
    let hint = match pipeline.schema {
        None | Some(SchemaPolicy::Stop) => {
            "set `schema = \"evolve\"` or `\"freeze\"` in the pipeline, or declare `renamed`, once the change is known to \
             be meant"
        }
        _ => "let the column be nullable in the contract, or declare `renamed` in the pipeline",
    };
    RunError::Drift { pipeline: pipeline.name.clone(), change, hint: hint.into() }
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// The first names in quotes, and how many more there are.
fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(NAMES_TOLD).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_TOLD {
        text.push_str(&format!(" and {} more", names.len() - NAMES_TOLD));
    }
    text
}

/// How a column of a shaped source is made.
#[derive(Debug, Clone)]
struct Step {
    name: String,
    data_type: DataType,
    /// None for missing values.
    from: Option<usize>,
    /// The column that is taken where a file does not have the first.
    or: Option<usize>,
}

impl Step {
    fn take(index: usize, field: &Field) -> Self {
        Self { name: field.name().clone(), data_type: field.data_type().clone(), from: Some(index), or: None }
    }

    fn missing(name: String) -> Self {
        Self { name, data_type: DataType::Utf8, from: None, or: None }
    }

    fn column(&self, batch: &RecordBatch) -> ArrayRef {
        let Some(from) = self.from else { return new_null_array(&self.data_type, batch.num_rows()) };
        let column = batch.column(from);
        // A batch is of one file, and no file has both.
        match self.or.map(|or| batch.column(or)) {
            Some(or) if column.null_count() == column.len() => Arc::clone(or),
            _ => Arc::clone(column),
        }
    }
}

/// A source whose columns are made of another's.
#[derive(Debug)]
struct Shaped {
    source: Arc<dyn Source>,
    steps: Arc<Vec<Step>>,
    schema: SchemaRef,
}

impl Shaped {
    fn new(source: Arc<dyn Source>, steps: Vec<Step>) -> Self {
        let fields = steps.iter().map(|step| Field::new(&step.name, step.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { source, steps: Arc::new(steps), schema }
    }

    fn shaped(&self, batches: Batches) -> Batches {
        let (steps, schema) = (Arc::clone(&self.steps), Arc::clone(&self.schema));
        Box::new(batches.map(move |rows| {
            let rows = rows?;
            let columns = steps.iter().map(|step| step.column(&rows.batch)).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows.batch.num_rows()));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
                .expect("each column is one of the batch, or made for its rows");
            Ok(SourceBatch { batch, ..rows })
        }))
    }
}

impl Source for Shaped {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn files(&self) -> &[RunSource] {
        self.source.files()
    }

    fn hashed_files(&self, wanted: &(dyn Fn(&RunSource) -> bool + Sync)) -> Result<Vec<RunSource>, SourceError> {
        self.source.hashed_files(wanted)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        Ok(self.shaped(self.source.batches()?))
    }

    fn batches_of(&self, paths: &Arc<HashSet<String>>) -> Result<Batches, SourceError> {
        Ok(self.shaped(self.source.batches_of(paths)?))
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }

    fn footers(&self) -> Footers {
        self.source.footers()
    }

    fn drift(&self) -> Drift {
        self.source.drift()
    }
}
