//! The days on which something that is planned counts.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CalendarError, WorkCalendar};

/// The days on which a schedule counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleDays {
    /// Every day.
    #[default]
    Every,
    /// Working days by the State Council's calendar; a year that is not published yet is a failure that says so.
    Working,
    /// The other days.
    Off,
}

impl ScheduleDays {
    /// Whether `date` is one of them.
    ///
    /// # Errors
    /// [`CalendarError::NoNotice`] for a day of a year that is not published, where that matters.
    pub fn count(self, date: NaiveDate, calendar: &WorkCalendar) -> Result<bool, CalendarError> {
        Ok(match self {
            Self::Every => true,
            Self::Working => calendar.is_working_day(date)?,
            Self::Off => !calendar.is_working_day(date)?,
        })
    }
}
