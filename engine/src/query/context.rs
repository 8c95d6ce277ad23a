//! The questions of one principal.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::Schema;
use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use uuid::Uuid;

use super::lanes::Lane;
use super::planner;
use super::prepared::{self, Prepared};
use super::request::{AsOf, SqlRequest};
use super::result::QueryResult;
use super::run::Ticket;
use super::scope::{Data, Pins, Resolver, Scope};
use super::sink::{QueryOutcome, QueryRecord};
use super::stack::with_room;
use super::statement::ReadStatement;
use super::views;
use crate::catalog::{CommitSummary, TableDetail, TableName, TableSummary};
use crate::engine::Engine;
use crate::error::Result;
use crate::policy::{self, Principal, PrincipalClass};

/// The questions of one principal.
#[derive(Debug, Clone)]
pub struct QueryContext {
    engine: Engine,
    principal: Principal,
}

/// A SQL function as `xiangyun sql` and the API document it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FunctionDoc {
    /// Name.
    pub name: String,
    /// How it is called, as in `working_days_between(a, b)`.
    pub signature: String,
    /// One line.
    pub description: String,
}

impl QueryContext {
    pub(crate) fn new(engine: Engine, principal: Principal) -> Self {
        Self { engine, principal }
    }

    /// What is asked.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The day that it is.
    pub fn today(&self) -> NaiveDate {
        self.engine.clock().today()
    }

    /// Runs one read-only statement. Planning is done when this returns; rows stream.
    ///
    /// # Errors
    /// `Unsupported` for a statement that does more than read, `Sql` and `NotFound` with the place in the text for one
    /// that does not parse or names what there is not, `InvalidInput` for parameters, `LimitExceeded` for limits.
    pub async fn sql(&self, request: SqlRequest) -> Result<QueryResult> {
        self.sql_over(request, Vec::new()).await
    }

    /// As [`Self::sql`], where bare names may stand for rows that are in no table yet: the steps of a load.
    pub async fn sql_over(
        &self,
        request: SqlRequest,
        staged: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<QueryResult> {
        self.prepare_over(request, None, staged).await?.run().await
    }

    /// Plans one read-only statement and does not run it: what it reads is known then, and whether the caller has the
    /// answer already.
    ///
    /// # Errors
    /// As [`Self::sql`]; `Conflict` for a `query_id` that is taken.
    pub async fn prepare_as(&self, request: SqlRequest, query_id: Option<Uuid>) -> Result<Prepared> {
        self.prepare_over(request, query_id, Vec::new()).await
    }

    async fn prepare_over(
        &self,
        request: SqlRequest,
        query_id: Option<Uuid>,
        staged: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<Prepared> {
        let question = format!("{}\n{:?}", request.sql, request.params);
        let lane = match self.principal.class() {
            PrincipalClass::Dashboard => Lane::Quick,
            PrincipalClass::Analyst | PrincipalClass::Batch | PrincipalClass::Operator => Lane::Heavy,
        };
        let ticket = self.ticket(request.sql.as_str(), query_id, request.max_rows)?;
        let state = self.engine.runtime().session(self.engine.clock().now());
        let planned = ticket.guard_planning(Box::pin(self.plan_sql(&state, &request, staged))).await;
        self.prepared(ticket, state, planned, &question, lane)
    }

    pub(super) fn prepared(
        &self,
        ticket: Ticket,
        state: SessionState,
        planned: Result<(LogicalPlan, Scope)>,
        question: &str,
        lane: Lane,
    ) -> Result<Prepared> {
        match planned {
            Ok((plan, Scope { versions: tables, reached, is_pinned, .. })) => {
                let key = || prepared::key(&plan, question, &tables, ticket.max_rows(), &self.principal);
                let key = with_room(|| is_pinned.then(key).flatten());
                let engine = self.engine.clone();
                Ok(Prepared { engine, state, plan, tables, reached, ticket, lane, key })
            }
            Err(error) => Err(ticket.fail(error)),
        }
    }

    async fn plan_sql(
        &self,
        state: &SessionState,
        request: &SqlRequest,
        staged: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<(LogicalPlan, Scope)> {
        let read = ReadStatement::parse(&request.sql, self.engine.limits().sql_bytes)?;
        let mut scope = Scope::default();
        for (name, provider) in staged {
            scope.stage(&name, provider);
        }
        self.resolver(state, &request.as_of).resolve(&read, &mut scope).await?;
        let plan = planner::plan(state, &scope, read, &request.params)?;
        Ok((plan, scope))
    }

    /// Runs the plan that `build` makes of `tables` at the versions that `pins` holds, under the same limits as SQL. The
    /// `rollups` that are there are at hand too.
    /// `statement` says in the records what was asked.
    pub(super) async fn plan_in(
        &self,
        pins: &Pins,
        statement: String,
        tables: &[TableName],
        rollups: &[&str],
        max_rows: Option<usize>,
        build: impl FnOnce(&SessionState, &Scope) -> Result<LogicalPlan> + Send,
    ) -> Result<Prepared> {
        let question = statement.clone();
        let ticket = self.ticket(statement, None, max_rows)?;
        let state = self.engine.runtime().session(self.engine.clock().now());
        let planned = ticket
            .guard_planning(Box::pin(async {
                let mut scope = Scope::default();
                let resolver = Resolver { data: Data::Pinned(pins), ..self.resolver(&state, &AsOf::Now) };
                resolver.resolve_names(tables, &mut scope).await?;
                scope.rollups = self.rollups_at_hand(pins, rollups).await;
                let plan = build(&state, &scope)?;
                super::gate::check_plan(&plan)?;
                Ok((plan, scope))
            }))
            .await;
        // Figures are what screens wait for.
        self.prepared(ticket, state, planned, &question, Lane::Quick)
    }

    pub(super) fn resolver<'a>(&'a self, state: &'a SessionState, as_of: &'a AsOf) -> Resolver<'a> {
        let data = Data::Lake(self.engine.catalog());
        let models = Some(self.engine.models());
        Resolver { project: self.engine.project(), principal: &self.principal, data, as_of, state, models }
    }

    pub(super) fn ticket(
        &self,
        statement: impl Into<Arc<str>>,
        query_id: Option<Uuid>,
        max_rows: Option<usize>,
    ) -> Result<Ticket> {
        let record = QueryRecord {
            id: query_id.unwrap_or_else(Uuid::now_v7),
            principal: self.principal.clone(),
            statement: statement.into(),
            tables: Arc::default(),
            started_at: self.engine.clock().now(),
            elapsed: Duration::ZERO,
            rows: 0,
            outcome: QueryOutcome::Cancelled,
        };
        Ticket::open(&self.engine, record, max_rows)
    }

    /// The tables and views this principal may see, in the order of their names.
    pub async fn tables(&self) -> Result<Vec<TableSummary>> {
        let catalog = self.engine.catalog();
        let mut tables = catalog.summaries().await?;
        tables.extend(self.engine.project().views.iter().map(|view| catalog.view_summary(&view.def)));
        tables.retain(|table| policy::sees(&self.principal, &table.name));
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }

    /// One table with its columns.
    pub async fn table(&self, name: &TableName) -> Result<TableDetail> {
        self.check_visible(name)?;
        let Some(view) = self.engine.project().view(name) else { return self.engine.catalog().detail(name).await };
        let state = self.engine.runtime().session(self.engine.clock().now());
        let resolver = Resolver { data: Data::Contracts, ..self.resolver(&state, &AsOf::Now) };
        let mut scope = Scope::default();
        resolver.resolve_names(std::slice::from_ref(name), &mut scope).await?;
        let schema = scope.source(name).map(|source| source.schema()).unwrap_or_else(|| Arc::new(Schema::empty()));
        Ok(views::detail(&view.def, self.engine.catalog().view_summary(&view.def), &schema))
    }

    /// The commits of a table, newest first. A view has none.
    pub async fn history(&self, name: &TableName) -> Result<Vec<CommitSummary>> {
        self.check_visible(name)?;
        if self.engine.project().view(name).is_some() {
            return Ok(Vec::new());
        }
        self.engine.catalog().history(name).await
    }

    pub(super) fn check_visible(&self, name: &TableName) -> Result<()> {
        if policy::sees(&self.principal, name) {
            return Ok(());
        }
        Err(super::error::QueryError::UnknownTable { name: name.to_string(), nearest: None, position: None }.into())
    }

    /// The domain functions, in the order of their names.
    pub fn functions(&self) -> Vec<FunctionDoc> {
        self.engine.runtime().domain_functions().to_vec()
    }
}
