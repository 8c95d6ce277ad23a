//! Working days 工作日.
//!
//! A day is a working day as the notice says, else from Monday to Friday. A time limit does not count the day it starts
//! on (Civil Code, article 201), so the working days between `a` and `b` are the working days `d` with `a < d <= b`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use chrono::{Datelike, NaiveDate, Weekday};

use super::CalendarError;
use super::china_time::{from_days, to_days};
use super::notice::{self, CalendarYearDef, MovedDay};

/// Working days by the State Council's notices, for the years that have one.
///
/// Every question is answered from sums prepared when the calendar is built, in constant time. A day outside the
/// published years is an error and never a guess.
#[derive(Debug)]
pub struct WorkCalendar {
    years: RangeInclusive<i32>,
    /// The first day of the first year, in days since 1970-01-01.
    first: i32,
    /// At `i`: the number of working days among the first `i` days.
    working_before: Vec<u32>,
    /// The working days in their order, in days since 1970-01-01.
    working: Vec<i32>,
    fingerprint: u64,
}

static BUILT_IN: LazyLock<Arc<WorkCalendar>> = LazyLock::new(|| {
    let days: Vec<MovedDay> = notice::built_in().collect();
    let years = 2007..=2026;
    Arc::new(WorkCalendar::build(years, &days))
});

impl WorkCalendar {
    /// The notices of 2007 to 2026.
    pub fn built_in() -> Arc<Self> {
        BUILT_IN.clone()
    }

    /// The built-in notices and those of a project. A notice replaces what an earlier one says of the same day, and a
    /// further notice for a built-in year amends it. The years must follow each other: a gap is an error.
    pub fn with_years(defs: &[CalendarYearDef]) -> Result<Self, CalendarError> {
        let mut defs: Vec<&CalendarYearDef> = defs.iter().collect();
        defs.sort_by_key(|def| def.year);
        let mut days: Vec<MovedDay> = notice::built_in().collect();
        let mut years = BUILT_IN.years();
        for (position, def) in defs.iter().enumerate() {
            if position > 0 && defs[position - 1].year == def.year {
                return Err(CalendarError::NoticeRepeatedYear { year: def.year });
            }
            if def.year < *years.start() {
                return Err(CalendarError::NoticeTooEarly { year: def.year, first: *years.start() });
            }
            if def.year > years.end() + 1 {
                return Err(CalendarError::NoticeGap { year: def.year, last: *years.end() });
            }
            years = *years.start()..=def.year.max(*years.end());
            days.extend(notice::read(def)?);
        }
        Ok(Self::build(years, &days))
    }

    /// `moved` in the order in which one replaces the other; days outside `years` are of no use yet and left out.
    fn build(years: RangeInclusive<i32>, moved: &[MovedDay]) -> Self {
        let january = |year| to_days(NaiveDate::from_ymd_opt(year, 1, 1).expect("1 January exists in every year"));
        let (first, end) = (january(*years.start()), january(*years.end() + 1));
        let mut is_working: Vec<bool> = (first..end).map(|day| !is_weekend(day)).collect();
        for day in moved {
            if years.contains(&day.date.year()) {
                is_working[(to_days(day.date) - first) as usize] = !day.off;
            }
        }
        let working: Vec<i32> = (first..end).filter(|day| is_working[(day - first) as usize]).collect();
        let mut working_before = Vec::with_capacity(is_working.len() + 1);
        let mut count = 0;
        working_before.push(count);
        for is_working in is_working {
            count += u32::from(is_working);
            working_before.push(count);
        }
        let mut hasher = DefaultHasher::new();
        (first, end, &working).hash(&mut hasher);
        Self { years, first, working_before, working, fingerprint: hasher.finish() }
    }

    /// The years that have a notice.
    pub fn years(&self) -> RangeInclusive<i32> {
        self.years.clone()
    }

    /// The last year that has a notice.
    pub fn last_published_year(&self) -> i32 {
        *self.years.end()
    }

    /// Differs between calendars that give different answers.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether `date` is a working day.
    pub fn is_working_day(&self, date: NaiveDate) -> Result<bool, CalendarError> {
        self.is_working(to_days(date))
    }

    /// The number of working days `d` with `a < d <= b`; an error when `b` lies before `a`.
    pub fn working_days_between(&self, a: NaiveDate, b: NaiveDate) -> Result<i64, CalendarError> {
        self.between(to_days(a), to_days(b))
    }

    /// The `n`-th working day after `date`, before it when `n` is negative; `date` itself when `n` is 0.
    pub fn add_working_days(&self, date: NaiveDate, n: i64) -> Result<NaiveDate, CalendarError> {
        let days = self.add(to_days(date), n)?;
        Ok(from_days(days).expect("a day of a published year is a date"))
    }

    /// [`Self::is_working_day`] on days since 1970-01-01.
    #[inline]
    pub(crate) fn is_working(&self, day: i32) -> Result<bool, CalendarError> {
        let position = self.position(day)?;
        Ok(self.working_before[position] < self.working_before[position + 1])
    }

    /// [`Self::working_days_between`] on days since 1970-01-01.
    #[inline]
    pub(crate) fn between(&self, a: i32, b: i32) -> Result<i64, CalendarError> {
        if b < a {
            return Err(CalendarError::reversed(a, b));
        }
        let (a, b) = (self.position(a)?, self.position(b)?);
        Ok(i64::from(self.working_before[b + 1] - self.working_before[a + 1]))
    }

    /// [`Self::add_working_days`] on days since 1970-01-01.
    #[inline]
    pub(crate) fn add(&self, day: i32, n: i64) -> Result<i32, CalendarError> {
        let position = self.position(day)?;
        // Counted over `working`: where the first working day after `day` stands, and where `day` or the first after it.
        let (after, from) = (i64::from(self.working_before[position + 1]), i64::from(self.working_before[position]));
        let target = match n {
            0 => return Ok(day),
            1.. => after.saturating_add(n - 1),
            _ => from.saturating_add(n),
        };
        let found = usize::try_from(target).ok().and_then(|target| self.working.get(target));
        found.copied().ok_or_else(|| self.past_the_end(n))
    }

    /// Where `day` stands among the published days.
    #[inline]
    fn position(&self, day: i32) -> Result<usize, CalendarError> {
        let position = i64::from(day) - i64::from(self.first);
        match usize::try_from(position) {
            Ok(position) if position + 1 < self.working_before.len() => Ok(position),
            _ => Err(self.unpublished(day)),
        }
    }

    #[cold]
    fn unpublished(&self, day: i32) -> CalendarError {
        let (first, last) = (*self.years.start(), *self.years.end());
        match from_days(day) {
            Some(date) => CalendarError::NoNotice { year: date.year(), first, last },
            None => CalendarError::NotADate { days: day },
        }
    }

    #[cold]
    fn past_the_end(&self, n: i64) -> CalendarError {
        let (first, last) = (*self.years.start(), *self.years.end());
        let year = if n > 0 { last + 1 } else { first - 1 };
        CalendarError::NoNotice { year, first, last }
    }
}

fn is_weekend(day: i32) -> bool {
    let weekday = from_days(day).map(|date| date.weekday());
    matches!(weekday, Some(Weekday::Sat | Weekday::Sun))
}

#[cfg(test)]
#[path = "work_calendar_tests.rs"]
mod tests;
