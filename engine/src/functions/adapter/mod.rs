//! From a rule on plain values to an SQL function.
//!
//! A rule knows nothing of Arrow; an SQL function knows nothing of the rule. Between them stands one type,
//! [`ScalarRule`], which holds what differs from function to function (name, arguments, result, a line of documentation)
//! and the loop over the rows. Casting, optional arguments, scalars and NULL are dealt with here, once.

mod argument;
mod rows;
mod scalar;

pub(crate) use argument::{Argument, coerce, date, integer, text};
pub(crate) use rows::{Dates, Rows};
pub(crate) use scalar::{Section, scalar, scalar_with, text_to_bool, text_to_text};
