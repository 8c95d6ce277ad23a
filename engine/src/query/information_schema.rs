//! `information_schema`: DataFusion's tables over a listing of what the principal may see. The listing comes from
//! the contracts, so that no Delta log is opened for it, and tables that were never loaded are in it.

use std::sync::Arc;

use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider, TableProvider,
};
use datafusion::common::{Result as PlanResult, TableReference};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableSource, col, lit};

use super::error::QueryError;
use super::runtime::CATALOG;
use super::scope::{Data, Resolver, Scope};
use super::translate::from_datafusion;
use crate::catalog::TableName;
use crate::catalog::system::{SYSTEM_SCHEMA, SystemTable};

type Result<T, E = QueryError> = std::result::Result<T, E>;

pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// The tables that queries see, each with a filter. DataFusion's `df_settings` is left out: it tells of the engine
/// and not of the data.
fn tables() -> [(&'static str, Option<Expr>); 6] {
    [
        ("columns", None),
        ("parameters", None),
        ("routines", None),
        ("schemata", None),
        ("tables", Some(col("table_name").not_eq(lit("df_settings")))),
        // DataFusion lists every table here, most without a definition.
        ("views", Some(col("definition").is_not_null())),
    ]
}

/// What one principal may see, as types without rows.
pub(crate) struct Listing {
    catalog: Arc<MemoryCatalogProvider>,
}

/// Lists what `resolver`'s principal may see.
pub(crate) async fn listing(resolver: &Resolver<'_>) -> Result<Listing> {
    let catalog = Arc::new(MemoryCatalogProvider::new());
    let contracts = Resolver { data: Data::Contracts, ..*resolver };
    for name in resolver.visible() {
        let provider = Box::pin(contract(&contracts, &name)).await;
        let schema = match catalog.schema(name.schema()) {
            Some(schema) => schema,
            None => {
                let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
                catalog.register_schema(name.schema(), Arc::clone(&schema)).map_err(internal)?;
                schema
            }
        };
        schema.register_table(name.table().to_owned(), provider?).map_err(internal)?;
    }
    Ok(Listing { catalog })
}

async fn contract(resolver: &Resolver<'_>, name: &TableName) -> Result<Arc<dyn TableProvider>> {
    if name.schema() == SYSTEM_SCHEMA
        && let Some(table) = SystemTable::find(name.table())
    {
        return Ok(Arc::new(EmptyTable::new(table.schema())));
    }
    if let Some(table) = resolver.project.table(name) {
        return Ok(Arc::new(EmptyTable::new(table.def.arrow_schema())));
    }
    let mut scope = Scope::default();
    let planned = resolver.resolve_names(std::slice::from_ref(name), &mut scope).await;
    match (planned, scope.source(name)) {
        (Ok(()), Some(source)) => source_as_provider(&source).map_err(internal),
        // A view that cannot be planned is listed without columns: asking it says what is wrong with it.
        _ => {
            let sql = resolver.project.view(name).map(|view| view.def.sql.clone());
            let empty = LogicalPlanBuilder::empty(false).build().map_err(internal)?;
            Ok(Arc::new(ViewTable::new(empty, sql)))
        }
    }
}

fn internal(error: datafusion::common::DataFusionError) -> QueryError {
    from_datafusion(&error).into()
}

impl Listing {
    /// A table without its rows.
    pub(crate) async fn table(&self, name: &TableName) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        match self.catalog.schema(name.schema()) {
            Some(schema) => schema.table(name.table()).await,
            None => Ok(None),
        }
    }

    /// The tables of `information_schema`.
    pub(crate) async fn sources(&self) -> PlanResult<Vec<(&'static str, Arc<dyn TableSource>)>> {
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.into(), Arc::clone(&self.catalog) as Arc<dyn CatalogProvider>);
        let provider = InformationSchemaProvider::new(Arc::new(catalogs));
        let mut sources = Vec::new();
        for (name, filter) in tables() {
            let Some(table) = provider.table(name).await? else { continue };
            let source = provider_as_source(table);
            sources.push(match filter {
                None => (name, source),
                Some(filter) => {
                    let reference = TableReference::partial(INFORMATION_SCHEMA, name);
                    let plan = LogicalPlanBuilder::scan(reference, source, None)?.filter(filter)?.build()?;
                    (name, provider_as_source(Arc::new(ViewTable::new(plan, None))))
                }
            });
        }
        Ok(sources)
    }
}
