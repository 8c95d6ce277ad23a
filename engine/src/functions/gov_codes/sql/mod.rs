//! The SQL functions over the rules of this folder.

mod divisions;
mod identity_number;
mod industry;
mod masks;
mod uscc;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::Divisions;
use crate::clock::Clock;

/// All functions of codes.
pub(in crate::functions) fn scalar_functions(divisions: &Arc<Divisions>, clock: &Arc<dyn Clock>) -> Vec<ScalarUDF> {
    let topics = [
        uscc::scalar_functions(divisions),
        identity_number::scalar_functions(clock),
        masks::scalar_functions(divisions),
        divisions::scalar_functions(divisions),
        industry::scalar_functions(),
    ];
    topics.into_iter().flatten().collect()
}
