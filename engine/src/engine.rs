//! The engine: a project over a lake.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::clock::{Clock, system_clock};
use crate::error::Result;
use crate::functions::{self, Reference};
use crate::policy::Principal;
use crate::project::{Diagnostics, Project};
use crate::query::{
    self, Admission, CacheCounts, CacheSize, CacheUses, ClassLoad, Compiled, Kept, Limits, LogQueries, QueryContext,
    QuerySink, Registry, ResultCache, Runtime,
};
use crate::semantic::Models;
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
    runtime: Runtime,
    models: Models,
    sink: Arc<dyn QuerySink>,
    registry: Registry,
    admission: Admission,
    kept: Arc<Kept>,
    cache: Arc<ResultCache>,
    cache_uses: CacheUses,
}

impl Engine {
    /// Opens the lake's catalog. Tables that are declared and not loaded yet are no fault.
    pub async fn open(options: EngineOptions) -> Result<Self> {
        Self::open_recording(options, Arc::new(LogQueries)).await
    }

    /// As [`Self::open`]; records of queries go to `sink`.
    pub async fn open_recording(options: EngineOptions, sink: Arc<dyn QuerySink>) -> Result<Self> {
        let reference = reference(&options.project)?;
        let runtime = runtime(&reference, &options.clock, &options.limits)?;
        // What is faulty is left out here and reported by `check`: one broken model does not stop a server.
        let mut faults = Diagnostics::default();
        let session = runtime.session(options.clock.now());
        let Compiled { models, synthetic_views } = query::compile(&options.project, &session, &mut faults).await;
        for fault in faults.iter() {
            tracing::warn!(file = %fault.source.path.display(), "left out: {}", fault.message);
        }
        let (storage, project) = (options.storage.clone(), Arc::clone(&options.project));
        let catalog = Catalog::with_synthetic_views(storage, project, synthetic_views);
        catalog.register_store(runtime.env())?;
        let (registry, admission) = (Registry::default(), Admission::new(&options.limits));
        let kept = Arc::new(Kept::new(options.limits.kept));
        let cache = Arc::new(ResultCache::new(options.limits.cache_bytes));
        let cache_uses = CacheUses::default();
        let inner =
            Inner { options, reference, catalog, runtime, models, sink, registry, admission, kept, cache, cache_uses };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Checks everything that needs the planner and no data: views and metrics are parsed and typed against the
    /// contracts, with the place of each fault.
    pub async fn check(project: &Project, diagnostics: &mut Diagnostics) {
        // Faults of the calendar are the loader's to report; the built-in years do for typing.
        let reference = reference(project).unwrap_or_else(|_| Reference::built_in());
        let clock = system_clock();
        let limits = Limits { target_partitions: 1, ..Limits::default() };
        let Ok(runtime) = runtime(&reference, &clock, &limits) else { return };
        let session = runtime.session(clock.now());
        let Compiled { models, .. } = query::compile(project, &session, diagnostics).await;
        query::check_uses(project, &models, &session, clock.today(), diagnostics).await;
    }

    /// The declarations.
    pub fn project(&self) -> &Project {
        &self.inner.options.project
    }

    /// The lake.
    pub fn storage(&self) -> &Storage {
        &self.inner.options.storage
    }

    /// The limits of queries.
    pub fn limits(&self) -> &Limits {
        &self.inner.options.limits
    }

    /// Bytes that the operators of running queries hold of what the limits allow.
    pub fn reserved_bytes(&self) -> usize {
        self.inner.runtime.env().memory_pool.reserved()
    }

    /// How many queries of each class run and wait now.
    pub fn load(&self) -> impl Iterator<Item = ClassLoad> {
        self.inner.admission.load()
    }

    /// How often the cache of results had the rows of a query. Whole replies that a door keeps are for that one to count.
    pub fn cache_counts(&self) -> CacheCounts {
        self.inner.cache_uses.counts()
    }

    /// What the cache of results and replies holds.
    pub fn cache_size(&self) -> CacheSize {
        self.inner.cache.size()
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

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    pub(crate) fn models(&self) -> &Models {
        &self.inner.models
    }

    pub(crate) fn sink(&self) -> &Arc<dyn QuerySink> {
        &self.inner.sink
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    pub(crate) fn kept(&self) -> &Arc<Kept> {
        &self.inner.kept
    }

    pub(crate) fn cache_uses(&self) -> &CacheUses {
        &self.inner.cache_uses
    }

    pub(crate) fn cache(&self) -> &Arc<ResultCache> {
        &self.inner.cache
    }

    /// Everything that `principal` may ask.
    pub fn query_as(&self, principal: Principal) -> QueryContext {
        QueryContext::new(self.clone(), principal)
    }
}

fn reference(project: &Project) -> Result<Reference> {
    let years: Vec<_> = project.calendar.iter().map(|year| year.def.as_ref().clone()).collect();
    Ok(Reference::with_calendar_years(&years)?)
}

fn runtime(reference: &Reference, clock: &Arc<dyn Clock>, limits: &Limits) -> Result<Runtime> {
    let scalar = functions::scalar_functions(reference, clock);
    let aggregate = functions::aggregate_functions(reference);
    Ok(Runtime::try_new(limits, scalar, aggregate)?)
}
