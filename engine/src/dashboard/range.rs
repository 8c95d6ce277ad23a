//! A tile's range as days.

use chrono::{Days, Months, NaiveDate};

use super::definition::{RangeDef, RangeEnd};
use crate::error::{Classify, ErrorKind};
use crate::semantic::{Periods, TimeGrain};

/// Periods that a range may count back.
const MAX_PERIODS: u32 = 10_000;

/// A range that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Two dates, either of them open.
    Fixed { from: Option<NaiveDate>, to: Option<NaiveDate> },
    /// So many periods up to an end.
    Last { count: u32, grain: TimeGrain, until: RangeEnd },
}

/// Why a range cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRange {
    #[error("`range` has both `last` and dates")]
    Both,
    #[error("`until` belongs to `last`")]
    UntilAlone,
    #[error("`{0}` is not a number of periods")]
    Last(String),
    #[error("`{0}` is not a date")]
    Date(String),
    #[error("the range ends before the calendar begins")]
    OutOfCalendar,
}

impl Classify for InvalidRange {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Both => "write `last`, or `from` and `to`".into(),
            Self::UntilAlone => "write `last = \"12 months\"` beside it".into(),
            Self::Last(_) => {
                format!("write as in `12 months`: 1 to {MAX_PERIODS} days, weeks, months, quarters or years")
            }
            Self::Date(_) => "write YYYY-MM-DD".into(),
            Self::OutOfCalendar => "count back less".into(),
        })
    }
}

impl Range {
    pub(crate) fn read(def: &RangeDef) -> Result<Self, InvalidRange> {
        let Some(last) = &def.last else {
            if def.until.is_some() {
                return Err(InvalidRange::UntilAlone);
            }
            let date = |text: &Option<String>| text.as_deref().map(date).transpose();
            return Ok(Self::Fixed { from: date(&def.from)?, to: date(&def.to)? });
        };
        if def.from.is_some() || def.to.is_some() {
            return Err(InvalidRange::Both);
        }
        let invalid = || InvalidRange::Last(last.clone());
        let (count, unit) = last.split_once(' ').ok_or_else(invalid)?;
        let count = count.parse().ok().filter(|count| (1..=MAX_PERIODS).contains(count)).ok_or_else(invalid)?;
        let grain = unit.strip_suffix('s').unwrap_or(unit).parse().map_err(|_| invalid())?;
        // A range is of days, and working days depend on a calendar.
        if matches!(grain, TimeGrain::Hour | TimeGrain::WorkingDay) {
            return Err(invalid());
        }
        Ok(Self::Last { count, grain, until: def.until.unwrap_or_default() })
    }

    /// What it counts back from, where it does.
    pub(crate) fn until(&self) -> Option<RangeEnd> {
        match self {
            Self::Fixed { .. } => None,
            Self::Last { until, .. } => Some(*until),
        }
    }

    /// First and last day, both inclusive; `end` is the day that it counts back from. Whole periods, so that figures which
    /// compare periods can be asked.
    pub(crate) fn days(&self, end: NaiveDate) -> Result<(Option<NaiveDate>, Option<NaiveDate>), InvalidRange> {
        let (count, grain) = match *self {
            Self::Fixed { from, to } => return Ok((from, to)),
            Self::Last { count, grain, .. } => (count, grain),
        };
        let periods = Periods::new(grain, 1);
        let first = periods.first_day(end);
        let from = match grain.months() {
            None => {
                let days = if grain == TimeGrain::Week { 7 } else { 1 };
                first.checked_sub_days(Days::new(days * u64::from(count - 1)))
            }
            Some(months) => first.checked_sub_months(Months::new(months * (count - 1))),
        };
        let (from, to) = (from.ok_or(InvalidRange::OutOfCalendar)?, periods.last_day(end));
        Ok((Some(from), Some(to.ok_or(InvalidRange::OutOfCalendar)?)))
    }
}

fn date(text: &str) -> Result<NaiveDate, InvalidRange> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| InvalidRange::Date(text.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn last(text: &str) -> RangeDef {
        RangeDef { last: Some(text.into()), until: None, from: None, to: None }
    }

    #[test]
    fn periods_are_whole_and_the_one_with_the_end_is_the_last() {
        let days = |text, end: &str| {
            let (from, to) = Range::read(&last(text)).unwrap().days(end.parse().unwrap()).unwrap();
            format!("{} {}", from.unwrap(), to.unwrap())
        };
        assert_eq!(days("12 months", "2019-03-26"), "2018-04-01 2019-03-31");
        assert_eq!(days("1 month", "2019-03-31"), "2019-03-01 2019-03-31");
        assert_eq!(days("7 days", "2019-03-03"), "2019-02-25 2019-03-03");
        assert_eq!(days("2 weeks", "2019-03-26"), "2019-03-18 2019-03-31");
        assert_eq!(days("2 quarters", "2019-02-28"), "2018-10-01 2019-03-31");
        assert_eq!(days("3 years", "2019-01-01"), "2017-01-01 2019-12-31");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["12", "0 months", "twelve months", "12 hours", "5 working-days", "10001 days", "-1 day", ""] {
            assert_eq!(Range::read(&last(text)), Err(InvalidRange::Last(text.into())), "{text}");
        }
        let dates = |from: &str, until| RangeDef { last: None, until, from: Some(from.into()), to: None };
        assert_eq!(Range::read(&dates("2019-2-1", None)), Err(InvalidRange::Date("2019-2-1".into())));
        assert_eq!(Range::read(&dates("2019-02-01", Some(RangeEnd::Data))), Err(InvalidRange::UntilAlone));
        let both = RangeDef { from: Some("2019-02-01".into()), ..last("1 day") };
        assert_eq!(Range::read(&both), Err(InvalidRange::Both));
        assert!(Range::read(&last("10000 years")).unwrap().days("2019-01-01".parse().unwrap()).is_ok());
    }
}
