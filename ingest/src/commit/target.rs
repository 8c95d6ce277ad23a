//! Where rows go: a declared table, or one of the lake's own logs.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::catalog::{FILE_COLUMN, OptimizeDef, RUN_COLUMN, TableDef, TableLog, with_provenance};
use xiangyun_engine::semantic::RollupSummary;
use xiangyun_engine::storage::Storage;

/// Each run adds a file or two to the lake's own logs, which are read less often than tables.
const INTERNAL_MIN_FILES: u32 = 32;

/// A Delta table with the shape that its rows have.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) log: TableLog,
    /// As the log has it, the hidden columns included.
    pub(crate) schema: SchemaRef,
    pub(crate) partition_by: Vec<String>,
    pub(crate) sort_by: Vec<String>,
    pub(crate) description: String,
    /// Columns with a Bloom filter.
    pub(crate) lookup: Vec<String>,
    pub(crate) optimize: OptimizeDef,
    /// Whether a commit may give the table other columns: it brings all of its rows.
    pub(crate) is_made_anew: bool,
}

impl Target {
    pub(crate) fn of_table(storage: &Storage, def: &TableDef) -> Self {
        Self {
            log: TableLog::of_table(storage, &def.name),
            schema: with_provenance(&def.arrow_schema()),
            partition_by: def.partition_by.clone(),
            sort_by: def.sort_by.clone(),
            description: format!("{} / {}", def.title.zh, def.title.en),
            lookup: def.columns.iter().filter(|column| column.lookup).map(|column| column.name.clone()).collect(),
            optimize: def.optimize.clone(),
            is_made_anew: false,
        }
    }

    /// The same table as its log has it, for a change that is no matter of the contract.
    pub(super) fn as_logged(&self, state: &DeltaTableState) -> Self {
        let fields = state.snapshot().arrow_schema();
        let plain = fields.fields().iter();
        let plain = plain.map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()));
        let schema = Arc::new(Schema::new(plain.collect::<Vec<_>>()));
        let partition_by = state.metadata().partition_columns().iter().map(Into::into).collect();
        let is_there = |name: &&String| schema.column_with_name(name).is_some();
        let sort_by = self.sort_by.iter().filter(is_there).cloned().collect();
        let lookup = self.lookup.iter().filter(is_there).cloned().collect();
        Self { schema, partition_by, sort_by, lookup, ..self.clone() }
    }

    /// As rows are held in memory: texts of the hidden columns, of which there are few, once and not in every row.
    pub(super) fn held_schema(&self) -> SchemaRef {
        let held = |field: &FieldRef| {
            if ![RUN_COLUMN, FILE_COLUMN].contains(&field.name().as_str()) {
                return Arc::clone(field);
            }
            let encoded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(encoded))
        };
        Arc::new(Schema::new(self.schema.fields().iter().map(held).collect::<Vec<_>>()))
    }

    /// `name` is `quarantine` or `runs`.
    pub(crate) fn internal(storage: &Storage, name: &str, schema: SchemaRef) -> Self {
        Self {
            log: TableLog::internal(storage, name),
            schema,
            partition_by: Vec::new(),
            sort_by: Vec::new(),
            description: format!("Xiangyun's {name}"),
            lookup: Vec::new(),
            optimize: OptimizeDef { min_files: INTERNAL_MIN_FILES, ..OptimizeDef::default() },
            is_made_anew: false,
        }
    }

    /// The table of a rollup; `is_made_anew` where a commit brings all of its rows.
    pub(super) fn rollup(storage: &Storage, rollup: &RollupSummary, is_made_anew: bool) -> Self {
        Self {
            log: TableLog::of_rollup(storage, &rollup.name),
            schema: Arc::clone(&rollup.schema),
            partition_by: Vec::new(),
            sort_by: rollup.sort_by.clone(),
            description: format!("Xiangyun's rollup {}", rollup.name),
            lookup: Vec::new(),
            optimize: OptimizeDef::default(),
            is_made_anew,
        }
    }

    /// A `WRITE` to this table, as its log tells of it.
    pub(super) fn write_operation(&self, mode: SaveMode) -> DeltaOperation {
        let partition_by = (!self.partition_by.is_empty()).then(|| self.partition_by.clone());
        DeltaOperation::Write { mode, partition_by, predicate: None }
    }

    pub(crate) fn label(&self) -> &str {
        self.log.label()
    }
}
