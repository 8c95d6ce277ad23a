//! Periods: their first and last day, as dates and as expressions.

use chrono::{Datelike, Days, Months, NaiveDate};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::functions::datetime::expr_fn::{date_part, make_date};
use datafusion::logical_expr::{Expr, cast, lit};

use super::definition::TimeGrain;
use super::working_days::WorkingDays;
use crate::functions::calendar::{self, china_time::midnight_seconds};

/// Nanoseconds of an hour.
pub(super) const HOUR_NANOS: i64 = 3_600_000_000_000;
/// Microseconds of an hour.
pub(super) const HOUR_MICROS: i64 = 3_600_000_000;
/// China's clocks against UTC, as hours of an answer are written.
const CHINA_ZONE: &str = "+08:00";

impl TimeGrain {
    /// All of them, finest first.
    pub const ALL: [Self; 7] =
        [Self::Hour, Self::Day, Self::WorkingDay, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The word used in files, requests and replies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::WorkingDay => "working-day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Calendar months of one period; `None` where its length is not told in months.
    pub(crate) fn months(self) -> Option<u32> {
        match self {
            Self::Hour | Self::Day | Self::WorkingDay | Self::Week => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
        }
    }

    /// Whether each of its periods belongs to exactly one period of `coarser`. Weeks lie across months and years.
    pub(super) fn nests_in(self, coarser: Self) -> bool {
        match self {
            Self::Week => coarser == Self::Week,
            finer => finer <= coarser,
        }
    }
}

/// Periods of one grain, in years that begin with a certain month.
#[derive(Debug, Clone)]
pub(crate) struct Periods {
    pub(super) grain: TimeGrain,
    year_start: u32,
    /// The session's calendar, where the grain asks for it.
    working_days: Option<WorkingDays>,
}

impl Periods {
    /// Periods that need no calendar of working days; `year_start` is a month from 1.
    pub(crate) fn new(grain: TimeGrain, year_start: u32) -> Self {
        Self { grain, year_start: year_start.clamp(1, 12), working_days: None }
    }

    /// Working days of a calendar.
    pub(super) fn of_working_days(calendar: WorkingDays) -> Self {
        Self { grain: TimeGrain::WorkingDay, year_start: 1, working_days: Some(calendar) }
    }

    /// The calendar, for the grain of working days.
    pub(super) fn working_days(&self) -> Option<&WorkingDays> {
        self.working_days.as_ref()
    }

    /// First day of the period that holds `date`. What counts to a working day is asked of the calendar instead.
    pub(crate) fn first_day(&self, date: NaiveDate) -> NaiveDate {
        match self.grain {
            TimeGrain::Hour | TimeGrain::Day | TimeGrain::WorkingDay => date,
            TimeGrain::Week => {
                let since_monday = u64::from(date.weekday().num_days_from_monday());
                date.checked_sub_days(Days::new(since_monday)).unwrap_or(date)
            }
            TimeGrain::Month | TimeGrain::Quarter | TimeGrain::Year => {
                let months = self.grain.months().unwrap_or(1);
                let into = (date.month0() + 12 - (self.year_start - 1)) % 12 % months;
                let first = date.with_day(1).and_then(|first| first.checked_sub_months(Months::new(into)));
                first.unwrap_or(date)
            }
        }
    }

    /// Last day of the period that holds `date`; `None` past the calendar's end.
    pub(crate) fn last_day(&self, date: NaiveDate) -> Option<NaiveDate> {
        let next = match (self.grain, self.grain.months()) {
            (TimeGrain::Week, _) => self.first_day(date).checked_add_days(Days::new(7)),
            (_, Some(months)) => self.first_day(date).checked_add_months(Months::new(months)),
            (_, None) => return Some(date),
        };
        next?.checked_sub_days(Days::new(1))
    }

    /// One period as an interval: for the grains whose periods are told by dates.
    pub(super) fn step(&self) -> ScalarValue {
        match (self.grain, self.grain.months()) {
            (TimeGrain::Week, _) => interval(0, 7, 0),
            (_, Some(months)) => interval(i64::from(months), 0, 0),
            (_, None) => interval(0, 1, 0),
        }
    }

    /// What the period that holds the date `date` evaluates to is told by: its first day, or the working day it counts
    /// to. By parts and not by `date_trunc`, which counts in nanoseconds, and so fails on the open ends written
    /// 9999-12-31.
    pub(super) fn truncate(&self, date: Expr) -> Expr {
        let part = |name: &str| date_part(lit(name), date.clone());
        match (self.grain, self.year_start, &self.working_days) {
            (TimeGrain::WorkingDay, _, Some(calendar)) => calendar.counted_on(date),
            (TimeGrain::Hour | TimeGrain::Day | TimeGrain::WorkingDay, ..) => date,
            (TimeGrain::Week, ..) => {
                let monday = cast(date.clone(), DataType::Int32) - (part("isodow") - lit(1_i32));
                cast(monday, DataType::Date32)
            }
            (TimeGrain::Month, ..) => make_date(part("year"), part("month"), lit(1_i32)),
            (TimeGrain::Quarter, 1, _) => {
                make_date(part("year"), part("quarter") * lit(3_i32) - lit(2_i32), lit(1_i32))
            }
            (TimeGrain::Year, 1, _) => make_date(part("year"), lit(1_i32), lit(1_i32)),
            (TimeGrain::Quarter | TimeGrain::Year, start, _) => {
                // Months counted as if the year began with January, cut to whole periods, and moved back.
                let moved = i32::try_from(start - 1).unwrap_or_default();
                let months = i32::try_from(self.grain.months().unwrap_or(1)).unwrap_or(1);
                let month = part("year") * lit(12_i32) + part("month") - lit(1_i32) - lit(moved);
                let first = month.clone() - month % lit(months) + lit(moved);
                make_date(first.clone() / lit(12_i32), first % lit(12_i32) + lit(1_i32), lit(1_i32))
            }
        }
    }
}

/// The hour, counted from 1970-01-01T00:00Z, of a timestamp in `unit`; one without a zone is a reading of a clock in
/// China. China's clocks differ from UTC by whole hours, so that hours begin at the same instants.
pub(super) fn hour_number(instant: Expr, zone: Option<&str>) -> Expr {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let micros = cast(cast(instant, zoned), DataType::Int64);
    let hour = || lit(HOUR_MICROS);
    // Rounded down, before 1970 too.
    let past = (micros.clone() % hour() + hour()) % hour();
    let number = (micros - past) / hour();
    if zone.is_some() { number } else { number - lit(8_i64) }
}

/// The instant at which an hour begins, as answers write it.
pub(super) fn hour_instant(number: Expr) -> Expr {
    cast(number * lit(HOUR_MICROS), hour_type())
}

/// The instant at which a day begins in China, as hours of an answer are compared with.
pub(super) fn day_instant(day: NaiveDate) -> Expr {
    let micros = midnight_seconds(days_since_epoch(day)).saturating_mul(1_000_000);
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some(CHINA_ZONE.into())))
}

fn hour_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(CHINA_ZONE.into()))
}

/// The date in China of a period's column.
pub(super) fn date_of_period(grain: TimeGrain, period: Expr) -> Expr {
    if grain == TimeGrain::Hour { calendar::china_date().call(vec![period]) } else { period }
}

/// Periods of `grain` from the one that begins with `first` to the one that begins with `last`, of dates that begin
/// periods; none where `last` is earlier. Hours are those of whole days.
pub(super) fn periods_between(grain: TimeGrain, first: NaiveDate, last: NaiveDate) -> i64 {
    let days = last.signed_duration_since(first).num_days();
    let count = match (grain, grain.months()) {
        (TimeGrain::Hour, _) => (days + 1) * 24,
        (TimeGrain::Week, _) => days.div_euclid(7) + 1,
        (_, Some(months)) => {
            let month = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
            (month(last) - month(first)).div_euclid(i64::from(months)) + 1
        }
        (_, None) => days + 1,
    };
    count.max(0)
}

/// An interval of months, days and nanoseconds.
pub(super) fn interval(months: i64, days: i64, nanos: i64) -> ScalarValue {
    let whole = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNanoType::make_value(whole(months), whole(days), nanos)))
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

    fn calendar_year(grain: TimeGrain) -> Periods {
        Periods::new(grain, 1)
    }

    #[test]
    fn a_period_begins_and_ends_where_the_calendar_says() {
        for (grain, first, last) in [
            (TimeGrain::Day, "2020-02-29", "2020-02-29"),
            // A Saturday.
            (TimeGrain::Week, "2020-02-24", "2020-03-01"),
            (TimeGrain::Month, "2020-02-01", "2020-02-29"),
            (TimeGrain::Quarter, "2020-01-01", "2020-03-31"),
            (TimeGrain::Year, "2020-01-01", "2020-12-31"),
        ] {
            assert_eq!(calendar_year(grain).first_day(day("2020-02-29")), day(first));
            assert_eq!(calendar_year(grain).last_day(day("2020-02-29")), Some(day(last)));
        }
        assert_eq!(calendar_year(TimeGrain::Quarter).last_day(day("2019-11-11")), Some(day("2019-12-31")));
    }

    #[test]
    fn quarters_and_years_follow_the_month_with_which_the_year_begins() {
        for (start, grain, date, first, last) in [
            (4, TimeGrain::Year, "2020-03-31", "2019-04-01", "2020-03-31"),
            (4, TimeGrain::Year, "2020-04-01", "2020-04-01", "2021-03-31"),
            (4, TimeGrain::Quarter, "2020-02-29", "2020-01-01", "2020-03-31"),
            (2, TimeGrain::Quarter, "2020-01-31", "2019-11-01", "2020-01-31"),
            (12, TimeGrain::Year, "2020-11-30", "2019-12-01", "2020-11-30"),
            (12, TimeGrain::Month, "2020-11-30", "2020-11-01", "2020-11-30"),
        ] {
            let periods = Periods::new(grain, start);
            assert_eq!(periods.first_day(day(date)), day(first), "{start} {grain:?} {date}");
            assert_eq!(periods.last_day(day(date)), Some(day(last)), "{start} {grain:?} {date}");
        }
    }

    #[test]
    fn periods_are_counted_with_both_ends() {
        for (grain, first, last, count) in [
            (TimeGrain::Hour, "2020-02-28", "2020-02-29", 48),
            (TimeGrain::Day, "2020-02-28", "2020-03-01", 3),
            (TimeGrain::Week, "2020-02-24", "2020-03-09", 3),
            (TimeGrain::Month, "2019-12-01", "2020-01-01", 2),
            (TimeGrain::Quarter, "2019-01-01", "2020-04-01", 6),
            (TimeGrain::Year, "2019-04-01", "2019-04-01", 1),
            (TimeGrain::Day, "2020-03-01", "2020-02-28", 0),
        ] {
            assert_eq!(periods_between(grain, day(first), day(last)), count, "{grain:?} {first} {last}");
        }
    }

    #[test]
    fn only_weeks_lie_across_coarser_periods() {
        assert!(TimeGrain::Day.nests_in(TimeGrain::Week) && TimeGrain::Month.nests_in(TimeGrain::Year));
        assert!(!TimeGrain::Week.nests_in(TimeGrain::Month) && !TimeGrain::Month.nests_in(TimeGrain::Week));
        assert!(TimeGrain::ALL.into_iter().all(|grain| grain.nests_in(grain)));
    }

    proptest! {
        #[test]
        fn every_day_lies_in_its_period_and_the_next_day_begins_another(days in -20_000i32..40_000, start in 1u32..=12) {
            let date = NaiveDate::from_epoch_days(days).unwrap();
            for grain in TimeGrain::ALL {
                let periods = Periods::new(grain, start);
                let (first, last) = (periods.first_day(date), periods.last_day(date).unwrap());
                prop_assert!(first <= date && date <= last);
                let next = last.succ_opt().unwrap();
                prop_assert_eq!(periods.first_day(next), next);
            }
        }
    }
}
