//! The binary, run as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alert;
mod check;
mod config;
mod demo;
mod formats;
mod infer;
mod init;
mod load;
mod maintain;
mod metric;
mod quarantine;
mod run;
mod serve;
mod sql;
mod support;
mod table;
mod usage;
