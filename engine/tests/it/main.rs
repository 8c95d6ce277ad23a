//! The engine over real lakes in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod cancellation;
mod checks;
mod functions;
mod lake;
mod limits;
mod panics;
mod records;
mod service;
mod slt;
mod support;
