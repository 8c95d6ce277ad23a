//! Amounts of money and numbers as agencies write them.

mod amount;
mod currency;
mod decimal;
mod percent;
mod sql;

pub use amount::{Amount, AmountError, RAW_SCALE, VALUE_SCALE, parse};
pub use percent::{PERCENT_SCALE, parse as parse_percent};
pub(super) use sql::scalar_functions;
