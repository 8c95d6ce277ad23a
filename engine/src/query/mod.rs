//! Queries for one principal: the read-only gate, limits, cancellation, result streams.

mod limits;
mod request;
mod result;

pub use limits::Limits;
pub use request::{ParamValue, SqlRequest};
pub use result::{QueryResult, QueryStatus, TableVersion};
