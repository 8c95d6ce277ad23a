//! Codes of the national standards: social credit, identity numbers, divisions, industries, and masks for personal data.

pub mod divisions;
pub mod identity_number;
pub mod industry;
pub mod masks;
mod sql;
pub mod uscc;

pub use divisions::Divisions;
pub(super) use sql::scalar_functions;
