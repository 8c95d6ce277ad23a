//! Administrative divisions as of a date.
//!
//! Two lists are built in. The *history* (Ministry of Civil Affairs) knows provinces, prefectures and counties by year
//! from 1981 to 2024: the state at each year's end. The *2023 edition* (National Bureau of Statistics) adds townships
//! and statistical units that are no divisions, such as development zones and the 市辖区 between a municipality and its
//! districts; it knows one state only, and what comes from it is marked by its [`Edition`]. A date is looked up by its
//! year; later years have the last known state, earlier ones none.

mod code;
mod history;
mod names;
mod statistical;
mod succession;
mod table;

pub(super) use code::is_province;
pub use code::{DivisionCode, Level};
pub use table::{Divisions, Edition};
