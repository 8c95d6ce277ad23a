//! The engine over real lakes in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod lake;
mod cancellation;
mod checks;
mod functions;
mod functions_slt;
mod limits;
mod records;
mod slt;
mod support;
