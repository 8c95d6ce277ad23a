//! The days that generated records lie on, and how official work moves over them.

use chrono::{Datelike, NaiveDate};
use xiangyun_engine::functions::calendar::{CalendarError, WorkCalendar};

use super::random::Random;

/// Days since 1970-01-01, in Shanghai.
pub(super) type Day = i32;
/// Microseconds since 1970-01-01T00:00Z.
pub(super) type Instant = i64;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Shanghai is UTC+8 all year (no summer time since 1991).
const SHANGHAI: i64 = 8 * 3_600 * SECOND;

/// First and last year of the records. Both have a published calendar.
pub(super) const YEARS: (i32, i32) = (2018, 2025);

/// How many records a month brings against the others, January first: quiet at Spring Festival, busy after it and
/// before the year's end.
const SEASON: [u64; 12] = [90, 60, 115, 110, 105, 105, 100, 100, 105, 95, 110, 105];

/// The first day of a year.
pub(super) fn new_year(year: i32) -> Day {
    day_of(year, 1, 1)
}

/// The day of a date that exists.
pub(super) fn day_of(year: i32, month: u32, day: u32) -> Day {
    let date = NaiveDate::from_ymd_opt(year, month, day).expect("callers name days that exist");
    date.to_epoch_days()
}

/// The date of a day.
pub(super) fn date_of(day: Day) -> NaiveDate {
    NaiveDate::from_epoch_days(day).expect("the records' days lie in this century")
}

/// The year of a day.
pub(super) fn year_of(day: Day) -> i32 {
    date_of(day).year()
}

/// `minutes` after midnight of `day`, in Shanghai.
pub(super) fn instant(day: Day, minutes: i64, random: &mut Random) -> Instant {
    i64::from(day) * DAY + (minutes * 60 + random.below(60) as i64) * SECOND - SHANGHAI
}

/// The day in Shanghai on which an instant lies.
pub(super) fn day_at(instant: Instant) -> Day {
    (instant + SHANGHAI).div_euclid(DAY) as Day
}

/// `minutes` later by the wall clock.
pub(super) fn minutes_after(instant: Instant, minutes: i64) -> Instant {
    instant + minutes * 60 * SECOND
}

/// The records' days, [`YEARS`] in full, and which of them are worked.
#[derive(Debug)]
pub(super) struct Days {
    /// Working days, rising.
    working: Vec<Day>,
    /// Per day: how many working days lie before it.
    before: Vec<usize>,
}

impl Days {
    /// By the State Council's notices.
    pub(super) fn new(calendar: &WorkCalendar) -> Result<Self, CalendarError> {
        let (mut working, mut before) = (Vec::new(), Vec::new());
        for day in Self::first()..=Self::last() {
            before.push(working.len());
            if calendar.is_working_day(date_of(day))? {
                working.push(day);
            }
        }
        Ok(Self { working, before })
    }

    pub(super) fn first() -> Day {
        new_year(YEARS.0)
    }

    /// The last day on which anything can have happened: what is unfinished then stays open.
    pub(super) fn last() -> Day {
        new_year(YEARS.1 + 1) - 1
    }

    pub(super) fn is_working(&self, day: Day) -> bool {
        self.working.get(self.before[(day - Self::first()) as usize]) == Some(&day)
    }

    /// The day `n` working days after `day`, which itself is not counted; `n` = 0 is the day itself where it is
    /// worked and the next working day where it is not. None when that lies behind the last day.
    pub(super) fn add_working(&self, day: Day, n: i64) -> Option<Day> {
        let before = *self.before.get(usize::try_from(day - Self::first()).ok()?)?;
        let offset = if self.is_working(day) || n == 0 { n } else { n - 1 };
        self.working.get(before + usize::try_from(offset).ok()?).copied()
    }

    /// A moment of office work (8:30-11:30, 13:00-17:00) `n` working days after `start`, never before it. None when it
    /// lies behind the last day.
    pub(super) fn office(&self, start: Instant, n: i64, random: &mut Random) -> Option<Instant> {
        let minute = random.below(420) as i64;
        let minute = if minute < 180 { 510 + minute } else { 600 + minute };
        let mut day = self.add_working(day_at(start), n)?;
        let mut end = instant(day, minute, random);
        if end <= start {
            day = self.add_working(day, 1)?;
            end = instant(day, minute, random);
        }
        Some(end)
    }
}

/// How records spread over the days: record `i` of `n` gets a day that never lies before record `i - 1`'s.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Per day: the weights up to and with it.
    cumulated: Vec<u64>,
}

impl Arrivals {
    /// `off_days` is a day off's weight against a working day's 100; `growth` what a year brings against the one
    /// before, in 1/1,000.
    pub(super) fn new(days: &Days, off_days: u64, growth: &[u64; 8]) -> Self {
        let mut level = 1_000;
        let mut sum = 0;
        let mut cumulated = Vec::with_capacity(days.before.len());
        for day in Days::first()..=Days::last() {
            let date = date_of(day);
            if date.ordinal() == 1 {
                level = level * growth[(date.year() - YEARS.0) as usize] / 1_000;
            }
            let weight = if days.is_working(day) { 100 } else { off_days };
            sum += weight * level * SEASON[date.month0() as usize];
            cumulated.push(sum);
        }
        Self { cumulated }
    }

    /// The day of record `i` of `n`.
    pub(super) fn day(&self, i: u64, n: u64, random: &mut Random) -> Day {
        let total = self.cumulated.last().copied().unwrap_or(1);
        let from = (u128::from(i) * u128::from(total) / u128::from(n)) as u64;
        let to = (u128::from(i + 1) * u128::from(total) / u128::from(n)) as u64;
        let position = from + random.below((to - from).max(1));
        Days::first() + self.cumulated.partition_point(|sum| *sum <= position) as Day
    }
}
