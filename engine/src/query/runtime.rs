//! What all queries share: memory, spill space, object stores, and the template every session is copied from.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock};

use crate::scratch::Scratch;

use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::context::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use url::Url;

use super::bounds;
use super::context::FunctionDoc;
use super::error::QueryError;
use super::lanes::Lanes;
use super::limits::Limits;
use super::text_concat::{self, TextConcatPlanner};

/// The catalog's name in `information_schema` and in three-part names.
pub(crate) const CATALOG: &str = "xiangyun";
/// Offset that `now()` and texts without an offset are read in: China has one zone.
const TIME_ZONE: &str = "+08:00";
/// Consumers that an out-of-memory message names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// The shared part of every query.
#[derive(Debug)]
pub(crate) struct Runtime {
    template: SessionState,
    domain_functions: Vec<FunctionDoc>,
    lanes: Lanes,
    /// Keeps the folder that queries spill to.
    _scratch: Option<Arc<Scratch>>,
}

impl Runtime {
    /// Builds pools, stores and the template. No store can be read through it until one is registered: neither local
    /// files nor addresses of the network are reachable, whatever a plan asks for.
    pub(crate) fn try_new(
        limits: &Limits,
        scalar: Vec<ScalarUDF>,
        aggregate: Vec<AggregateUDF>,
    ) -> Result<Self, QueryError> {
        let pool = TrackConsumersPool::new(FairSpillPool::new(limits.memory_bytes), NAMED_CONSUMERS);
        // A machine without room for temporary files can still answer what needs none.
        let scratch = Scratch::of_process();
        let mode = match &scratch {
            Ok(scratch) => DiskManagerMode::Directories(vec![scratch.folder().into()]),
            Err(_) => DiskManagerMode::OsTmpDirectory,
        };
        let spill = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(limits.spill_bytes);
        let env = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(spill)
            .with_object_store_registry(Arc::new(ClosedStores::default()))
            .build_arc()
            .map_err(|source| QueryError::Runtime { source })?;
        let domain_functions = documented(&scalar, &aggregate);
        let mut functions = SessionStateDefaults::default_scalar_functions();
        functions.push(Arc::new(text_concat::text_concat()));
        for function in &mut functions {
            if let Some(bounded) = bounds::bounded(function, &env.memory_pool) {
                *function = Arc::new(bounded);
            }
        }
        let mut planners = SessionStateDefaults::default_expr_planners();
        if let Some(function) = functions.iter().find(|function| function.name() == text_concat::NAME) {
            planners.insert(0, Arc::new(TextConcatPlanner { function: Arc::clone(function) }));
        }
        functions.extend(scalar.into_iter().map(Arc::new));
        let mut aggregates = SessionStateDefaults::default_aggregate_functions();
        aggregates.extend(aggregate.into_iter().map(Arc::new));
        let tables = SessionStateDefaults::default_table_functions();
        let template = SessionStateBuilder::new()
            .with_config(config(limits))
            .with_runtime_env(env)
            .with_expr_planners(planners)
            .with_scalar_functions(functions)
            .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
            .with_aggregate_functions(aggregates)
            .with_window_functions(SessionStateDefaults::default_window_functions())
            .with_table_functions(tables.into_iter().map(|table| (table.name().to_owned(), table)).collect())
            .build();
        let lanes = Lanes::new(limits.target_partitions);
        Ok(Self { template, domain_functions, lanes, _scratch: scratch.ok() })
    }

    /// A session of its own for one query that starts at `now`.
    pub(crate) fn session(&self, now: DateTime<Utc>) -> SessionState {
        let mut state = self.template.clone();
        let props = state.execution_props_mut();
        *props = datafusion::execution::context::ExecutionProps::new();
        props.query_execution_start_time = Some(now);
        state
    }

    /// Memory, spill space and stores.
    pub(crate) fn env(&self) -> &RuntimeEnv {
        self.template.runtime_env()
    }

    /// Threads that queries run on.
    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The functions that DataFusion does not bring, in the order of their names.
    pub(crate) fn domain_functions(&self) -> &[FunctionDoc] {
        &self.domain_functions
    }
}

fn documented(scalar: &[ScalarUDF], aggregate: &[AggregateUDF]) -> Vec<FunctionDoc> {
    let scalar = scalar.iter().map(|function| (function.name(), function.documentation()));
    let aggregate = aggregate.iter().map(|function| (function.name(), function.documentation()));
    let mut documented: Vec<_> = scalar
        .chain(aggregate)
        .map(|(name, documentation)| FunctionDoc {
            name: name.to_owned(),
            signature: documentation.map_or_else(|| format!("{name}(...)"), |found| found.syntax_example.clone()),
            description: documentation.map_or_else(String::new, |found| found.description.clone()),
        })
        .collect();
    documented.sort_by(|a, b| a.name.cmp(&b.name));
    documented
}

fn config(limits: &Limits) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.target_partitions.max(1))
        .with_default_catalog_and_schema(CATALOG, "public")
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let options = config.options_mut();
    options.execution.time_zone = Some(TIME_ZONE.into());
    options.execution.enable_recursive_ctes = false;
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    config
}

/// The stores that plans can read: those that the catalog and its table providers register. DataFusion's own registry
/// would hand out the local file system to anyone who asks for `file://`.
#[derive(Debug, Default)]
struct ClosedStores {
    stores: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
}

/// Scheme, host and port: what tells stores apart.
fn key(url: &Url) -> String {
    url[..url::Position::BeforePath].to_owned()
}

impl ObjectStoreRegistry for ClosedStores {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.stores.write().unwrap_or_else(PoisonError::into_inner).insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> datafusion::common::Result<Arc<dyn ObjectStore>> {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(&key(url)).cloned().ok_or_else(|| {
            DataFusionError::Execution(format!("{}:// is not the lake, and only the lake is read", url.scheme()))
        })
    }
}
