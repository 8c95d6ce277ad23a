//! How far a metric looks back: `1 year`, `3 month`, `7 day`, `24 hours`, `5 working-days`.

use std::str::FromStr;

use chrono::{Days, Months, NaiveDate};
use datafusion::common::ScalarValue;

use super::definition::TimeGrain;
use super::period::{HOUR_NANOS, interval};

/// Months, then days, then hours to go back, or working days; all zero for an input of the same period.
///
/// Going back from a day that the target month lacks lands on that month's last day (2020-02-29 less a year is
/// 2019-02-28), as in PostgreSQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Lookback {
    months: u32,
    days: u32,
    /// Fewer than 24: more of them are days.
    hours: u32,
    working_days: u32,
}

/// Why a text is no offset.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an offset: write a whole number from 1 and hour, day, working-day, week, month, quarter or year, as in \
     `1 year`"
)]
pub(super) struct InvalidLookback(String);

impl Lookback {
    /// Whether it is the same period.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// This one and then `other`.
    pub(super) fn and(self, other: Self) -> Self {
        let hours = self.hours + other.hours;
        Self {
            months: self.months.saturating_add(other.months),
            days: self.days.saturating_add(other.days).saturating_add(hours / 24),
            hours: hours % 24,
            working_days: self.working_days.saturating_add(other.working_days),
        }
    }

    /// The day this far before `date`, hours rounded up to whole days; `None` before the calendar's beginning. Working
    /// days are left to a calendar.
    pub(super) fn before(self, date: NaiveDate) -> Option<NaiveDate> {
        let days = u64::from(self.days) + u64::from(self.hours > 0);
        date.checked_sub_months(Months::new(self.months))?.checked_sub_days(Days::new(days))
    }

    /// Whether it is a whole number of periods.
    pub(super) fn fits(self, grain: TimeGrain) -> bool {
        let Self { months, days, hours, working_days } = self;
        match (grain, grain.months()) {
            (TimeGrain::WorkingDay, _) => (months, days, hours) == (0, 0, 0),
            (TimeGrain::Hour, _) => working_days == 0,
            (TimeGrain::Week, _) => (months, hours, working_days) == (0, 0, 0) && days.is_multiple_of(7),
            (_, Some(length)) => (days, hours, working_days) == (0, 0, 0) && months.is_multiple_of(length),
            (_, None) => (hours, working_days) == (0, 0),
        }
    }

    /// How many working days it goes back.
    pub(super) fn working_days(self) -> u32 {
        self.working_days
    }

    /// How many periods of `grain` it goes back, where all of them are equally many days.
    pub(super) fn periods(self, grain: TimeGrain) -> Option<u32> {
        match (grain, grain.months()) {
            (TimeGrain::WorkingDay, _) => Some(self.working_days),
            (TimeGrain::Week, _) => Some(self.days / 7),
            (_, Some(length)) => Some(self.months / length),
            (TimeGrain::Day, _) if self.months == 0 => Some(self.days),
            _ => None,
        }
    }

    /// What lies between a period of `grain` and the one so far before it, as the column of periods is ordered by: an
    /// interval, or a number of working days.
    pub(super) fn distance(self, grain: TimeGrain) -> ScalarValue {
        match grain {
            TimeGrain::WorkingDay => ScalarValue::Int64(Some(i64::from(self.working_days))),
            _ => interval(i64::from(self.months), i64::from(self.days), i64::from(self.hours) * HOUR_NANOS),
        }
    }

    /// The same for the first of the periods that end with the present one and reach this far: one period less.
    pub(super) fn reach(self, grain: TimeGrain) -> ScalarValue {
        let (months, days) = (i64::from(self.months), i64::from(self.days));
        let nanos = i64::from(self.hours) * HOUR_NANOS;
        match (grain, grain.months()) {
            (TimeGrain::WorkingDay, _) => ScalarValue::Int64(Some(i64::from(self.working_days) - 1)),
            (TimeGrain::Hour, _) => interval(months, days, nanos - HOUR_NANOS),
            (TimeGrain::Week, _) => interval(months, days - 7, nanos),
            (_, Some(length)) => interval(months - i64::from(length), days, nanos),
            (_, None) => interval(months, days - 1, nanos),
        }
    }
}

impl FromStr for Lookback {
    type Err = InvalidLookback;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidLookback(text.into());
        let (count, unit) = text.trim().split_once(' ').ok_or_else(invalid)?;
        let count: u32 = count.parse().ok().filter(|count| (1..=36_525).contains(count)).ok_or_else(invalid)?;
        let unit = unit.trim();
        let grain: TimeGrain = unit.strip_suffix('s').unwrap_or(unit).parse().map_err(|_| invalid())?;
        let none = Self::default();
        Ok(match (grain, grain.months()) {
            (TimeGrain::Hour, _) => Self { days: count / 24, hours: count % 24, ..none },
            (TimeGrain::WorkingDay, _) => Self { working_days: count, ..none },
            (TimeGrain::Week, _) => Self { days: count * 7, ..none },
            (_, Some(months)) => Self { months: count * months, ..none },
            (_, None) => Self { days: count, ..none },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Lookback {
        text.parse().unwrap()
    }

    #[test]
    fn reads_a_number_and_a_grain() {
        let none = Lookback::default();
        assert_eq!(read("1 year"), Lookback { months: 12, ..none });
        assert_eq!(read("2 quarters"), Lookback { months: 6, ..none });
        assert_eq!(read("7 day"), Lookback { days: 7, ..none });
        assert_eq!(read("1 week"), read("7 days"));
        assert_eq!(read("24 hours"), read("1 day"));
        assert_eq!(read("30 hours"), Lookback { days: 1, hours: 6, ..none });
        assert_eq!(read("5 working-days"), Lookback { working_days: 5, ..none });
        for wrong in ["year", "1year", "-1 year", "0 day", "1.5 month", "1 decade", "one year", "1 year ago", ""] {
            assert!(wrong.parse::<Lookback>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn fits_a_grain_when_it_is_a_whole_number_of_periods() {
        let fitting = |text: &str| {
            let lookback = read(text);
            let fitting = TimeGrain::ALL.into_iter().filter(|grain| lookback.fits(*grain));
            fitting.map(TimeGrain::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(fitting("1 year"), "hour day month quarter year");
        assert_eq!(fitting("1 month"), "hour day month");
        assert_eq!(fitting("8 days"), "hour day");
        assert_eq!(fitting("2 weeks"), "hour day week");
        assert_eq!(fitting("6 hours"), "hour");
        assert_eq!(fitting("48 hours"), "hour day");
        assert_eq!(fitting("1 working-day"), "working-day");
    }

    #[test]
    fn goes_back_to_the_last_day_of_a_shorter_month() {
        let leap = NaiveDate::from_ymd_opt(2020, 2, 29).unwrap();
        assert_eq!(read("1 year").before(leap), NaiveDate::from_ymd_opt(2019, 2, 28));
        assert_eq!(read("25 hours").before(leap), NaiveDate::from_ymd_opt(2020, 2, 27));
    }

    #[test]
    fn hours_of_two_offsets_become_days() {
        assert_eq!(read("20 hours").and(read("10 hours")), read("30 hours"));
    }
}
