//! Rollups: those at hand for a question, and the rows that one has to keep. What is read here is committed by `ingest`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::Column;
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::StreamExt;

use super::context::QueryContext;
use super::lanes::Lane;
use super::named::named;
use super::request::{AsOf, SqlRequest};
use super::result::{QueryResult, TableVersion};
use super::scope::{Data, Pins, Resolver, Scope, reference};
use super::translate::from_datafusion;
use crate::catalog::{PinnedRollup, PinnedTable, Since, SourceVersion, Stand, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::semantic::{AskedQuestion, MetricQuery, RollupAdvice, RollupSummary, RollupTable};

/// Files of a rollup from which on its parts are merged: each commit of the source adds one.
const MERGE_FILES: u64 = 16;

/// What a rollup has to keep.
pub enum Rolled {
    /// What it keeps already.
    Current {
        /// Version of its table.
        version: u64,
    },
    /// These rows.
    Rows(RolledRows),
}

/// Rows that a rollup has to keep.
pub struct RolledRows {
    /// The rows, in the columns of the rollup's table.
    pub rows: QueryResult,
    /// Whether they take the place of all that it keeps.
    pub whole: bool,
    /// Whether they were made of what came since, and of what it keeps, rather than of all rows of the source.
    pub incremental: bool,
    /// Whether they were asked for although it was current.
    pub anew: bool,
    /// What it stands for with them.
    pub stand: Stand,
    /// What they were worked out against.
    pub base: RollupBase,
}

/// A version of a rollup's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupBase {
    /// Its version; none where there is no table yet.
    pub version: Option<u64>,
}

/// A rollup as it stands.
#[derive(Debug, Clone)]
pub struct RollupFacts {
    /// What is declared.
    pub summary: RollupSummary,
    /// Whether it stands for the newest version of its tables.
    pub is_current: bool,
    /// Version of its table; none where it was never made.
    pub version: Option<u64>,
    /// Its rows, where they are known.
    pub rows: Option<u64>,
    /// Rows of the source, where they are known.
    pub source_rows: Option<u64>,
}

impl QueryContext {
    /// The rollups called `names` that are there. One that cannot be read is left out: the source answers.
    pub(super) async fn rollups_at_hand(&self, pins: &Pins, names: &[&str]) -> Vec<RollupTable> {
        let found = futures::future::join_all(names.iter().map(|name| self.rollup_at_hand(pins, name))).await;
        found.into_iter().flatten().collect()
    }

    async fn rollup_at_hand(&self, pins: &Pins, name: &str) -> Option<RollupTable> {
        let summary = self.engine().models().rollup(name)?;
        // Only against the versions that the question reads.
        let tables = summary.tables.iter().map(|table| Some((table.clone(), pins.held(table)?)));
        let stand = stand(&summary, &tables.collect::<Option<Vec<_>>>()?);
        match self.engine().catalog().pin_rollup(name).await {
            Ok(Some(pinned)) => {
                let plan = scan(rollup_reference(name), Arc::clone(&pinned.provider)).ok()?;
                let fresh = pinned.mark == Some(stand.mark());
                Some(RollupTable { name: name.to_owned(), plan, rows: pinned.rows, fresh })
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(rollup.name = name, error = error.chain(), "a rollup cannot be read");
                None
            }
        }
    }

    /// The declared rollups as they stand.
    ///
    /// # Errors
    /// Of the storage.
    pub async fn rollups(&self) -> Result<Vec<RollupFacts>> {
        let (catalog, mut facts) = (self.engine().catalog(), Vec::new());
        for summary in self.engine().models().rollups() {
            let pinned = catalog.pin_rollup(&summary.name).await?;
            let (mut tables, mut source_rows) = (Vec::new(), None);
            for table in &summary.tables {
                match catalog.pin(table).await {
                    Ok(found) => tables.push((table.clone(), found)),
                    // Not loaded yet.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(first) = summary.tables.first().filter(|_| !tables.is_empty()) {
                source_rows = catalog.summary(first).await?.rows;
            }
            let is_whole = tables.len() == summary.tables.len();
            let mark = is_whole.then(|| stand(&summary, &tables).mark());
            let is_current = mark.is_some() && pinned.as_ref().and_then(|pinned| pinned.mark) == mark;
            let (version, rows) = pinned.map_or((None, None), |pinned| (Some(pinned.version), pinned.rows));
            facts.push(RollupFacts { summary, is_current, version, rows, source_rows });
        }
        Ok(facts)
    }

    /// The declared rollups, in the order of their names.
    pub fn declared_rollups(&self) -> Vec<RollupSummary> {
        self.engine().models().rollups()
    }

    /// The rollup called `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name.
    pub fn rollup(&self, name: &str) -> Result<RollupSummary> {
        named("rollup", name, self.declared_rollups(), |rollup| &rollup.name)
    }

    /// What the rollup `name` has to keep so that it stands for the newest versions of its tables: rows of what was added
    /// since, where nothing else happened, and otherwise of all. `None` where one of its tables was never loaded. With
    /// `anew` all rows of the source are read whatever it keeps.
    ///
    /// # Errors
    /// `NotFound` where there is no such rollup; of the storage, and of expressions that fail on a row.
    pub async fn roll_up(&self, name: &str, anew: bool) -> Result<Option<Rolled>> {
        let summary = self.rollup(name)?;
        let rolling = Rolling { context: self, summary: &summary, anew };
        match Box::pin(rolling.rolled()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }
}

/// The latest questions that are looked at for advice.
const ADVISED: usize = 200_000;

impl QueryContext {
    /// Which rollups would have answered most of the questions to metrics that the lake's record of queries has, by their
    /// time, of those that were asked at least `min_count` times. A principal that may not see what others asked is told
    /// of its own questions.
    ///
    /// # Errors
    /// Of the storage.
    pub async fn advise_rollups(&self, min_count: u64) -> Result<RollupAdvice> {
        let statement = format!(
            "SELECT statement, elapsed_ms FROM system.queries WHERE statement LIKE 'metric %' \
             AND outcome IN ('succeeded', 'truncated') ORDER BY started_at DESC LIMIT {ADVISED}"
        );
        let mut rows = self.sql(SqlRequest::new(statement)).await?;
        let mut asked = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let text = cast(batch.column(0), &DataType::Utf8).ok();
            let texts = text.as_ref().and_then(|text| text.as_string_opt::<i32>());
            let (Some(texts), Some(millis)) = (texts, batch.column(1).as_primitive_opt::<Int64Type>()) else { break };
            for (statement, millis) in texts.iter().zip(millis.iter()) {
                asked.extend(questions(statement.unwrap_or_default(), millis.unwrap_or_default()));
            }
        }
        let state = self.engine().runtime().session(self.engine().clock().now());
        Ok(self.engine().models().advise(&asked, min_count, self.engine().project(), &state))
    }
}

/// The questions of a record. Several that were answered by one plan share its time.
fn questions(statement: &str, millis: i64) -> Vec<AskedQuestion> {
    let parts: Vec<_> = statement.split("; metric ").collect();
    let seconds = millis.max(0) as f64 / 1000.0 / parts.len() as f64;
    let written = parts.iter().enumerate().map(|(at, part)| match at {
        0 => (*part).to_owned(),
        _ => format!("metric {part}"),
    });
    written.filter_map(|text| Some(AskedQuestion { query: MetricQuery::of_record(&text)?, seconds })).collect()
}

fn rollup_reference(name: &str) -> TableReference {
    TableReference::partial("rollups", name)
}

fn stand(summary: &RollupSummary, tables: &[(TableName, PinnedTable)]) -> Stand {
    let sources = tables.iter().map(|(table, pinned)| SourceVersion {
        table: table.clone(),
        id: pinned.id.to_string(),
        version: pinned.version,
    });
    Stand { definition: summary.definition, sources: sources.collect() }
}

fn scan(name: TableReference, provider: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    LogicalPlanBuilder::scan(name, provider_as_source(provider), None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| from_datafusion(&error))
}

fn source(summary: &RollupSummary, plans: &HashMap<TableName, LogicalPlan>) -> Result<LogicalPlan> {
    let missing = || Error::new(ErrorKind::Internal, format!("`{}` was not resolved", summary.table));
    plans.get(&summary.table).cloned().ok_or_else(missing)
}

/// The rows of `parts` as if they were all of the table.
fn only(parts: Vec<Arc<dyn TableProvider>>, table: &(TableName, PinnedTable)) -> Result<Arc<dyn TableProvider>> {
    let columns: Vec<_> =
        table.1.provider.schema().fields().iter().map(|f| Expr::Column(Column::new_unqualified(f.name()))).collect();
    let mut rows: Option<LogicalPlanBuilder> = None;
    for part in parts {
        let part = LogicalPlanBuilder::from(scan(reference(&table.0), part)?);
        let part = part.project(columns.clone()).map_err(|error| from_datafusion(&error))?;
        rows = Some(match rows {
            None => part,
            Some(others) => {
                part.build().and_then(|part| others.union(part)).map_err(|error| from_datafusion(&error))?
            }
        });
    }
    let rows = rows.ok_or_else(|| Error::new(ErrorKind::Internal, "nothing was added"))?;
    Ok(Arc::new(ViewTable::new(rows.build().map_err(|error| from_datafusion(&error))?, None)))
}

/// Works out what a rollup has to keep.
struct Rolling<'a> {
    context: &'a QueryContext,
    summary: &'a RollupSummary,
    anew: bool,
}

impl Rolling<'_> {
    async fn rolled(&self) -> Result<Rolled> {
        let (summary, catalog) = (self.summary, self.context.engine().catalog());
        let held = catalog.pin_rollup(&summary.name).await?;
        let stood = catalog.rollup_sources(&summary.name, &summary.tables).await?;
        let (first, others) = summary
            .tables
            .split_first()
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("rollup `{}` rests on no table", summary.name)))?;
        let from = stood.as_ref().and_then(|stood| stood.first().copied());
        let (pinned, since) = catalog.pin_since(first, from).await?;
        let mut tables = vec![(first.clone(), pinned)];
        for other in others {
            tables.push((other.clone(), catalog.pin(other).await?));
        }
        let stand = stand(summary, &tables);
        let base = RollupBase { version: held.as_ref().map(|held| held.version) };
        if let Some(held) = &held
            && held.mark == Some(stand.mark())
            && !self.anew
        {
            return Ok(Rolled::Current { version: held.version });
        }
        // What it keeps is of use where it stands for earlier versions by the same definition, and where the tables that
        // are looked up are the same still.
        let before = stood.as_ref().map(|stood| {
            let mut before = stand.clone();
            before.sources.iter_mut().zip(stood).for_each(|(source, version)| source.version = *version);
            before
        });
        let looked_up = |stood: &Vec<u64>| {
            stood.iter().zip(&stand.sources).skip(1).all(|(version, source)| *version == source.version)
        };
        let continues = summary.adds_up
            && held.as_ref().is_some_and(|held| held.mark == before.as_ref().map(Stand::mark))
            && stood.as_ref().is_some_and(looked_up)
            && !self.anew;
        let (plan, whole, incremental) = self.plan(&tables, since, held.filter(|_| continues)).await?;
        let rows = self.run(plan.0, plan.1, &tables).await?;
        Ok(Rolled::Rows(RolledRows { rows, whole, incremental, anew: self.anew, stand, base }))
    }

    /// The plan with its session; whether its rows take the place of all, and whether they are made of what came since.
    async fn plan(
        &self,
        tables: &[(TableName, PinnedTable)],
        since: Since,
        held: Option<PinnedRollup>,
    ) -> Result<((SessionState, LogicalPlan), bool, bool)> {
        let (engine, name) = (self.context.engine(), self.summary.name.as_str());
        let (models, state) = (engine.models(), engine.runtime().session(engine.clock().now()));
        let (Some(held), Since::Added(added)) = (held, since) else {
            let plans = self.scans(tables.to_vec(), &state).await?;
            let plan = models.roll_up(name, source(self.summary, &plans)?, &plans, &state)?;
            return Ok(((state, plan), true, false));
        };
        let added = match added.is_empty() {
            true => None,
            false => {
                let mut tables = tables.to_vec();
                tables[0].1.provider = only(added, &tables[0])?;
                let plans = self.scans(tables, &state).await?;
                Some(models.roll_up(name, source(self.summary, &plans)?, &plans, &state)?)
            }
        };
        let kept = scan(rollup_reference(name), Arc::clone(&held.provider))?;
        let is_merged = held.files >= MERGE_FILES;
        let plan = match (added, is_merged) {
            (Some(added), false) => added,
            (Some(added), true) => {
                let parts = LogicalPlanBuilder::from(kept).union(added).and_then(LogicalPlanBuilder::build);
                models.merge_rollup(name, parts.map_err(|error| from_datafusion(&error))?)?
            }
            (None, true) => models.merge_rollup(name, kept)?,
            // Files were put together, and nothing came: only the version is new.
            (None, false) => LogicalPlanBuilder::from(kept)
                .limit(0, Some(0))
                .and_then(LogicalPlanBuilder::build)
                .map_err(|error| from_datafusion(&error))?,
        };
        Ok(((state, plan), is_merged, true))
    }

    /// The model's table or view and the tables that are looked up, over `tables`.
    async fn scans(
        &self,
        tables: Vec<(TableName, PinnedTable)>,
        state: &SessionState,
    ) -> Result<HashMap<TableName, LogicalPlan>> {
        let pins = Pins::holding(self.context.engine().catalog(), tables);
        let resolver = Resolver { data: Data::Pinned(&pins), ..self.context.resolver(state, &AsOf::Now) };
        let names: Vec<_> = self.summary.joined.iter().chain([&self.summary.table]).cloned().collect();
        let mut scope = Scope::default();
        resolver.resolve_names(&names, &mut scope).await?;
        names.into_iter().map(|name| Ok((name.clone(), super::metrics::scan(&name, &scope)?))).collect()
    }

    async fn run(
        &self,
        state: SessionState,
        plan: LogicalPlan,
        tables: &[(TableName, PinnedTable)],
    ) -> Result<QueryResult> {
        let statement = format!("rollup {}", self.summary.name);
        let ticket = self.context.ticket(statement.clone(), None, None)?;
        let planned = ticket.guard(async { Ok(super::gate::check_plan(&plan)?) }).await;
        let versions = tables.iter().map(|(name, pinned)| TableVersion {
            name: name.clone(),
            version: pinned.version,
            committed_at: pinned.committed_at,
        });
        // Nobody asks the same again, so it is not kept.
        let scope = Scope { versions: versions.collect(), is_pinned: false, ..Scope::default() };
        let planned = planned.map(|()| (plan, scope));
        self.context.prepared(ticket, state, planned, &statement, Lane::Heavy)?.run().await
    }
}
