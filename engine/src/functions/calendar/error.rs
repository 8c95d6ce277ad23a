//! What a calendar cannot answer.

use chrono::NaiveDate;

use super::china_time::from_days;
use crate::error::{Classify, ErrorKind};

/// A question that the calendar cannot answer, or a notice that it cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The year lies outside the published ones.
    #[error("no working-day notice for {year}: the published years are {first} to {last}")]
    NoNotice {
        /// The year asked for.
        year: i32,
        /// The first published year.
        first: i32,
        /// The last published year.
        last: i32,
    },
    /// The end lies before the start.
    #[error("working days cannot be counted from {start} to {end}: the end lies before the start")]
    Reversed {
        /// The start.
        start: NaiveDate,
        /// The end.
        end: NaiveDate,
    },
    /// A pause without a beginning.
    #[error("a pause that ends on {end} has no beginning")]
    PauseWithoutStart {
        /// The pause's last day.
        end: NaiveDate,
    },
    /// A day outside the years that dates can have.
    #[error("{days} days from 1970-01-01 is not a date")]
    NotADate {
        /// Days since 1970-01-01.
        days: i32,
    },
    /// A notice's day that is not a date.
    #[error("notice for {year}: `{date}` is not a date written YYYY-MM-DD")]
    NoticeDate {
        /// The notice's year.
        year: i32,
        /// What stands there.
        date: String,
    },
    /// A notice's day more than a year away.
    #[error("notice for {year}: {date} lies more than one year away")]
    NoticeFarDay {
        /// The notice's year.
        year: i32,
        /// The day.
        date: NaiveDate,
    },
    /// A notice that lists a day twice.
    #[error("notice for {year}: {date} is listed twice")]
    NoticeRepeatedDay {
        /// The notice's year.
        year: i32,
        /// The day.
        date: NaiveDate,
    },
    /// Two notices for one year.
    #[error("two notices for {year}")]
    NoticeRepeatedYear {
        /// The year.
        year: i32,
    },
    /// A notice before the built-in years.
    #[error("notice for {year}: the calendar begins with {first}")]
    NoticeTooEarly {
        /// The notice's year.
        year: i32,
        /// The first built-in year.
        first: i32,
    },
    /// A notice that leaves years without one.
    #[error("notice for {year}: the last published year before it is {last}, the years between have no notice")]
    NoticeGap {
        /// The notice's year.
        year: i32,
        /// The last year before it.
        last: i32,
    },
}

impl CalendarError {
    /// The end lies before the start; both in days since 1970-01-01.
    #[cold]
    pub(super) fn reversed(start: i32, end: i32) -> Self {
        match (from_days(start), from_days(end)) {
            (Some(start), Some(end)) => Self::Reversed { start, end },
            (None, _) => Self::NotADate { days: start },
            (_, None) => Self::NotADate { days: end },
        }
    }

    /// A pause whose end alone is known, in days since 1970-01-01.
    pub(super) fn pause_without_start(end: i32) -> Self {
        from_days(end).map_or(Self::NotADate { days: end }, |end| Self::PauseWithoutStart { end })
    }
}

impl Classify for CalendarError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoNotice { .. } | Self::Reversed { .. } | Self::PauseWithoutStart { .. } | Self::NotADate { .. } => {
                ErrorKind::Sql
            }
            _ => ErrorKind::InvalidInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoNotice { year, last, .. } if year > last => Some(format!(
                "add the State Council's notice as `calendar/{year}.toml`, or use the function's `try_` variant, which gives NULL"
            )),
            Self::NoNotice { .. } | Self::Reversed { .. } => {
                Some("the function's `try_` variant gives NULL instead".to_owned())
            }
            Self::NoticeGap { last, .. } => Some(format!("add the notice for {}", last + 1)),
            _ => None,
        }
    }
}
