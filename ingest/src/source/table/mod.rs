//! What delimited text and spreadsheets have in common: a header that names columns, a footer that ends the rows, and
//! what of a file is in no row.

mod footer;
mod left_out;
mod names;

pub(in crate::source) use footer::{Footer, HeldBack};
pub(in crate::source) use left_out::{LeftOut, Unit};
pub(in crate::source) use names::{NameRules, column_names};
