//! Periods: their first and last day, as dates and as expressions.

use chrono::{Datelike, Days, Months, NaiveDate};
use datafusion::arrow::datatypes::IntervalMonthDayNanoType;
use datafusion::common::ScalarValue;
use datafusion::functions::datetime::expr_fn::{date_part, make_date};
use datafusion::logical_expr::{Expr, lit};

use super::definition::TimeGrain;

impl TimeGrain {
    /// All of them, finest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Month, Self::Quarter, Self::Year];

    /// The word used in files, requests and replies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Calendar months of one period; `None` for a day.
    pub(crate) fn months(self) -> Option<u32> {
        match self {
            Self::Day => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
        }
    }

    /// First day of the period that holds `date`.
    pub(crate) fn first_day(self, date: NaiveDate) -> NaiveDate {
        let month = match self {
            Self::Day => return date,
            Self::Month => date.month(),
            Self::Quarter => (date.month0() / 3) * 3 + 1,
            Self::Year => 1,
        };
        NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date)
    }

    /// Last day of the period that holds `date`; `None` past the calendar's end.
    pub(crate) fn last_day(self, date: NaiveDate) -> Option<NaiveDate> {
        match self.months() {
            None => Some(date),
            Some(months) => {
                self.first_day(date).checked_add_months(Months::new(months))?.checked_sub_days(Days::new(1))
            }
        }
    }

    /// Periods from the one that holds `first` to the one that holds `last`; none where `last` is earlier.
    pub(super) fn periods(self, first: NaiveDate, last: NaiveDate) -> i64 {
        let count = match self.months() {
            None => last.signed_duration_since(first).num_days() + 1,
            Some(months) => {
                let ordinal = |date| {
                    let begin = self.first_day(date);
                    (i64::from(begin.year()) * 12 + i64::from(begin.month0())) / i64::from(months)
                };
                ordinal(last) - ordinal(first) + 1
            }
        };
        count.max(0)
    }

    /// One period as an interval.
    pub(super) fn step(self) -> ScalarValue {
        match self.months() {
            None => interval(0, 1),
            Some(months) => interval(months, 0),
        }
    }

    /// First day of the period that holds the date `date` evaluates to. By parts and not by `date_trunc`, which counts in
    /// nanoseconds, and so fails on the open ends written 9999-12-31.
    pub(super) fn truncate(self, date: Expr) -> Expr {
        let part = |name: &str| date_part(lit(name), date.clone());
        let month = match self {
            Self::Day => return date,
            Self::Month => part("month"),
            Self::Quarter => part("quarter") * lit(3_i32) - lit(2_i32),
            Self::Year => lit(1_i32),
        };
        make_date(part("year"), month, lit(1_i32))
    }
}

/// An interval of whole months and days.
pub(super) fn interval(months: u32, days: u32) -> ScalarValue {
    let (months, days) = (i32::try_from(months).unwrap_or(i32::MAX), i32::try_from(days).unwrap_or(i32::MAX));
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNanoType::make_value(months, days, 0)))
}

/// A date literal.
pub(super) fn date(value: NaiveDate) -> Expr {
    lit(ScalarValue::Date32(Some(days_since_epoch(value))))
}

/// Days since 1970-01-01, which is what Arrow stores.
pub(super) fn days_since_epoch(value: NaiveDate) -> i32 {
    value.to_epoch_days()
}

/// The date of a value as Arrow stores it; the calendar's end for one behind it.
pub(super) fn date_of(days: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(days).unwrap_or(if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_begins_and_ends_where_the_calendar_says() {
        for (grain, first, last) in [
            (TimeGrain::Day, "2020-02-29", "2020-02-29"),
            (TimeGrain::Month, "2020-02-01", "2020-02-29"),
            (TimeGrain::Quarter, "2020-01-01", "2020-03-31"),
            (TimeGrain::Year, "2020-01-01", "2020-12-31"),
        ] {
            assert_eq!(grain.first_day(day("2020-02-29")), day(first));
            assert_eq!(grain.last_day(day("2020-02-29")), Some(day(last)));
        }
        assert_eq!(TimeGrain::Quarter.last_day(day("2019-11-11")), Some(day("2019-12-31")));
    }

    #[test]
    fn periods_are_counted_with_both_ends() {
        for (grain, first, last, count) in [
            (TimeGrain::Day, "2020-02-28", "2020-03-01", 3),
            (TimeGrain::Month, "2019-12-31", "2020-01-01", 2),
            (TimeGrain::Quarter, "2019-03-31", "2020-04-01", 6),
            (TimeGrain::Year, "2019-01-01", "2019-12-31", 1),
            (TimeGrain::Day, "2020-03-01", "2020-02-28", 0),
        ] {
            assert_eq!(grain.periods(day(first), day(last)), count, "{grain:?} {first} {last}");
        }
    }

    proptest! {
        #[test]
        fn every_day_lies_in_its_period_and_the_next_day_begins_another(days in -20_000i32..40_000) {
            let date = NaiveDate::from_epoch_days(days).unwrap();
            for grain in TimeGrain::ALL {
                let (first, last) = (grain.first_day(date), grain.last_day(date).unwrap());
                prop_assert!(first <= date && date <= last);
                let next = last.succ_opt().unwrap();
                prop_assert_eq!(grain.first_day(next), next);
            }
        }
    }
}
