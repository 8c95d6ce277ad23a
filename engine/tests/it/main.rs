//! The engine over real lakes in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod alone;
mod cancellation;
mod checks;
mod functions;
mod hostile;
mod lake;
mod limits;
mod panics;
mod records;
mod service;
mod slt;
mod support;
