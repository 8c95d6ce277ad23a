//! SQL functions of government data, one folder per domain.
//!
//! Rules are plain Rust on plain values, public, and know nothing of Arrow; the SQL functions beside them only walk
//! arrays. Every function has a [`Documentation`](datafusion::logical_expr::Documentation) entry with its signature and
//! one line; `docs/sql-functions.md` is written from them. Functions depend on nothing but their arguments, the
//! [`Reference`] data and the clock, so that a worker registers the same functions by name.

pub(crate) mod adapter;
pub mod amounts;
pub mod calendar;
mod chinese_numeral;
mod fold;
pub mod gov_codes;
mod missing;
mod reference;
pub mod sketches;

pub use missing::is_missing;
pub use reference::{Reference, aggregate_functions, scalar_functions};
