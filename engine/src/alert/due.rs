//! Periods with their ends, and those for which there should be data by now.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use crate::clock::china_date_of;
use crate::functions::calendar::china_time::{midnight_seconds, to_days};
use crate::functions::calendar::{CalendarError, WorkCalendar};
use crate::semantic::{Periods, TimeGrain};

/// Periods that are stepped back over at the most while looking for those that are due.
const MOST_STEPS: u32 = 5_000;

/// A period of an answer, or one that should be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    /// When it begins.
    pub(crate) starts_at: DateTime<Utc>,
    /// When it has ended.
    pub(crate) ends_at: DateTime<Utc>,
    /// The day that it begins on, in China.
    pub(crate) first_day: NaiveDate,
    /// The day that it ends with.
    pub(crate) last_day: NaiveDate,
}

impl Slot {
    /// The hour that begins at `starts_at`.
    pub(crate) fn hour(starts_at: DateTime<Utc>) -> Self {
        let day = china_date_of(starts_at);
        Self { starts_at, ends_at: starts_at + TimeDelta::hours(1), first_day: day, last_day: day }
    }

    /// The period of `periods` whose first day is `first`; none past the calendar's end.
    pub(crate) fn days(first: NaiveDate, periods: &Periods) -> Option<Self> {
        let last = periods.last_day(first)?;
        let ends_at = midnight(last.succ_opt()?)?;
        Some(Self { starts_at: midnight(first)?, ends_at, first_day: first, last_day: last })
    }

    /// As answers write it: the first day, or the hour with its offset.
    pub(crate) fn text(&self, grain: TimeGrain) -> String {
        match grain {
            TimeGrain::Hour => {
                let offset = chrono::FixedOffset::east_opt(crate::clock::CHINA_OFFSET_SECONDS);
                offset.map_or_else(
                    || self.starts_at.to_rfc3339(),
                    |zone| self.starts_at.with_timezone(&zone).to_rfc3339(),
                )
            }
            _ => self.first_day.to_string(),
        }
    }
}

/// When `day` begins in China.
fn midnight(day: NaiveDate) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(midnight_seconds(to_days(day)), 0)
}

/// The latest `count` periods for which there should be data at `now`, newest first: they have ended, and `grace`
/// working days have passed since.
///
/// # Errors
/// [`CalendarError::NoNotice`] where working days of a year that is not published matter.
pub(crate) fn expected(
    grain: TimeGrain,
    year_start: u32,
    count: u32,
    grace: u32,
    now: DateTime<Utc>,
    calendar: &WorkCalendar,
) -> Result<Vec<Slot>, CalendarError> {
    let (today, periods) = (china_date_of(now), Periods::new(grain, year_start));
    let mut found = Vec::new();
    let mut at = running(grain, &periods, now);
    for _ in 0..MOST_STEPS {
        let Some(slot) = at.filter(|_| found.len() < count as usize) else { break };
        let due =
            slot.ends_at <= now && (grace == 0 || calendar.add_working_days(slot.last_day, i64::from(grace))? < today);
        // A day off is no period where working days are.
        let counts = grain != TimeGrain::WorkingDay || calendar.is_working_day(slot.last_day)?;
        if due && counts {
            found.push(slot);
        }
        at = before(slot, grain, &periods);
    }
    Ok(found)
}

/// The period that holds `now`; of working days the day, worked or not.
fn running(grain: TimeGrain, periods: &Periods, now: DateTime<Utc>) -> Option<Slot> {
    match grain {
        TimeGrain::Hour => {
            let begun = now.timestamp().rem_euclid(3600);
            DateTime::from_timestamp(now.timestamp() - begun, 0).map(Slot::hour)
        }
        _ => Slot::days(periods.first_day(china_date_of(now)), periods),
    }
}

fn before(slot: Slot, grain: TimeGrain, periods: &Periods) -> Option<Slot> {
    match grain {
        TimeGrain::Hour => Some(Slot::hour(slot.starts_at - TimeDelta::hours(1))),
        _ => {
            let last = slot.first_day.checked_sub_days(Days::new(1))?;
            Slot::days(periods.first_day(last), periods)
        }
    }
}
