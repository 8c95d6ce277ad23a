//! Integration tests of `xiangyun-ingest`, one module a topic.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests, which say aloud what they skip")]

mod alone;
mod checks;
mod commit;
mod containers;
mod databases;
mod delimited;
mod docs;
mod drift;
mod durability;
mod example;
mod fault_store;
mod faults;
mod figures;
mod formats;
mod fuzz;
mod hostile;
mod jobs;
mod kill;
mod lake;
mod loads;
mod maintain;
mod memory;
mod messages;
mod modes;
mod modes_model;
mod moto;
mod provenance;
mod push;
mod quarantine;
mod query_log;
mod redo;
mod stress;
mod twin;
mod workspace;
