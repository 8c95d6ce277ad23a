//! The HTTP interface over a small lake, called in process and, once, over a socket.

#![allow(clippy::unwrap_used, reason = "tests")]

mod access_log;
mod alerts;
mod auth;
mod batches;
mod compression;
mod dashboards;
mod errors;
mod formats;
mod lake;
mod metrics;
mod openapi;
mod provenance;
mod pushes;
mod queries;
mod rate_limits;
mod service;
mod socket;
mod streams;
mod tables;
mod telemetry;
mod tls;
mod web;
