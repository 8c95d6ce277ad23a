//! Everything a statement reaches: its tables, the views among them, and what those reach in turn. Tables are
//! resolved before planning, each once, so that a query sees one version of each wherever it is named.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement as AnyStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{ShowStatementIn, Statement};
use indexmap::IndexMap;

use super::alerts::alerts_seen;
use super::error::QueryError;
use super::information_schema::{self, INFORMATION_SCHEMA};
use super::planner::{self, Sources, local};
use super::request::AsOf;
use super::result::TableVersion;
use super::statement::ReadStatement;
use super::translate::from_datafusion;
use crate::catalog::system::{SYSTEM_SCHEMA, SystemTable};
use crate::catalog::{Catalog, PinnedTable, TableName, with_provenance};
use crate::error::ErrorKind;
use crate::policy::{self, Principal};
use crate::project::{Project, nearest};
use crate::semantic::{Models, RollupTable};

type Result<T, E = QueryError> = std::result::Result<T, E>;

/// Views over views, counted from the statement.
const MAX_VIEW_DEPTH: usize = 16;
/// Bytes of a view's statement: written by the project's owner, so bounded only against accidents.
const MAX_VIEW_BYTES: usize = 1 << 20;

/// Where tables come from.
#[derive(Clone, Copy)]
pub(crate) enum Data<'a> {
    /// The lake: each table at its newest version.
    Lake(&'a Catalog),
    /// The lake, each table at the version that several questions share.
    Pinned(&'a Pins),
    /// The contracts alone: types without rows, for checks and listings.
    Contracts,
}

/// Tables of the lake, each at one version however many questions read it and whatever is committed meanwhile.
pub struct Pins {
    catalog: Catalog,
    held: Mutex<HashMap<TableName, PinnedTable>>,
}

impl Pins {
    /// Nothing pinned yet.
    pub(crate) fn new(catalog: &Catalog) -> Self {
        Self { catalog: catalog.clone(), held: Mutex::default() }
    }

    /// Those tables, as they are given.
    pub(crate) fn holding(catalog: &Catalog, tables: impl IntoIterator<Item = (TableName, PinnedTable)>) -> Self {
        Self { catalog: catalog.clone(), held: Mutex::new(tables.into_iter().collect()) }
    }

    /// Pins `tables`. One that cannot be pinned fails the questions that read it, and no other.
    pub(crate) async fn pin_all(&self, tables: impl IntoIterator<Item = TableName>) {
        let names: Vec<_> = tables.into_iter().collect();
        let pinned = futures::future::join_all(names.iter().map(|name| self.pin(name))).await;
        for (name, error) in names.iter().zip(pinned).filter_map(|(name, pin)| Some((name, pin.err()?))) {
            tracing::debug!(table.name = %name, error = error.chain(), "not pinned");
        }
    }

    /// The table, pinned now where it was not before.
    pub(crate) async fn pin(&self, name: &TableName) -> crate::Result<PinnedTable> {
        if let Some(held) = self.held(name) {
            return Ok(held);
        }
        let pinned = self.catalog.pin(name).await?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(held.entry(name.clone()).or_insert(pinned).clone())
    }

    /// The table as it was pinned.
    pub(crate) fn held(&self, name: &TableName) -> Option<PinnedTable> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The versions of all tables that were pinned, in the order of their names.
    pub fn versions(&self) -> Vec<TableVersion> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let version = |(name, pin): (&TableName, &PinnedTable)| TableVersion {
            name: name.clone(),
            version: pin.version,
            committed_at: pin.committed_at,
        };
        let mut versions: Vec<_> = held.iter().map(version).collect();
        versions.sort_by(|a, b| a.name.cmp(&b.name));
        versions
    }
}

impl std::fmt::Debug for Pins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pins").field("versions", &self.versions()).finish()
    }
}

/// For whom names are resolved, and against what.
#[derive(Clone, Copy)]
pub(crate) struct Resolver<'a> {
    pub(crate) project: &'a Project,
    pub(crate) principal: &'a Principal,
    pub(crate) data: Data<'a>,
    pub(crate) as_of: &'a AsOf,
    pub(crate) state: &'a SessionState,
    /// The project's metrics; none where they are not compiled yet. Contracts need none.
    pub(crate) models: Option<&'a Models>,
}

/// The tables of one query, pinned.
pub(crate) struct Scope {
    /// By the name that statements use.
    pub(crate) sources: Sources,
    /// The lake's tables with their hidden columns, for statements that name one.
    pub(crate) traced: Sources,
    /// Tables with a version, in the order of their names.
    pub(crate) versions: Vec<TableVersion>,
    /// Every table and view that is read, by whatever way.
    pub(crate) reached: Vec<TableName>,
    /// Rollups that may be read in the place of tables.
    pub(crate) rollups: Vec<RollupTable>,
    /// Everything has a version: nothing is staged, or told by the platform of itself.
    pub(crate) is_pinned: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            sources: Sources::new(),
            traced: Sources::new(),
            versions: Vec::new(),
            reached: Vec::new(),
            rollups: Vec::new(),
            is_pinned: true,
        }
    }
}

impl Scope {
    /// Adds a table under a bare name, for rows that are in no table yet.
    pub(crate) fn stage(&mut self, name: &str, provider: Arc<dyn TableProvider>) {
        self.is_pinned = false;
        self.sources.insert(TableReference::bare(name), provider_as_source(provider));
    }

    /// The providers of `names`, for plans that are not written as SQL.
    pub(crate) fn source(&self, name: &TableName) -> Option<Arc<dyn datafusion::logical_expr::TableSource>> {
        self.sources.get(&reference(name)).cloned()
    }
}

/// The name as the planner knows it.
pub(crate) fn reference(name: &TableName) -> TableReference {
    TableReference::partial(name.schema(), name.table())
}

impl<'a> Resolver<'a> {
    /// Over the contracts alone.
    pub(crate) fn of_contracts(project: &'a Project, principal: &'a Principal, state: &'a SessionState) -> Self {
        Self { project, principal, data: Data::Contracts, as_of: &AsOf::Now, state, models: None }
    }
}

impl Resolver<'_> {
    /// Everything that `read` names, into `scope`. Names that `scope` already holds are left as they are.
    pub(crate) async fn resolve(&self, read: &ReadStatement, scope: &mut Scope) -> Result<()> {
        let staged = scope.sources.keys().map(ToString::to_string).collect();
        let mut reached = Reached::new(self, staged);
        reached.statement(read)?;
        self.fill(reached, scope).await
    }

    /// The tables and views called `names`, for plans that are not written as SQL.
    pub(crate) async fn resolve_names(&self, names: &[TableName], scope: &mut Scope) -> Result<()> {
        let mut reached = Reached::new(self, HashSet::new());
        for name in names {
            reached.name(name, None)?;
        }
        self.fill(reached, scope).await
    }

    async fn fill(&self, reached: Reached<'_>, scope: &mut Scope) -> Result<()> {
        scope.reached.extend(reached.done.iter().cloned());
        match self.data {
            Data::Contracts => {
                for name in reached.tables.keys() {
                    if let Some(document) = self.project.table(name) {
                        let schema = document.def.arrow_schema();
                        let traced = Arc::new(EmptyTable::new(with_provenance(&schema)));
                        scope.traced.insert(reference(name), provider_as_source(traced));
                        let provider = Arc::new(EmptyTable::new(schema));
                        scope.sources.insert(reference(name), provider_as_source(provider));
                    }
                }
            }
            Data::Lake(_) | Data::Pinned(_) => {
                let pins = reached.tables.keys().map(async |name| match (self.data, self.as_of) {
                    (Data::Contracts, _) => Ok(None),
                    (Data::Pinned(pins), _) => pins.pin(name).await.map(Some),
                    (Data::Lake(catalog), AsOf::Now) => catalog.pin(name).await.map(Some),
                    (Data::Lake(catalog), AsOf::Time(time)) => catalog.pin_at(name, *time).await.map(Some),
                    (Data::Lake(catalog), AsOf::Versions(versions)) => match versions.get(name) {
                        Some(version) => catalog.pin_version(name, *version).await.map(Some),
                        None => catalog.pin(name).await.map(Some),
                    },
                });
                if let AsOf::Versions(versions) = self.as_of
                    && let Some(name) = versions.keys().find(|name| !reached.tables.contains_key(*name))
                {
                    return Err(QueryError::AsOfUnread { name: name.clone() });
                }
                let pinned = futures::future::join_all(pins).await;
                for ((name, undeclared), pin) in reached.tables.into_iter().zip(pinned) {
                    let pin = match (pin, undeclared) {
                        (Ok(Some(pin)), _) => pin,
                        (Ok(None), _) => continue,
                        (Err(error), Some(unknown)) if error.kind() == ErrorKind::NotFound => return Err(unknown),
                        (Err(error), _) => return Err(error.into()),
                    };
                    scope.sources.insert(reference(&name), provider_as_source(pin.provider));
                    scope.traced.insert(reference(&name), provider_as_source(pin.traced));
                    let version = TableVersion { name, version: pin.version, committed_at: pin.committed_at };
                    scope.versions.push(version);
                }
            }
        }
        scope.is_pinned &= reached.system.is_empty() && !reached.information_schema;
        for table in &reached.system {
            let provider: Arc<dyn TableProvider> = match self.data {
                Data::Lake(catalog) => self.system_table(catalog, *table).await?,
                Data::Pinned(pins) => self.system_table(&pins.catalog, *table).await?,
                Data::Contracts => Arc::new(EmptyTable::new(table.schema())),
            };
            let name = TableReference::partial(SYSTEM_SCHEMA, table.name());
            scope.sources.insert(name, provider_as_source(provider));
        }
        for (name, read) in reached.views {
            let sql = self.project.view(&name).map(|view| view.def.sql.clone());
            let planned = planner::plan(self.state, scope, read, &IndexMap::new())
                .map_err(|error| QueryError::View { name: name.clone(), source: Box::new(error) })?;
            let view = Arc::new(ViewTable::new(planned, sql));
            scope.sources.insert(reference(&name), provider_as_source(view));
        }
        if reached.information_schema {
            let listing = information_schema::listing(self).await?;
            if let Some(described) = &reached.described
                && let Some(provider) =
                    listing.table(described).await.map_err(|error| QueryError::from(from_datafusion(&error)))?
            {
                scope.sources.insert(reference(described), provider_as_source(provider));
            }
            for (name, source) in listing.sources().await.map_err(|error| QueryError::from(from_datafusion(&error)))? {
                scope.sources.insert(TableReference::partial(INFORMATION_SCHEMA, name), source);
            }
        }
        Ok(())
    }

    async fn system_table(&self, catalog: &Catalog, table: SystemTable) -> Result<Arc<dyn TableProvider>> {
        let alerts = match (table, self.models) {
            (SystemTable::Alerts, Some(models)) => alerts_seen(self.project, models, self.principal),
            _ => Vec::new(),
        };
        Ok(catalog.system_table(table, self.principal, &alerts).await?)
    }

    /// Every table and view the principal may see, system tables included.
    pub(crate) fn visible(&self) -> Vec<TableName> {
        let tables = self.project.tables.iter().map(|table| table.def.name.clone());
        let views = self.project.views.iter().map(|view| view.def.name.clone());
        let system = SystemTable::ALL.iter().filter_map(|table| TableName::try_new(SYSTEM_SCHEMA, table.name()).ok());
        let mut names: Vec<_> =
            tables.chain(views).chain(system).filter(|name| policy::sees(self.principal, name)).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The names a statement reaches, views before what needs them.
struct Reached<'a> {
    resolver: &'a Resolver<'a>,
    /// Bare names that are given from outside.
    staged: HashSet<String>,
    /// With what to say of a name that is not declared, should the lake not hold it either.
    tables: BTreeMap<TableName, Option<QueryError>>,
    system: Vec<SystemTable>,
    views: Vec<(TableName, ReadStatement)>,
    done: HashSet<TableName>,
    /// The views between the statement and here.
    path: Vec<TableName>,
    information_schema: bool,
    described: Option<TableName>,
}

impl<'a> Reached<'a> {
    fn new(resolver: &'a Resolver<'a>, staged: HashSet<String>) -> Self {
        Self {
            resolver,
            staged,
            tables: BTreeMap::new(),
            system: Vec::new(),
            views: Vec::new(),
            done: HashSet::new(),
            path: Vec::new(),
            information_schema: false,
            described: None,
        }
    }

    fn statement(&mut self, read: &ReadStatement) -> Result<()> {
        if let Statement::ShowColumns { show_options, .. } = &read.statement
            && let Some(ShowStatementIn { parent_name: Some(name), .. }) = &show_options.show_in
        {
            // Answered from the contract, so that the table's log stays closed and may be missing.
            let parts = name.0.iter().filter_map(|part| part.as_ident());
            let parts: Vec<_> = parts.map(|ident| ident.value.to_lowercase()).collect();
            let parts: Vec<_> = parts.iter().map(String::as_str).collect();
            self.described = Some(self.existing(&parts, read)?);
            self.information_schema = true;
            return Ok(());
        }
        let statement = AnyStatement::Statement(Box::new(read.statement.clone()));
        let (references, _) =
            resolve_table_references(&statement, true).map_err(|error| QueryError::from(from_datafusion(&error)))?;
        for reference in references {
            self.reference(local(reference), read)?;
        }
        Ok(())
    }

    fn reference(&mut self, reference: TableReference, read: &ReadStatement) -> Result<()> {
        match &reference {
            TableReference::Partial { schema, .. } if **schema == *INFORMATION_SCHEMA => {
                self.information_schema = true;
                Ok(())
            }
            TableReference::Bare { table } if self.staged.contains(&**table) => Ok(()),
            // The name of a table function: `FROM generate_series(1, 12)`.
            TableReference::Bare { table } if self.resolver.state.table_functions().contains_key(&**table) => Ok(()),
            TableReference::Bare { table } => Err(self.unknown(&[table], read)),
            TableReference::Partial { schema, table } => {
                let unknown = self.unknown(&[schema, table], read);
                match TableName::try_new(schema, table) {
                    Ok(name) => self.name(&name, Some(unknown)),
                    Err(_) => Err(unknown),
                }
            }
            TableReference::Full { catalog, schema, table } => Err(self.unknown(&[catalog, schema, table], read)),
        }
    }

    /// The name of a table that there is and that the principal may see.
    fn existing(&self, parts: &[&str], read: &ReadStatement) -> Result<TableName> {
        let name = match parts {
            [schema, table] => TableName::try_new(schema, table).ok(),
            _ => None,
        };
        match name {
            Some(name) if self.resolver.visible().contains(&name) => Ok(name),
            _ => Err(self.unknown(parts, read)),
        }
    }

    /// Adds a table or view; `unknown` is the answer where there is none.
    fn name(&mut self, name: &TableName, unknown: Option<QueryError>) -> Result<()> {
        if let Some(start) = self.path.iter().position(|view| view == name) {
            let path = shown(self.path[start..].iter().chain([name]));
            return Err(QueryError::ViewCycle { name: name.clone(), path });
        }
        if self.done.contains(name) {
            return Ok(());
        }
        let unknown = unknown.unwrap_or_else(|| {
            let nearest = nearest_table(&name.to_string(), &self.resolver.visible());
            QueryError::UnknownTable { name: name.to_string(), nearest, position: None }
        });
        if !policy::sees(self.resolver.principal, name) {
            return Err(unknown);
        }
        let project = self.resolver.project;
        if name.schema() == SYSTEM_SCHEMA {
            self.system.push(SystemTable::find(name.table()).ok_or(unknown)?);
        } else if let Some(view) = project.view(name) {
            self.view(name, &view.def.sql)?;
        } else if project.table(name).is_some() {
            self.tables.insert(name.clone(), None);
        } else if matches!(self.resolver.data, Data::Contracts) {
            return Err(unknown);
        } else {
            self.tables.insert(name.clone(), Some(unknown));
        }
        self.done.insert(name.clone());
        Ok(())
    }

    fn view(&mut self, name: &TableName, sql: &str) -> Result<()> {
        let depth = self.path.len() + 1;
        if depth > MAX_VIEW_DEPTH {
            let path = shown(self.path.iter().chain([name]));
            return Err(QueryError::ViewTooDeep { name: name.clone(), depth, limit: MAX_VIEW_DEPTH, path });
        }
        // The view that is at fault is named, and not those that led there.
        let in_view = |error: QueryError| match error {
            nested @ (QueryError::View { .. } | QueryError::ViewCycle { .. } | QueryError::ViewTooDeep { .. }) => {
                nested
            }
            error => QueryError::View { name: name.clone(), source: Box::new(error.into()) },
        };
        let read = ReadStatement::parse(sql, MAX_VIEW_BYTES).map_err(in_view)?;
        if !matches!(read.statement, Statement::Query(_)) || read.explain.is_some() || !read.parameters.is_empty() {
            let refused = QueryError::NotSupported {
                what: "a view that is not one SELECT without parameters".into(),
                instead: "write SELECT or WITH ... SELECT",
                position: None,
            };
            return Err(in_view(refused));
        }
        self.path.push(name.clone());
        let walked = self.statement(&read);
        self.path.pop();
        walked.map_err(in_view)?;
        self.views.push((name.clone(), read));
        Ok(())
    }

    fn unknown(&self, parts: &[&str], read: &ReadStatement) -> QueryError {
        let position = read.position_of(parts);
        let name = parts.join(".");
        let visible = self.resolver.visible();
        if let [bare] = parts {
            if bare.contains(['/', '.', '\\']) {
                return QueryError::FileAsTable { name, position };
            }
            if read.calls(bare) {
                return QueryError::UnknownTableFunction { name, position };
            }
            let candidates: Vec<_> = visible.into_iter().filter(|table| table.table() == *bare).take(3).collect();
            return QueryError::Unqualified { name, candidates, position };
        }
        let nearest = nearest_table(&name, &visible);
        QueryError::UnknownTable { name, nearest, position }
    }
}

/// The name that `wanted` is most likely meant for: the same table of another schema, or a slip of the pen.
fn nearest_table(wanted: &str, names: &[TableName]) -> Option<TableName> {
    let table = wanted.rsplit('.').next().unwrap_or(wanted);
    let elsewhere = names.iter().find(|name| name.table() == table);
    elsewhere.cloned().or_else(|| {
        let written: Vec<String> = names.iter().map(ToString::to_string).collect();
        nearest(wanted, written.iter().map(String::as_str))?.parse().ok()
    })
}

fn shown<'n>(names: impl Iterator<Item = &'n TableName>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" -> ")
}
