//! The groups of one partition, and the state of each function for each of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::utils::evaluate_expressions_to_arrays;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, aggregate_expressions};

use super::codes::Codes;
use super::key::Key;

/// Groups in the order in which they were seen first.
pub(super) struct Groups {
    /// Of the partial states: the key's columns, then each function's.
    schema: SchemaRef,
    first: Column,
    others: Vec<(Column, Pairs)>,
    functions: Vec<Function>,
    /// The codes of a batch's rows: of the key's columns so far, and of the next one.
    codes: Vec<u32>,
    next_codes: Vec<u32>,
    /// The group of each row of a batch.
    rows: Vec<usize>,
}

/// A column of the key.
struct Column {
    expr: Arc<dyn PhysicalExpr>,
    key: Key,
}

/// The pairs that were seen of the code of a key's first columns and that of the next one: each has a code of its own.
#[derive(Default)]
struct Pairs {
    codes: Codes,
    /// By code.
    pairs: Vec<(u32, u32)>,
}

struct Function {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    states: Box<dyn GroupsAccumulator>,
}

impl Groups {
    /// Of `aggregate`, which has a key.
    pub(super) fn new(aggregate: &AggregateExec) -> Result<Self> {
        let schema = aggregate.input_schema();
        let mut columns = Vec::new();
        for (expr, _) in aggregate.group_expr().expr() {
            columns.push(Column { expr: Arc::clone(expr), key: Key::new(expr.data_type(&schema)?) });
        }
        let mut columns = columns.into_iter();
        let Some(first) = columns.next() else {
            return datafusion::common::internal_err!("an aggregate without groups has no key");
        };
        let arguments = aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), 0)?;
        let filters = aggregate.filter_expr().iter().cloned();
        let functions = aggregate.aggr_expr().iter().zip(arguments).zip(filters);
        let functions = functions.map(|((function, arguments), filter)| {
            Ok(Function { arguments, filter, states: function.create_groups_accumulator()? })
        });
        Ok(Self {
            schema: aggregate.schema(),
            first,
            others: columns.map(|column| (column, Pairs::default())).collect(),
            functions: functions.collect::<Result<_>>()?,
            codes: Vec::new(),
            next_codes: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// Takes rows in.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.first.codes_of(batch, &mut self.codes)?;
        for (column, pairs) in &mut self.others {
            column.codes_of(batch, &mut self.next_codes)?;
            pairs.pair(&mut self.codes, &self.next_codes);
        }
        self.rows.clear();
        self.rows.extend(self.codes.iter().map(|code| *code as usize));
        let count = self.count();
        for function in &mut self.functions {
            function.update(batch, &self.rows, count)?;
        }
        Ok(())
    }

    /// Groups that were seen.
    pub(super) fn count(&self) -> usize {
        self.others.last().map_or_else(|| self.first.key.len(), |(_, pairs)| pairs.pairs.len())
    }

    /// Bytes that keys and states take.
    pub(super) fn bytes(&self) -> usize {
        let others = self.others.iter().map(|(column, pairs)| {
            column.key.bytes() + pairs.codes.bytes() + pairs.pairs.capacity() * size_of::<(u32, u32)>()
        });
        let states = self.functions.iter().map(|function| function.states.size());
        let codes = (self.codes.capacity() + self.next_codes.capacity()) * size_of::<u32>();
        let rows = self.rows.capacity() * size_of::<usize>();
        self.first.key.bytes() + others.sum::<usize>() + states.sum::<usize>() + codes + rows
    }

    /// The keys of all groups and the states of all functions, whose memory is given back.
    pub(super) fn states(&mut self) -> Result<RecordBatch> {
        // From the last column back to the first: a pair tells the code of the column, and that of those before it.
        let mut codes: Vec<u32> = (0..self.count() as u32).collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (column, pairs) in self.others.iter().rev() {
            columns.push(column.key.values(codes.iter().map(|code| pairs.pairs[*code as usize].1))?);
            for code in &mut codes {
                *code = pairs.pairs[*code as usize].0;
            }
        }
        columns.push(self.first.key.values(codes.into_iter())?);
        columns.reverse();
        for function in &mut self.functions {
            columns.extend(function.states.state(EmitTo::All)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Column {
    fn codes_of(&mut self, batch: &RecordBatch, codes: &mut Vec<u32>) -> Result<()> {
        let values = self.expr.evaluate(batch)?.into_array(batch.num_rows())?;
        self.key.codes_of(&values, codes)
    }
}

impl Pairs {
    /// Each code of `codes`, paired with the one of `next` in the same row, gives way to the pair's.
    fn pair(&mut self, codes: &mut [u32], next: &[u32]) {
        for (code, next) in codes.iter_mut().zip(next) {
            let pair = u128::from(*code) << 64 | u128::from(*next);
            *code = match self.codes.get(pair) {
                Some(known) => known,
                None => {
                    let new = self.pairs.len() as u32;
                    self.pairs.push((*code, *next));
                    self.codes.insert(pair, new);
                    new
                }
            };
        }
    }
}

impl Function {
    fn update(&mut self, batch: &RecordBatch, rows: &[usize], groups: usize) -> Result<()> {
        let arguments = evaluate_expressions_to_arrays(&self.arguments, batch)?;
        let filter = evaluate_expressions_to_arrays(&self.filter, batch)?;
        self.states.update_batch(&arguments, rows, filter.first().map(|filter| filter.as_boolean()), groups)
    }
}
