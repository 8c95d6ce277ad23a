//! Everything that writes: sources, checks, commits, pipelines and jobs.

pub mod commit;
pub mod failpoint;
mod ingest;
pub mod pipeline;
pub mod progress;
pub mod source;

pub use ingest::{Ingest, LoadOptions, LoadOutcome, LoadReport, RejectSample};
