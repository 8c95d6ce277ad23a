//! The engine over real lakes in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod functions;
mod functions_slt;
