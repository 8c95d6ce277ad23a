//! Working days by the State Council's calendar, and Chinese dates.

/// Working days by the State Council's notices, for the years that have one.
#[derive(Debug)]
pub struct WorkCalendar {}

/// One day that a notice moves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarDayDef {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// True for a day off, false for a weekend day that is worked (调休).
    pub off: bool,
    /// The holiday.
    pub holiday: String,
}

/// `calendar/*.toml`: the State Council's notice for one year. Days it does not list follow Monday to Friday.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarYearDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// The year that the notice is for; days of the neighbouring years may be among its days.
    pub year: i32,
    /// The notice's address or number.
    pub notice: String,
    /// The days that differ from Monday to Friday.
    pub days: Vec<CalendarDayDef>,
}

impl crate::project::Resource for CalendarYearDef {
    const FOLDER: &'static str = "calendar";
    const KIND: &'static str = "calendar year";
    const VERSION: u32 = 1;
}
