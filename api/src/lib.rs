//! The HTTP interface.

pub mod encode;
