//! When the next data of a table are due.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::definition::{Freshness, UpdatePeriod};
use crate::functions::calendar::{CalendarError, WorkCalendar};

impl Freshness {
    /// The last day on which a table with data up to `data_date` is fresh: the period after it, and the working days of
    /// grace. None where nothing is promised.
    ///
    /// # Errors
    /// [`CalendarError::NoNotice`] where the grace reaches into a year whose working days are not published.
    pub fn due_on(&self, data_date: NaiveDate, calendar: &WorkCalendar) -> Result<Option<NaiveDate>, CalendarError> {
        let next = match self.period {
            UpdatePeriod::Daily => data_date.checked_add_days(Days::new(1)),
            UpdatePeriod::Weekly => data_date.checked_add_days(Days::new(7)),
            UpdatePeriod::Monthly => after_months(data_date, 1),
            UpdatePeriod::Quarterly => after_months(data_date, 3),
            UpdatePeriod::Yearly => after_months(data_date, 12),
            UpdatePeriod::Irregular => None,
        };
        match next {
            Some(next) if self.grace_working_days > 0 => {
                calendar.add_working_days(next, i64::from(self.grace_working_days)).map(Some)
            }
            next => Ok(next),
        }
    }
}

/// So many months later; of a month's last day the last day then.
fn after_months(date: NaiveDate, months: u32) -> Option<NaiveDate> {
    let is_last = date.checked_add_days(Days::new(1)).is_some_and(|next| next.day() == 1);
    if !is_last {
        return date.checked_add_months(Months::new(months));
    }
    let first_after = date.with_day(1)?.checked_add_months(Months::new(months + 1))?;
    first_after.checked_sub_days(Days::new(1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_vectors_of_the_domain_specification() {
        let calendar = WorkCalendar::built_in();
        let due = |period, grace_working_days, date| {
            let promise = Freshness { period, grace_working_days, column: None };
            promise.due_on(day(date), &calendar)
        };
        // Monthly with 10 working days of grace: 2019-04-30, and ten working days over Labour Day.
        assert_eq!(due(UpdatePeriod::Monthly, 10, "2019-03-31"), Ok(Some(day("2019-05-16"))));
        assert_eq!(due(UpdatePeriod::Monthly, 0, "2019-04-30"), Ok(Some(day("2019-05-31"))));
        assert_eq!(due(UpdatePeriod::Monthly, 0, "2019-01-15"), Ok(Some(day("2019-02-15"))));
        assert_eq!(due(UpdatePeriod::Monthly, 0, "2019-01-30"), Ok(Some(day("2019-02-28"))));
        assert_eq!(due(UpdatePeriod::Quarterly, 0, "2019-06-30"), Ok(Some(day("2019-09-30"))));
        assert_eq!(due(UpdatePeriod::Yearly, 0, "2020-02-29"), Ok(Some(day("2021-02-28"))));
        assert_eq!(due(UpdatePeriod::Daily, 3, "2019-03-25"), Ok(Some(day("2019-03-29"))));
        assert_eq!(due(UpdatePeriod::Irregular, 3, "2019-03-25"), Ok(None));
        // No notice, no guess.
        assert!(matches!(due(UpdatePeriod::Monthly, 10, "2098-01-31"), Err(CalendarError::NoNotice { .. })));
    }
}
