//! How far an input of a derived metric looks back: `1 year`, `3 month`, `7 day`.

use std::str::FromStr;

use chrono::{Days, Months, NaiveDate};
use datafusion::common::ScalarValue;

use super::definition::TimeGrain;
use super::period::interval;

/// Months, then days, to go back; both zero for an input of the same period.
///
/// Going back from a day that the target month lacks lands on that month's last day (2020-02-29 less a year is
/// 2019-02-28), as in PostgreSQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Lookback {
    months: u32,
    days: u32,
}

/// Why a text is no offset.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an offset: write a whole number from 1 and day, month, quarter or year, as in `1 year`")]
pub(super) struct InvalidLookback(String);

impl Lookback {
    /// Whether it is the same period.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// This one and then `other`.
    pub(super) fn and(self, other: Self) -> Self {
        Self { months: self.months.saturating_add(other.months), days: self.days.saturating_add(other.days) }
    }

    /// The day this far before `date`; `None` before the calendar's beginning.
    pub(super) fn before(self, date: NaiveDate) -> Option<NaiveDate> {
        date.checked_sub_months(Months::new(self.months))?.checked_sub_days(Days::new(u64::from(self.days)))
    }

    /// Whether it is a whole number of periods.
    pub(super) fn fits(self, grain: TimeGrain) -> bool {
        match grain.months() {
            None => true,
            Some(months) => self.days == 0 && self.months.is_multiple_of(months),
        }
    }

    /// As an interval.
    pub(super) fn interval(self) -> ScalarValue {
        interval(self.months, self.days)
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
        Ok(match grain.months() {
            None => Self { months: 0, days: count },
            Some(months) => Self { months: count * months, days: 0 },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_a_number_and_a_grain() {
        assert_eq!("1 year".parse::<Lookback>().unwrap(), Lookback { months: 12, days: 0 });
        assert_eq!("2 quarters".parse::<Lookback>().unwrap(), Lookback { months: 6, days: 0 });
        assert_eq!("7 day".parse::<Lookback>().unwrap(), Lookback { months: 0, days: 7 });
        for wrong in ["year", "1year", "-1 year", "0 day", "1.5 month", "1 week", "one year", "1 year ago", ""] {
            assert!(wrong.parse::<Lookback>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn fits_a_grain_when_it_is_a_whole_number_of_periods() {
        let year: Lookback = "1 year".parse().unwrap();
        assert!(TimeGrain::ALL.into_iter().all(|grain| year.fits(grain)));
        let month: Lookback = "1 month".parse().unwrap();
        assert!(month.fits(TimeGrain::Day) && month.fits(TimeGrain::Month));
        assert!(!month.fits(TimeGrain::Quarter) && !month.fits(TimeGrain::Year));
        assert!(!"7 day".parse::<Lookback>().unwrap().fits(TimeGrain::Month));
    }

    #[test]
    fn goes_back_to_the_last_day_of_a_shorter_month() {
        let leap = NaiveDate::from_ymd_opt(2020, 2, 29).unwrap();
        assert_eq!("1 year".parse::<Lookback>().unwrap().before(leap), NaiveDate::from_ymd_opt(2019, 2, 28));
    }
}
