//! The binary, run as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alert;
mod check;
#[cfg(unix)]
mod collector;
mod config;
mod demo;
mod formats;
mod infer;
mod init;
mod load;
mod maintain;
mod metric;
mod quarantine;
mod rollup;
mod run;
mod serve;
mod sql;
mod support;
mod table;
#[cfg(unix)]
mod traces;
mod usage;
