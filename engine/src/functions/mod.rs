//! SQL functions of government data, one folder per domain.

pub mod amounts;
pub mod calendar;
pub mod gov_codes;

/// Reference data that the functions look things up in. A project may add to it.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Working days by the State Council's notices.
    pub calendar: std::sync::Arc<calendar::WorkCalendar>,
    /// Administrative divisions and their history.
    pub divisions: std::sync::Arc<gov_codes::Divisions>,
}
