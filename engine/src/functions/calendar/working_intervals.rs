//! The working days that parallel items take together.

use super::china_time::to_days;
use super::{CalendarError, WorkCalendar};
use chrono::NaiveDate;

/// A union of intervals `(start, end]`: days that lie in several of them count once.
///
/// Approvals of one project run in parallel, so their working days are not added up. A pause (a hearing, an expert
/// review) is taken out of its own item's interval only: another item may have run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkingIntervals {
    /// Days since 1970-01-01; merged and in order up to `merged`.
    intervals: Vec<(i32, i32)>,
    merged: usize,
}

/// Intervals kept before the first merge.
const MERGE_FROM: usize = 64;

impl WorkingIntervals {
    /// Adds the item that ran from `start` to `end` and stood still from `pause`'s first to its last day, where days
    /// `d` with `first < d <= last` are the pause's. A pause without an end lasts until the item's end.
    pub fn add(
        &mut self,
        start: NaiveDate,
        end: NaiveDate,
        pause: Option<(NaiveDate, Option<NaiveDate>)>,
    ) -> Result<(), CalendarError> {
        let pause = pause.map(|(from, to)| (to_days(from), to.map(to_days)));
        self.add_days(to_days(start), to_days(end), pause)
    }

    /// [`Self::add`] on days since 1970-01-01.
    pub(super) fn add_days(
        &mut self,
        start: i32,
        end: i32,
        pause: Option<(i32, Option<i32>)>,
    ) -> Result<(), CalendarError> {
        if end < start {
            return Err(CalendarError::reversed(start, end));
        }
        match pause {
            None => self.push(start, end),
            Some((from, to)) => {
                let to = to.unwrap_or(end.max(from));
                if to < from {
                    return Err(CalendarError::reversed(from, to));
                }
                // An item that never ran still counts as an item, of no days.
                self.push(start, from.clamp(start, end));
                self.push(to.clamp(start, end), end);
            }
        }
        Ok(())
    }

    /// Adds an interval of another union.
    pub(super) fn push(&mut self, start: i32, end: i32) {
        self.intervals.push((start, end));
        if self.intervals.len() >= MERGE_FROM.max(self.merged * 2) {
            self.merge();
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The intervals in days since 1970-01-01; some may overlap.
    pub(super) fn as_slice(&self) -> &[(i32, i32)] {
        &self.intervals
    }

    /// Bytes held beside the value itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.intervals.capacity() * size_of::<(i32, i32)>()
    }

    /// The number of working days in the union.
    pub fn working_days(&mut self, calendar: &WorkCalendar) -> Result<i64, CalendarError> {
        self.merge();
        self.intervals.iter().try_fold(0, |sum, (start, end)| Ok(sum + calendar.between(*start, *end)?))
    }

    fn merge(&mut self) {
        self.intervals.sort_unstable();
        self.intervals.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1;
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        self.merged = self.intervals.len();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Start, end, and the pause's two days.
    type Item<'a> = (&'a str, &'a str, Option<(&'a str, Option<&'a str>)>);

    fn union(items: &[Item<'_>]) -> Result<i64, CalendarError> {
        let mut intervals = WorkingIntervals::default();
        for (start, end, pause) in items {
            intervals.add(day(start), day(end), pause.map(|(from, to)| (day(from), to.map(day))))?;
        }
        intervals.working_days(&WorkCalendar::built_in())
    }

    #[test]
    fn parallel_items_are_not_added_up() {
        // Monday 2019-03-04 to Friday 2019-03-15 are 9 working days after the first, the second item lies within.
        assert_eq!(union(&[("2019-03-04", "2019-03-15", None), ("2019-03-05", "2019-03-08", None)]), Ok(9));
        assert_eq!(union(&[("2019-03-04", "2019-03-08", None), ("2019-03-11", "2019-03-15", None)]), Ok(8));
        assert_eq!(union(&[("2019-03-04", "2019-03-04", None)]), Ok(0));
    }

    #[test]
    fn a_pause_stops_its_own_item_only() {
        let paused = ("2019-03-04", "2019-03-15", Some(("2019-03-06", Some("2019-03-12"))));
        assert_eq!(union(&[paused]), Ok(9 - 4));
        assert_eq!(union(&[paused, ("2019-03-07", "2019-03-08", None)]), Ok(5 + 1));
        assert_eq!(union(&[("2019-03-04", "2019-03-15", Some(("2019-03-06", None)))]), Ok(2));
        assert_eq!(union(&[("2019-03-04", "2019-03-15", Some(("2019-03-01", Some("2019-03-20"))))]), Ok(0));
        assert_eq!(union(&[("2019-03-04", "2019-03-15", Some(("2019-04-01", None)))]), Ok(9));
    }

    #[test]
    fn what_runs_backwards_is_an_error() {
        assert!(union(&[("2019-03-15", "2019-03-04", None)]).is_err());
        assert!(union(&[("2019-03-04", "2019-03-15", Some(("2019-03-12", Some("2019-03-06"))))]).is_err());
        assert!(union(&[("2026-12-01", "2027-01-08", None)]).is_err());
    }

    proptest! {
        #[test]
        fn the_union_is_the_set_of_days(
            items in proptest::collection::vec((0..900i32, 0..60i32, 0..80i32, 0..40i32, any::<bool>()), 0..150)
        ) {
            let calendar = WorkCalendar::built_in();
            let first = to_days(day("2018-01-01"));
            let (mut intervals, mut days) = (WorkingIntervals::default(), HashSet::new());
            for (start, length, pause, pause_length, paused) in items {
                let (start, end) = (first + start, first + start + length);
                let pause = paused.then_some((start + pause - 10, start + pause - 10 + pause_length));
                intervals.add_days(start, end, pause.map(|(from, to)| (from, Some(to)))).unwrap();
                days.extend((start + 1..=end).filter(|day| {
                    calendar.is_working(*day).unwrap() && pause.is_none_or(|(from, to)| *day <= from || *day > to)
                }));
            }
            prop_assert_eq!(intervals.working_days(&calendar), Ok(days.len() as i64));
        }
    }
}
