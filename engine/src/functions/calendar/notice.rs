//! What the State Council's notices say, built in and added by a project.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDate};

use super::CalendarError;

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

/// One day that a notice moves, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MovedDay {
    /// The year that the notice is for.
    pub(super) notice_year: i32,
    pub(super) date: NaiveDate,
    pub(super) off: bool,
}

/// The notices of 2007 to 2026; see `data/NOTICE.md`.
const BUILT_IN: &str = include_str!("data/cn_holidays_2007-2026.csv");

/// The days that the built-in notices move, in the order of the notices.
pub(super) fn built_in() -> impl Iterator<Item = MovedDay> {
    BUILT_IN.lines().skip(1).map(|line| {
        parse_built_in(line).expect("the embedded list has five columns, checked by a test over all of its rows")
    })
}

fn parse_built_in(line: &str) -> Option<MovedDay> {
    let mut cells = line.split(',');
    let notice_year = cells.next()?.parse().ok()?;
    let date = cells.next()?.parse().ok()?;
    let _holiday = cells.next()?;
    let off = cells.next()? == "1";
    Some(MovedDay { notice_year, date, off })
}

/// Reads the days of a project's notice.
pub(super) fn read(def: &CalendarYearDef) -> Result<Vec<MovedDay>, CalendarError> {
    let mut seen = HashSet::new();
    let read_day = |day: &CalendarDayDef| {
        let date: NaiveDate =
            day.date.parse().map_err(|_| CalendarError::NoticeDate { year: def.year, date: day.date.clone() })?;
        if (date.year() - def.year).abs() > 1 {
            return Err(CalendarError::NoticeFarDay { year: def.year, date });
        }
        if !seen.insert(date) {
            return Err(CalendarError::NoticeRepeatedDay { year: def.year, date });
        }
        Ok(MovedDay { notice_year: def.year, date, off: day.off })
    };
    def.days.iter().map(read_day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_embedded_list_is_read() {
        assert_eq!(BUILT_IN.lines().count(), 678 + 1);
        assert_eq!(built_in().count(), 678);
        let in_the_year_before = built_in().filter(|day| day.date.year() < day.notice_year).count();
        assert_eq!(in_the_year_before, 10);
    }
}
