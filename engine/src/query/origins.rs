//! The files and lines that a figure is made of.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use datafusion::common::Result as PlanResult;
use datafusion::execution::context::SessionState;
use datafusion::functions_aggregate::expr_fn::{count, max, min, sum};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident, lit};
use futures::StreamExt;

use super::context::QueryContext;
use super::metrics::scan;
use super::result::TableVersion;
use super::scope::{Pins, Scope};
use super::traced::{ORIGIN_COLUMNS, traced_scan};
use super::translate::from_datafusion;
use crate::catalog::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::semantic::{MetricQuery, MetricSummary};

const TABLE: &str = ORIGIN_COLUMNS[0];
const RUN: &str = ORIGIN_COLUMNS[1];
const FILE: &str = ORIGIN_COLUMNS[2];
const LINE: &str = ORIGIN_COLUMNS[3];
const ROWS: &str = "_origin_rows";
/// Rows of one of the three results: far more than a page has, and nobody is told that there were more.
const MAX_RESULT: usize = 1 << 24;

/// Which of the lines are wanted.
#[derive(Debug, Clone, Copy)]
pub struct OriginPage {
    /// Lines before the first.
    pub offset: usize,
    /// Lines at the most.
    pub lines: usize,
    /// Files at the most; those with the most rows are kept.
    pub files: usize,
}

/// A file that rows of a figure stood in.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FileOrigin {
    /// The table it was loaded into.
    pub table: String,
    /// The run that loaded it.
    pub run_id: Option<String>,
    /// The file; none for rows that were written without saying.
    pub file: Option<String>,
    /// Its rows among those of the figure.
    pub rows: u64,
    /// The first of their lines.
    pub first_line: Option<i64>,
    /// The last of them.
    pub last_line: Option<i64>,
}

/// A line that a row of a figure stood on.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LineOrigin {
    /// The table it was loaded into.
    pub table: String,
    /// The run that loaded it.
    pub run_id: Option<String>,
    /// The file.
    pub file: Option<String>,
    /// The line, from 1; none where a transform made one row of several lines.
    pub line: Option<i64>,
    /// Rows that were made of it.
    pub rows: u64,
}

/// What a figure is made of.
#[derive(Debug)]
pub struct FigureOrigins {
    /// What was asked about.
    pub metric: MetricSummary,
    /// The tables, each at one version.
    pub tables: Vec<TableVersion>,
    /// Rows of all files.
    pub rows: u64,
    /// The number of files.
    pub files_total: u64,
    /// The files, those with the most rows first.
    pub files: Vec<FileOrigin>,
    /// The lines of the page, in the order of tables, files and lines.
    pub lines: Vec<LineOrigin>,
    /// Whether there are lines behind the page.
    pub more: bool,
}

impl QueryContext {
    /// The files and lines of the rows behind the figures of `query`: those in its range that its condition lets through, as
    /// the measures find them. Groups, order and limit mean nothing here, and a measure's own condition (`FILTER`) is not
    /// applied.
    ///
    /// # Errors
    /// As [`Self::metric`]; `Unsupported` where rows cannot be followed to their lines: a view groups them, or another
    /// tool wrote the table.
    pub async fn figure_origins(&self, pins: &Pins, query: &MetricQuery, page: OriginPage) -> Result<FigureOrigins> {
        let metric = self.metric_summary(&query.metric)?;
        let tables = self.tables_read(query)?;
        let totals = self.origins(pins, query, &tables, |rows| {
            rows.aggregate(groups(&[TABLE, RUN, FILE]), [sum(ident(ROWS)).alias(ROWS)])?.aggregate(
                Vec::<Expr>::new(),
                [sum(ident(ROWS)).alias("rows"), count(lit(1)).alias("files"), count(ident(FILE)).alias("named")],
            )
        });
        let totals = totals.await?;
        let total = |name: &str| totals.batches.first().and_then(|batch| number(batch, name, 0)).unwrap_or(0);
        let (rows, files_total) = (total("rows"), total("files"));
        if files_total > 0 && total("named") == 0 {
            let names = tables.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!("the rows under {names} do not say where they come from");
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(
                "they were written without the columns `_run`, `_file` and `_line`: load them with a pipeline",
            ));
        }
        let files = self.origins(pins, query, &tables, |rows| {
            let figures =
                [sum(ident(ROWS)).alias("rows"), min(ident(LINE)).alias("first"), max(ident(LINE)).alias("last")];
            let order = [("rows", false), (TABLE, true), (FILE, true), (RUN, true)];
            let order = order.map(|(name, ascending)| ident(name).sort(ascending, false));
            rows.aggregate(groups(&[TABLE, RUN, FILE]), figures)?.sort(order)?.limit(0, Some(page.files))
        });
        let files = files.await?.map(|batch, row| FileOrigin {
            table: text(batch, TABLE, row).unwrap_or_default(),
            run_id: text(batch, RUN, row),
            file: text(batch, FILE, row),
            rows: number_of(batch, "rows", row),
            first_line: number(batch, "first", row).map(signed),
            last_line: number(batch, "last", row).map(signed),
        });
        let lines = self.origins(pins, query, &tables, |rows| {
            let order = [TABLE, FILE, LINE, RUN].map(|name| ident(name).sort(true, false));
            rows.sort(order)?.limit(page.offset, Some(page.lines.saturating_add(1)))
        });
        let lines = lines.await?;
        let tables = lines.tables.clone();
        let mut lines = lines.map(|batch, row| LineOrigin {
            table: text(batch, TABLE, row).unwrap_or_default(),
            run_id: text(batch, RUN, row),
            file: text(batch, FILE, row),
            line: number(batch, LINE, row).map(signed),
            rows: number_of(batch, ROWS, row),
        });
        let more = lines.len() > page.lines;
        lines.truncate(page.lines);
        Ok(FigureOrigins { metric, tables, rows, files_total, files, lines, more })
    }

    /// Runs what `finish` makes of the rows behind `query`, a row for each line with the number of rows made of it.
    async fn origins(
        &self,
        pins: &Pins,
        query: &MetricQuery,
        tables: &[TableName],
        finish: impl FnOnce(LogicalPlanBuilder) -> PlanResult<LogicalPlanBuilder> + Send,
    ) -> Result<Collected> {
        let today = self.engine().clock().today();
        let models = self.engine().models();
        // What is joined for a condition says which rows count, and is none of them.
        let counted = models.tables(&query.metric)?;
        let build = |state: &SessionState, scope: &Scope| {
            let scan_of = |table| if counted.contains(table) { traced_scan(table, scope) } else { scan(table, scope) };
            let scans = tables.iter().map(|table| Ok((table.clone(), scan_of(table)?)));
            let scans = scans.collect::<Result<HashMap<_, _>>>()?;
            let parts = models.rows_behind(query, &ORIGIN_COLUMNS, state, &scans, today)?;
            by_line(parts).and_then(finish).and_then(LogicalPlanBuilder::build).map_err(|error| from_datafusion(&error))
        };
        let statement = format!("provenance of {query}");
        let mut result = self.plan_in(pins, statement, tables, &[], Some(MAX_RESULT), build).await?.run().await?;
        let mut batches = Vec::new();
        while let Some(batch) = result.next().await {
            batches.push(batch?);
        }
        Ok(Collected { tables: result.tables.clone(), batches })
    }
}

struct Collected {
    tables: Vec<TableVersion>,
    batches: Vec<RecordBatch>,
}

impl Collected {
    fn map<T>(&self, of: impl Fn(&RecordBatch, usize) -> T) -> Vec<T> {
        self.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| of(batch, row))).collect()
    }
}

/// One row for each line. A row that two scans look at (now, and a year before a later period) is one row.
fn by_line(parts: Vec<LogicalPlan>) -> PlanResult<LogicalPlanBuilder> {
    let mut whole: Option<LogicalPlanBuilder> = None;
    for part in parts {
        let counted = LogicalPlanBuilder::from(part).aggregate(groups(&ORIGIN_COLUMNS), [count(lit(1)).alias(ROWS)])?;
        whole = Some(match whole {
            None => counted,
            Some(others) => others.union(counted.build()?)?,
        });
    }
    match whole {
        Some(whole) => whole.aggregate(groups(&ORIGIN_COLUMNS), [max(ident(ROWS)).alias(ROWS)]),
        None => Ok(LogicalPlanBuilder::empty(false)),
    }
}

fn groups(names: &[&str]) -> Vec<Expr> {
    names.iter().map(|name| ident(*name)).collect()
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<u64> {
    let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| u64::try_from(column.value(row)).unwrap_or_default())
}

fn number_of(batch: &RecordBatch, name: &str, row: usize) -> u64 {
    number(batch, name, row).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
