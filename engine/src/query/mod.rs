//! Queries for one principal: the read-only gate, limits, cancellation, result streams.
//!
//! A statement passes, in this order: `statement` (size, one statement, reading only), `scope` (names become
//! tables, each pinned to one version, by way of `policy`), `planner` (a logical plan, parameters bound),
//! `gate` (the plan holds reading nodes only), `run` (deadline, row limit, stream).

mod bounds;
mod check;
mod context;
mod error;
mod gate;
mod hidden;
mod information_schema;
mod limits;
mod metrics;
mod parameters;
mod planner;
mod request;
mod result;
mod run;
mod runtime;
mod scope;
mod sink;
mod stack;
mod statement;
mod stop;
mod translate;
mod views;

pub use context::{FunctionDoc, QueryContext};
pub use limits::Limits;
pub(crate) use metrics::{Compiled, compile};
pub use request::{ParamValue, SqlRequest};
pub use result::{QueryResult, QueryStatus, TableVersion};
pub(crate) use runtime::Runtime;
pub use sink::{LogQueries, QueryOutcome, QueryRecord, QuerySink};
