//! The HTTP interface over a small lake, called in process and, once, over a socket.

#![allow(clippy::unwrap_used, reason = "tests")]

mod auth;
mod errors;
mod formats;
mod lake;
mod metrics;
mod openapi;
mod pushes;
mod queries;
mod service;
mod socket;
mod streams;
mod tables;
mod web;
