//! Codes of the national standards: social credit, identity numbers, divisions, industries.

/// Administrative divisions and their history.
#[derive(Debug)]
pub struct Divisions {}
