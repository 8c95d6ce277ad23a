//! Integration tests of `xiangyun-ingest`, one module a topic.
#![allow(clippy::unwrap_used, reason = "tests")]

mod commit;
mod durability;
mod lake;
mod moto;
