//! Pipelines that run by themselves: what is due, one run at a time, again after a failure that may pass.
//!
//! The schedule keeps no state of its own. What was done is told by `system.runs`; that nobody else does it at the
//! same time, by a [`lease`] on the object store. Two processes that work one schedule therefore share the work, and
//! one that is killed leaves nothing behind but a lease that expires. That nothing is loaded twice does not rest on
//! the lease: the commit sees to it.

mod arrival;
mod due;
mod error;
mod last_runs;
pub mod lease;
mod promises;
mod timetable;
mod worker;

pub use due::{Due, Reason};
pub use error::JobError;
pub(crate) use lease::Leases;
pub use promises::FRESHNESS;
pub use timetable::{Timetable, check_schedule};
pub use worker::{JobOptions, JobOutcome, JobReport, Jobs, Planned};
