//! The engine: a project over a lake.

use std::sync::Arc;

use crate::catalog::{Catalog, CommitSummary, TableDetail, TableName, TableSummary};
use crate::clock::Clock;
use crate::error::Result;
use crate::functions::Reference;
use crate::policy::Principal;
use crate::project::{Diagnostics, Project};
use crate::query::{Limits, QueryResult, SqlRequest};
use crate::semantic::{MetricAnswer, MetricQuery, MetricSummary};
use crate::storage::Storage;

/// What an engine is made of.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The project's declarations.
    pub project: Arc<Project>,
    /// The lake.
    pub storage: Storage,
    /// Limits of one query and of all of them.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A project over a lake: cheap to clone, shared by every door.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: EngineOptions,
    reference: Reference,
    catalog: Catalog,
}

impl Engine {
    /// Opens the lake's catalog. Tables that are declared and not loaded yet are no fault.
    pub async fn open(options: EngineOptions) -> Result<Self> {
        let _ = options;
        unimplemented!()
    }

    /// Checks everything that needs the planner and no data: views and metrics are parsed and typed against the
    /// contracts, with the place of each fault.
    pub async fn check(project: &Project, diagnostics: &mut Diagnostics) {
        let _ = (project, diagnostics);
        unimplemented!()
    }

    /// The declarations.
    pub fn project(&self) -> &Project {
        &self.inner.options.project
    }

    /// The lake.
    pub fn storage(&self) -> &Storage {
        &self.inner.options.storage
    }

    /// The tables as their logs say they are.
    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// Reference data of the SQL functions.
    pub fn reference(&self) -> &Reference {
        &self.inner.reference
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.options.clock
    }

    /// Everything that `principal` may ask.
    pub fn query_as(&self, principal: Principal) -> QueryContext {
        QueryContext { engine: self.clone(), principal }
    }
}

/// The questions of one principal.
#[derive(Debug, Clone)]
pub struct QueryContext {
    engine: Engine,
    principal: Principal,
}

/// A SQL function as `xiangyun sql` and the API document it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FunctionDoc {
    /// Name.
    pub name: String,
    /// How it is called, as in `working_days_between(a, b)`.
    pub signature: String,
    /// One line.
    pub description: String,
}

impl QueryContext {
    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Runs one read-only statement. Planning is done when this returns; rows stream.
    pub async fn sql(&self, request: SqlRequest) -> Result<QueryResult> {
        let _ = (request, &self.engine);
        unimplemented!()
    }

    /// Asks a metric.
    pub async fn metric(&self, query: MetricQuery) -> Result<MetricAnswer> {
        let _ = query;
        unimplemented!()
    }

    /// The metrics this principal may ask.
    pub fn metrics(&self) -> Vec<MetricSummary> {
        unimplemented!()
    }

    /// The metric called `name`, or an error that lists the nearest names.
    pub fn metric_summary(&self, name: &str) -> Result<MetricSummary> {
        let _ = name;
        unimplemented!()
    }

    /// The tables and views this principal may see, in the order of their names.
    pub async fn tables(&self) -> Result<Vec<TableSummary>> {
        unimplemented!()
    }

    /// One table with its columns.
    pub async fn table(&self, name: &TableName) -> Result<TableDetail> {
        let _ = name;
        unimplemented!()
    }

    /// The commits of a table, newest first.
    pub async fn history(&self, name: &TableName) -> Result<Vec<CommitSummary>> {
        let _ = name;
        unimplemented!()
    }

    /// The domain functions, in the order of their names.
    pub fn functions(&self) -> Vec<FunctionDoc> {
        unimplemented!()
    }
}
