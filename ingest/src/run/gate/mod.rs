//! Which rows of a batch are loaded: typed, checked, and the first with their key.

mod judging;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use xiangyun_engine::catalog::TableDef;

use super::error::RunError;
use crate::check::{
    CheckContext, ColumnPlan, CompiledCheck, Duplicated, FILE_COLUMN, Failure, Finding, Gathered, LINE_COLUMN, Places,
    apply_written, compile, gather, implied, plan_columns, type_columns,
};
use crate::pipeline::{Duplicates, OnFail, PipelineDef, nullable_schema};
use crate::source::RAW_LIMIT_BYTES;
use crate::source::text::truncated;
pub(super) use judging::Judging;

/// Bytes of a rejected row as JSON: room for the longest row whatever has to be escaped in it.
const JSON_LIMIT_BYTES: usize = 6 * RAW_LIMIT_BYTES;

/// Decides row by row. It remembers the keys of all rows it let through, unless duplicates are kept.
#[derive(Debug)]
pub(super) struct Gate {
    columns: Vec<ColumnPlan>,
    /// The table's columns, all nullable: rows that miss a value are still among them.
    open_schema: SchemaRef,
    schema: SchemaRef,
    checks: Vec<CompiledCheck>,
    /// None where rows are not compared.
    duplicated: Option<Duplicated>,
    duplicates: Duplicates,
    /// What the checks of the load as a whole gather, in their order.
    gathered: Vec<Gathered>,
}

/// What became of a batch: every row is in `kept` or `rejected` or counted in `duplicates`, and in one of them only.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Rows of the batch.
    pub(super) rows: u64,
    pub(super) kept: RecordBatch,
    /// Where the kept rows stand.
    pub(super) places: Places,
    pub(super) rejected: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    pub(super) duplicates: u64,
}

impl Gate {
    /// Prepares the checks of `pipeline` for rows of the schema `rows`.
    pub(super) fn try_new(
        pipeline: &PipelineDef,
        table: &TableDef,
        rows: &Schema,
        context: &mut CheckContext,
    ) -> Result<Self, RunError> {
        let exact = pipeline.transform.is_some();
        let inputs =
            table.columns.iter().map(|column| (column.name.clone(), pipeline.input_of(&column.name).to_owned()));
        let mut columns = plan_columns(table, &inputs.collect(), rows, exact).map_err(|faults| RunError::Columns {
            pipeline: pipeline.name.clone(),
            table: table.name.to_string(),
            faults,
        })?;
        apply_written(&mut columns, pipeline, table).map_err(|(column, (_, message, hint))| RunError::Written {
            pipeline: pipeline.name.clone(),
            column,
            message,
            hint,
        })?;
        let open_schema = nullable_schema(table);
        let mut checks = Vec::new();
        for (index, check) in pipeline.checks.iter().chain(&implied(table, &pipeline.checks)).enumerate() {
            checks.push(compile(check, table, &open_schema, context).map_err(|fault| RunError::Check {
                pipeline: pipeline.name.clone(),
                number: index + 1,
                message: fault.message,
                hint: fault.hint,
            })?);
        }
        let key = match &table.primary_key[..] {
            [] => (0..table.columns.len()).collect(),
            names => names.iter().filter_map(|name| open_schema.index_of(name).ok()).collect(),
        };
        let duplicates = pipeline.mode.duplicates(pipeline.duplicates);
        let compares = duplicates != Duplicates::Keep;
        let duplicated = compares.then(|| Duplicated::try_new(&open_schema, key)).transpose().map_err(unchecked)?;
        let mut gathered = Vec::with_capacity(pipeline.batch.len());
        for (index, check) in pipeline.batch.iter().enumerate() {
            gathered.push(gather(check, table).map_err(|(message, hint)| RunError::BatchCheck {
                pipeline: pipeline.name.clone(),
                number: index + 1,
                message,
                hint,
            })?);
        }
        let schema = table.arrow_schema();
        Ok(Self { columns, open_schema, schema, checks, duplicated, duplicates, gathered })
    }

    /// What was gathered of all batches.
    pub(super) fn into_gathered(self) -> Vec<Gathered> {
        self.gathered
    }

    /// Judges the rows of one batch.
    ///
    /// # Errors
    /// [`RunError::Stopped`] for the first row that a check with `on_fail = "stop"` does not let pass.
    pub(super) fn judge(&mut self, rows: &RecordBatch) -> Result<Verdict, RunError> {
        let places = Places::take(rows);
        let typed = type_columns(rows, &self.columns, &self.open_schema).map_err(unchecked)?;
        // One rejection a row, however much is wrong with it: the first reason, and what else was found in words.
        let mut rejected: BTreeMap<usize, Failure> = BTreeMap::new();
        let mut warned = Vec::new();
        typed.failures.into_iter().for_each(|failure| reject(&mut rejected, failure));
        for check in &mut self.checks {
            let failures = check.failures(&typed.batch, &|row| rejected.contains_key(&row));
            for failure in failures.map_err(|error| RunError::Evaluate { source: error.into() })? {
                match check.on_fail {
                    OnFail::Reject => reject(&mut rejected, failure),
                    OnFail::Warn => warned.push(failure),
                    OnFail::Stop => {
                        let place = places.of(failure.row);
                        let file = place.as_ref().map(|place| place.file.to_string());
                        return Err(RunError::Stopped {
                            file,
                            line: place.map(|place| place.line),
                            message: failure.message,
                        });
                    }
                }
            }
        }
        let passed: BooleanArray = (0..rows.num_rows()).map(|row| Some(!rejected.contains_key(&row))).collect();
        let repeated = match &mut self.duplicated {
            Some(duplicated) => duplicated.of(&typed.batch, &passed).map_err(unchecked)?,
            None => BooleanArray::from(vec![false; rows.num_rows()]),
        };
        let mut left_out = 0;
        for row in (0..repeated.len()).filter(|row| repeated.value(*row)) {
            let failure = || Failure {
                row,
                column: None,
                rule: None,
                reason: "DUPLICATE".into(),
                message: "an earlier row of this load has the same key".into(),
            };
            match self.duplicates {
                Duplicates::Remove => left_out += 1,
                Duplicates::Warn => warned.push(failure()),
                Duplicates::Reject => reject(&mut rejected, failure()),
                Duplicates::Keep => {}
            }
        }
        let removes = self.duplicates == Duplicates::Remove;
        let kept: BooleanArray = (0..rows.num_rows())
            .map(|row| Some(!(rejected.contains_key(&row) || removes && repeated.value(row))))
            .collect();
        for gathered in &mut self.gathered {
            gathered.observe(&typed.batch, &kept, places.files()).map_err(unchecked)?;
        }
        warned.retain(|failure| kept.value(failure.row));
        let loaded = filter_record_batch(&typed.batch, &kept).map_err(unchecked)?;
        let loaded = RecordBatch::try_new(Arc::clone(&self.schema), loaded.columns().to_vec()).map_err(unchecked)?;
        let as_found = |failures: Vec<Failure>| -> Result<Vec<Finding>, RunError> {
            let shown = RowText::try_new(rows).map_err(unchecked)?;
            let findings = failures.into_iter().map(|failure| Finding {
                place: places.of(failure.row),
                column: failure.column,
                rule: failure.rule,
                reason: failure.reason,
                message: failure.message,
                raw: shown.of(failure.row),
            });
            Ok(findings.collect())
        };
        Ok(Verdict {
            rows: rows.num_rows() as u64,
            kept: loaded,
            places: places.filtered(&kept).map_err(unchecked)?,
            rejected: as_found(rejected.into_values().collect())?,
            warnings: as_found(warned)?,
            duplicates: left_out,
        })
    }
}

fn unchecked(error: ArrowError) -> RunError {
    RunError::Evaluate { source: DataFusionError::from(error).into() }
}

fn reject(rejected: &mut BTreeMap<usize, Failure>, failure: Failure) {
    match rejected.entry(failure.row) {
        Entry::Vacant(entry) => {
            entry.insert(failure);
        }
        Entry::Occupied(mut entry) => {
            let first = entry.get_mut();
            first.message.push_str("; ");
            first.message.push_str(&failure.message);
        }
    }
}

/// A row as the source gave it, as one JSON object of texts.
struct RowText<'a> {
    columns: Vec<(String, ArrayFormatter<'a>, &'a dyn Array)>,
}

impl<'a> RowText<'a> {
    fn try_new(rows: &'a RecordBatch) -> Result<Self, ArrowError> {
        static OPTIONS: std::sync::LazyLock<FormatOptions<'static>> = std::sync::LazyLock::new(FormatOptions::default);
        let schema = rows.schema();
        let mut columns = Vec::new();
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            if field.name() != FILE_COLUMN && field.name() != LINE_COLUMN {
                columns.push((field.name().clone(), ArrayFormatter::try_new(column, &OPTIONS)?, column.as_ref()));
            }
        }
        Ok(Self { columns })
    }

    fn of(&self, row: usize) -> String {
        let value = |(name, formatter, column): &(String, ArrayFormatter<'_>, &dyn Array)| {
            let value = column.is_valid(row).then(|| formatter.value(row).to_string());
            (name.clone(), value.map_or(serde_json::Value::Null, serde_json::Value::String))
        };
        let object: serde_json::Map<_, _> = self.columns.iter().map(value).collect();
        truncated(&serde_json::Value::Object(object).to_string(), JSON_LIMIT_BYTES).to_owned()
    }
}

#[cfg(test)]
mod tests;
