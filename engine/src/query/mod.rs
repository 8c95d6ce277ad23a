//! Queries for one principal: the read-only gate, limits, cancellation, result streams.
//!
//! A statement passes, in this order: `registry` (it is known by its id from here on), `statement` (size, one statement,
//! reading only), `scope` (names become tables, each pinned to one version, by way of `policy`), `planner` (a logical
//! plan, parameters bound), `gate` (the plan holds reading nodes only), `prepared` (does the caller, or the `cache`, have
//! the answer already?), `admission` (a slot of its class), `run` (deadline, limits, stream). `kept` runs statements while
//! nobody waits; `recall` gives whole replies again before any of this.

mod admission;
mod alerts;
mod bounds;
mod cache;
mod cache_uses;
mod check;
mod context;
mod dashboards;
mod derived;
mod error;
mod expansion;
mod explain;
mod few_groups;
mod gate;
mod held;
mod hidden;
mod information_schema;
mod kept;
mod lanes;
mod limits;
mod many;
mod metrics;
mod named;
mod origins;
mod parameters;
mod planner;
mod pool;
mod prepared;
mod profile;
mod provenance;
mod recall;
mod registry;
mod request;
mod result;
mod rollups;
mod run;
mod runtime;
mod scope;
mod sink;
mod spans;
mod stack;
mod statement;
mod stop;
mod text_concat;
mod traced;
mod translate;
mod views;
mod windows;
mod written;

pub(crate) use admission::Admission;
pub use admission::ClassLoad;
pub(crate) use cache::ResultCache;
pub use cache::{CacheSize, CacheUse};
pub use cache_uses::CacheCounts;
pub(crate) use cache_uses::CacheUses;
pub use context::{FunctionDoc, QueryContext};
pub use dashboards::{Choices, TileQuestion};
pub use explain::MetricExplanation;
pub(crate) use kept::Kept;
pub use kept::{KeptResult, ResultChunk, Submission};
pub use limits::{ClassLimits, KeptLimits, Limits};
pub use metrics::PreparedMetric;
pub(crate) use metrics::{Compiled, check_uses, compile};
pub use origins::{FigureOrigins, FileOrigin, LineOrigin, OriginPage};
pub use prepared::Prepared;
pub use profile::{ProfileNode, Scanned};
pub use provenance::{Depth, Promise, RunMention, TableProvenance};
pub use recall::{Question, Recalled, ReplyPlace};
pub(crate) use registry::Registry;
pub use registry::{QueryFailure, QueryInfo, QueryState};
pub use request::{AsOf, ParamValue, SqlRequest};
pub use result::{QueryResult, QueryStatus, TableVersion};
pub use rollups::{Rolled, RolledRows, RollupBase, RollupFacts};
pub(crate) use runtime::Runtime;
pub use scope::Pins;
pub use sink::{LogQueries, QueryOutcome, QueryRecord, QuerySink};
