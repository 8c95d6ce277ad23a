//! Queries for one principal: the read-only gate, limits, cancellation, result streams.
//!
//! A statement passes, in this order: `statement` (size, one statement, reading only), `scope` (names become
//! tables, each pinned to one version, by way of `policy`), `planner` (a logical plan, parameters bound),
//! `gate` (the plan holds reading nodes only), `run` (deadline, row limit, stream).

mod bounds;
mod check;
mod context;
mod dashboards;
mod error;
mod explain;
mod gate;
mod hidden;
mod information_schema;
mod limits;
mod many;
mod metrics;
mod origins;
mod parameters;
mod planner;
mod provenance;
mod request;
mod result;
mod run;
mod runtime;
mod scope;
mod sink;
mod stack;
mod statement;
mod stop;
mod traced;
mod translate;
mod views;
mod written;

pub use context::{FunctionDoc, QueryContext};
pub use dashboards::{Choices, TileQuestion};
pub use explain::MetricExplanation;
pub use limits::Limits;
pub(crate) use metrics::check_uses;
pub(crate) use metrics::{Compiled, compile};
pub use origins::{FigureOrigins, FileOrigin, LineOrigin, OriginPage};
pub use provenance::{Depth, Promise, RunMention, TableProvenance};
pub use request::{ParamValue, SqlRequest};
pub use result::{QueryResult, QueryStatus, TableVersion};
pub(crate) use runtime::Runtime;
pub use scope::Pins;
pub use sink::{LogQueries, QueryOutcome, QueryRecord, QuerySink};
