//! The HTTP interface over a small lake, called in process and, once, over a socket.

#![allow(clippy::unwrap_used, reason = "tests")]

mod auth;
mod batches;
mod dashboards;
mod errors;
mod formats;
mod lake;
mod metrics;
mod provenance;
mod pushes;
mod queries;
mod socket;
mod streams;
mod tables;
mod web;
