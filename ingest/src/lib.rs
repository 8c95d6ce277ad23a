//! Everything that writes: sources, checks, commits, pipelines and jobs.

pub mod alert;
pub mod check;
pub mod commit;
pub mod connection;
pub mod failpoint;
pub mod freshness;
pub mod infer;
mod ingest;
pub mod jobs;
pub mod maintain;
pub mod observe;
pub mod pipeline;
pub mod progress;
pub mod push;
pub mod quarantine;
mod query_log;
mod run;
pub mod source;
mod spans;

pub use ingest::{Declarations, Ingest, LoadOptions, LoadOutcome, LoadReport, RejectSample, Trigger};
pub use query_log::QueryLog;
