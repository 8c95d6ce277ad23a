//! Rollups: measures added up by dimensions and periods, kept in a table of their own and read in place of the source
//! where the answer is the same.
//!
//! A rollup is a model over its own table: its dimensions and its time are columns, and its measures merge what is kept.
//! So whatever a question makes of a model, it makes of a rollup too. What is kept, and by whom, is `ingest`'s part.

mod advise;
mod compile;
mod cover;
mod rows;
mod state;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::{Expr, LogicalPlan};

use self::state::State;
use super::model::Model;
use super::models::Models;
use super::region::Level;
use crate::catalog::TableName;

pub use advise::{AskedQuestion, RollupAdvice, RollupProposal, Tally};
pub(super) use compile::compile;
pub(super) use cover::{Needs, Shape};

/// A rollup whose parts exist and can be kept exactly.
#[derive(Debug)]
pub(super) struct Rollup {
    pub(super) name: String,
    /// The model that it belongs to.
    pub(super) model: usize,
    pub(super) shape: Shape,
    keys: Vec<KeptKey>,
    states: Vec<State>,
    /// The model that reads it.
    pub(super) rolled: Model,
    /// The tables that its dimensions look up.
    pub(super) joined: Vec<TableName>,
    /// The tables that it rests on: those of the model first.
    tables: Vec<TableName>,
    /// Whether rows that come to the first of the tables add to it and change nothing.
    adds_up: bool,
    /// The columns of its table.
    schema: SchemaRef,
    /// Tells this definition from every other.
    definition: [u8; 32],
}

/// A dimension that is kept.
#[derive(Debug)]
struct KeptKey {
    column: String,
    /// Over the source and its joins; the code where only a level of it is kept.
    expr: Expr,
    level: Option<Level>,
    /// As the model has it.
    data_type: DataType,
    /// As the table has it.
    stored: DataType,
}

/// What `ingest` keeps and the catalogue shows of a rollup.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RollupSummary {
    /// Name.
    pub name: String,
    /// The table or view of its model.
    pub table: TableName,
    /// The tables that it rests on, those of the model first.
    pub tables: Vec<TableName>,
    /// The tables that its dimensions look up.
    pub joined: Vec<TableName>,
    /// Whether rows that come to the first of the tables add to it and change nothing.
    pub adds_up: bool,
    /// Names as in `by`.
    pub dimensions: Vec<String>,
    /// The period that it is kept by.
    pub grain: Option<super::TimeGrain>,
    /// The measures that it keeps.
    pub measures: Vec<String>,
    /// The columns of its table.
    #[serde(skip)]
    pub schema: SchemaRef,
    /// By which rows are ordered in its files.
    #[serde(skip)]
    pub sort_by: Vec<String>,
    /// Tells this definition from every other.
    #[serde(skip)]
    pub definition: [u8; 32],
}

/// A rollup's table at hand.
#[derive(Debug, Clone)]
pub struct RollupTable {
    /// Name.
    pub name: String,
    /// Reads it.
    pub plan: LogicalPlan,
    /// Its rows, where they are known.
    pub rows: Option<u64>,
    /// Whether it stands for the very versions of its tables that the question reads, by today's definition.
    pub fresh: bool,
}

/// What a rollup had to do with an answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RollupUse {
    /// Name.
    pub name: String,
    /// What became of it.
    pub state: RollupState,
}

/// What became of a rollup that could have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RollupState {
    /// The answer was read from it.
    Used,
    /// It does not stand for the versions that the answer rests on, so that the source was read.
    Behind,
}

impl Rollup {
    fn summary(&self) -> RollupSummary {
        RollupSummary {
            name: self.name.clone(),
            table: self.rolled.table.clone(),
            tables: self.tables.clone(),
            joined: self.joined.clone(),
            adds_up: self.adds_up,
            dimensions: self.shape.dimensions.clone(),
            grain: self.shape.grain,
            measures: self.rolled.measures.keys().cloned().collect(),
            schema: Arc::clone(&self.schema),
            sort_by: self.sort_by(),
            definition: self.definition,
        }
    }

    fn sort_by(&self) -> Vec<String> {
        let time = self.rolled.time.iter().map(|time| time.name().to_owned());
        time.chain(self.keys.iter().map(|key| key.column.clone())).collect()
    }
}

impl Models {
    /// The rollups, in the order of their names.
    pub fn rollups(&self) -> Vec<RollupSummary> {
        let mut rollups: Vec<_> = self.rollups.values().map(Rollup::summary).collect();
        rollups.sort_by(|a, b| a.name.cmp(&b.name));
        rollups
    }

    /// The rollup called `name`.
    pub fn rollup(&self, name: &str) -> Option<RollupSummary> {
        self.rollups.get(name).map(Rollup::summary)
    }
}
