//! Several questions to metrics over the same versions of the tables, each table's files read once where they can share.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use futures::{StreamExt, stream};
use indexmap::IndexMap;

use super::context::QueryContext;
use super::metrics::scan;
use super::result::{QueryResult, QueryStatus};
use super::scope::Pins;
use super::stack::with_room;
use super::translate::from_datafusion;
use crate::catalog::{TableName, tables_under};
use crate::error::{Error, ErrorKind, Result};
use crate::semantic::{MetricAnswer, MetricQuery, ShareKey, SharedPlan};

impl QueryContext {
    /// Pins every table under `metrics`, for questions whose answers shall rest on the same versions. Unknown metrics are
    /// left to the questions to tell.
    pub async fn pin_metrics<'m>(&self, metrics: impl IntoIterator<Item = &'m str>) -> Pins {
        let models = self.engine().models();
        let known = metrics.into_iter().filter(|name| self.metric_summary(name).is_ok());
        let tables: Vec<TableName> = known.flat_map(|name| models.tables(name).unwrap_or_default()).collect();
        let under = tables_under(self.engine().project(), &tables);
        // What cannot be pinned in time is left to the questions, which have a deadline of their own.
        let pins = Pins::new(self.engine().catalog());
        let _ = tokio::time::timeout(self.engine().limits().timeout, pins.pin_all(under)).await;
        pins
    }

    /// Asks several metrics over the tables of `pins`. Each question has an answer or an error of its own, in their order;
    /// the rows are in memory. Questions with the same scans, groups, periods and order are answered by one plan.
    ///
    /// They run one after another: together they take no more of the server than one query does.
    pub async fn metrics_over(&self, pins: &Pins, queries: &[MetricQuery]) -> Vec<Result<MetricAnswer>> {
        let state = self.engine().runtime().session(self.engine().clock().now());
        let mut answers: Vec<Option<Result<MetricAnswer>>> = queries.iter().map(|_| None).collect();
        let mut groups: IndexMap<ShareKey, Vec<usize>> = IndexMap::new();
        for (at, query) in queries.iter().enumerate() {
            let key = self
                .metric_summary(&query.metric)
                .and_then(|_| with_room(|| self.engine().models().share_key(query, &state)));
            match key {
                Ok(key) => groups.entry(key).or_default().push(at),
                Err(error) => answers[at] = Some(Err(error)),
            }
        }
        for members in groups.into_values() {
            let asked: Vec<_> = members.iter().map(|at| &queries[*at]).collect();
            match self.shared(pins, &asked).await {
                Ok(shared) => members.iter().zip(shared).for_each(|(at, answer)| answers[*at] = Some(Ok(answer))),
                // One of them may fail for its own expression: the others shall not.
                Err(error) if error.kind() == ErrorKind::Sql && asked.len() > 1 => {
                    for (at, query) in members.iter().zip(asked) {
                        let alone = self.shared(pins, &[query]).await;
                        answers[*at] = alone.map(|mut answers| answers.pop()).transpose();
                    }
                }
                Err(error) => members.iter().for_each(|at| answers[*at] = Some(Err(copy_of(&error)))),
            }
        }
        let unanswered = || Err(Error::new(ErrorKind::Internal, "a question was left without an answer"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    /// The answers to questions of one [`ShareKey`].
    async fn shared(&self, pins: &Pins, queries: &[&MetricQuery]) -> Result<Vec<MetricAnswer>> {
        let models = self.engine().models();
        let (mut tables, mut rollups) = (Vec::new(), Vec::new());
        for query in queries {
            tables.extend(self.tables_read(query)?);
            rollups.extend(models.rollups_for(query)?);
        }
        tables.sort();
        tables.dedup();
        rollups.sort_unstable();
        rollups.dedup();
        // Whoever may have the most rows decides for how many the plan runs; no limit is the principal's own.
        let limits: Option<Vec<usize>> = queries.iter().map(|query| query.limit).collect();
        let max_rows = limits.and_then(|limits| limits.into_iter().max());
        let statement = queries.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let today = self.engine().clock().today();
        let mut planned = None;
        let mut result = self
            .plan_in(pins, statement, &tables, &rollups, max_rows, |state, scope| {
                let names = || queries.iter().map(|query| query.metric.as_str()).collect::<Vec<_>>().join(",");
                let _compiling = tracing::info_span!("compile metric", xiangyun.metric.name = names()).entered();
                let plans = tables.iter().map(|table| Ok((table.clone(), scan(table, scope)?)));
                let plans = plans.collect::<Result<HashMap<_, _>>>()?;
                let shared = models.plan_shared(queries, state, &plans, &scope.rollups, today)?;
                let plan = shared.plan.clone();
                planned = Some(shared);
                Ok(plan)
            })
            .await?
            .run()
            .await?;
        let planned = planned.ok_or_else(|| Error::new(ErrorKind::Internal, "a metric ran without a plan"))?;
        let mut batches = Vec::new();
        while let Some(batch) = result.next().await {
            batches.push(batch?);
        }
        split(planned, &result, &batches, queries)
    }
}

/// The columns and rows of each question out of those of all.
fn split(
    planned: SharedPlan,
    result: &QueryResult,
    batches: &[RecordBatch],
    queries: &[&MetricQuery],
) -> Result<Vec<MetricAnswer>> {
    let mut answers = Vec::with_capacity(queries.len());
    for ((answer, columns), query) in planned.answers.into_iter().zip(planned.columns).zip(queries) {
        let fields = columns.iter().zip(&answer.columns).map(|(at, column)| {
            let field = result.schema.field(*at);
            Field::new(&column.name, field.data_type().clone(), field.is_nullable())
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let status = Arc::new(QueryStatus::default());
        let mut left = query.limit.unwrap_or(usize::MAX);
        let mut own = Vec::new();
        for batch in batches {
            let kept = batch.num_rows().min(left);
            left -= kept;
            if kept < batch.num_rows() || result.status.is_truncated() {
                status.set_truncated();
            }
            let arrays: Vec<ArrayRef> = columns.iter().map(|at| batch.column(*at).slice(0, kept)).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(kept));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)
                .map_err(|error| from_datafusion(&error.into()))?;
            if kept > 0 {
                status.add_rows(kept as u64);
                own.push(Ok(batch));
            }
        }
        status.set_complete();
        let batches = stream::iter(own).boxed();
        let (tables, basis) = (result.tables.clone(), result.basis.clone());
        let result =
            QueryResult { id: result.id, schema, tables, status, cache: result.cache, basis, threads: None, batches };
        answers.push(MetricAnswer {
            metric: answer.metric,
            regions: answer.regions,
            grain: answer.grain,
            columns: answer.columns,
            synthetic: answer.synthetic,
            rollups: answer.rollups,
            result,
        });
    }
    Ok(answers)
}

/// The same failure, told to another question that shared the plan.
fn copy_of(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.chain());
    match error.hint() {
        Some(hint) => copy.with_hint(hint),
        None => copy,
    }
}
