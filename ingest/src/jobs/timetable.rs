//! Times of `cron` in a zone, on the days that count.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use croner::Cron;
use xiangyun_engine::functions::calendar::WorkCalendar;

use super::error::JobError;
use crate::pipeline::{ScheduleDays, ScheduleDef};

/// Times of which more are not told at once: what a pipeline of every minute misses in half a day.
const MOST_TIMES: usize = 1000;

/// Times that are looked at for one that counts. Every minute of two years is a million.
const MOST_LOOKED_AT: usize = 1_100_000;

/// When a pipeline is due by the clock.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: Tz,
    days: ScheduleDays,
    calendar: Arc<WorkCalendar>,
}

impl Timetable {
    /// The timetable of `schedule`; none where it has no `cron`.
    ///
    /// # Errors
    /// [`JobError::BadCron`], [`JobError::BadZone`].
    pub fn try_new(schedule: &ScheduleDef, calendar: &Arc<WorkCalendar>) -> Result<Option<Self>, JobError> {
        let zone =
            Tz::from_str(&schedule.time_zone).map_err(|_| JobError::BadZone { zone: schedule.time_zone.clone() })?;
        let Some(text) = &schedule.cron else { return Ok(None) };
        let bad = |reason: String| JobError::BadCron { cron: text.clone(), reason };
        if text.split_whitespace().count() != 5 {
            return Err(bad("it does not have five fields".into()));
        }
        let cron = Cron::from_str(text).map_err(|error| bad(error.to_string()))?;
        Ok(Some(Self { cron, zone, days: schedule.days, calendar: Arc::clone(calendar) }))
    }

    /// The times after `after` up to `until`, oldest first; of more than a thousand the latest thousand.
    ///
    /// # Errors
    /// [`JobError::CalendarMissing`] for a time in a year whose working days are not published, where they matter.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, JobError> {
        let mut times = Vec::new();
        // Backwards, so that of many the latest are found without going through all of them.
        let end = until.with_timezone(&self.zone);
        for time in self.cron.iter_from(end, croner::Direction::Backward).take(MOST_LOOKED_AT) {
            if time <= after || times.len() == MOST_TIMES {
                break;
            }
            if self.counts(time.date_naive())? {
                times.push(time.with_timezone(&Utc));
            }
        }
        times.reverse();
        Ok(times)
    }

    /// The latest time up to `now`.
    pub fn latest(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, JobError> {
        let end = now.with_timezone(&self.zone);
        self.first(self.cron.iter_from(end, croner::Direction::Backward))
    }

    /// The first time after `now`.
    pub fn next(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, JobError> {
        self.first(self.cron.iter_after(now.with_timezone(&self.zone)))
    }

    fn first(&self, times: impl Iterator<Item = DateTime<Tz>>) -> Result<Option<DateTime<Utc>>, JobError> {
        for time in times.take(MOST_LOOKED_AT) {
            if self.counts(time.date_naive())? {
                return Ok(Some(time.with_timezone(&Utc)));
            }
        }
        Ok(None)
    }

    fn counts(&self, date: NaiveDate) -> Result<bool, JobError> {
        let counts = self.days.count(date, &self.calendar);
        counts.map_err(|error| JobError::CalendarMissing { date, source: error.into() })
    }
}

/// What is wrong with a schedule, offline: the key and the words.
pub fn check_schedule(schedule: &ScheduleDef) -> Vec<(&'static str, String, Option<String>)> {
    use xiangyun_engine::error::Classify;
    let mut faults = Vec::new();
    if let Err(error) = Timetable::try_new(schedule, &WorkCalendar::built_in()) {
        let key = if matches!(error, JobError::BadZone { .. }) { "time_zone" } else { "cron" };
        faults.push((key, error.to_string(), error.hint()));
    }
    if schedule.cron.is_none() && schedule.after.is_empty() && schedule.on_arrival.is_none() {
        let hint = "give it `cron`, `after` or `on_arrival`, or leave the schedule out";
        faults.push(("cron", "the schedule says nothing".into(), Some(hint.into())));
    }
    if schedule.on_arrival.as_ref().is_some_and(|arrival| arrival.look_every_seconds == 0) {
        faults.push(("on_arrival", "`look_every_seconds` must be at least 1".into(), None));
    }
    if schedule.retry.attempts == 0 {
        faults.push(("retry", "`attempts` must be at least 1".into(), None));
    }
    if schedule.timeout_seconds == 0 {
        faults.push(("timeout_seconds", "it must be at least 1".into(), None));
    }
    faults
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn schedule(text: &str) -> ScheduleDef {
        toml::from_str(text).unwrap()
    }

    fn timetable(text: &str) -> Timetable {
        Timetable::try_new(&schedule(text), &WorkCalendar::built_in()).unwrap().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn six_in_the_morning_on_working_days_is_chinas() {
        let table = timetable("cron = \"0 6 * * *\"\ndays = \"working\"");
        // domain.md section 6: 2019-04-28 is a Sunday that is worked, 1 to 4 May are off, 5 May is a Sunday, worked.
        let times = table.between(at("2019-04-27T00:00:00+08:00"), at("2019-05-05T12:00:00+08:00")).unwrap();
        let expected = ["2019-04-28", "2019-04-29", "2019-04-30", "2019-05-05"];
        let expected: Vec<_> = expected.iter().map(|day| at(&format!("{day}T06:00:00+08:00"))).collect();
        assert_eq!(times, expected);
        assert_eq!(table.next(at("2019-04-30T06:00:00+08:00")).unwrap(), Some(at("2019-05-05T06:00:00+08:00")));
        assert_eq!(table.latest(at("2019-05-05T05:59:59+08:00")).unwrap(), Some(at("2019-04-30T06:00:00+08:00")));
        let off = timetable("cron = \"0 6 * * *\"\ndays = \"off\"");
        assert_eq!(off.next(at("2019-04-27T06:00:00+08:00")).unwrap(), Some(at("2019-05-01T06:00:00+08:00")));
    }

    #[test]
    fn bounds_are_as_said() {
        let table = timetable("cron = \"*/30 * * * *\"\ntime_zone = \"UTC\"");
        let times = table.between(at("2024-01-01T00:00:00Z"), at("2024-01-01T01:00:00Z")).unwrap();
        assert_eq!(times, [at("2024-01-01T00:30:00Z"), at("2024-01-01T01:00:00Z")]);
        assert_eq!(table.between(at("2024-01-01T01:00:00Z"), at("2024-01-01T01:00:00Z")).unwrap().len(), 0);
        let many = table.between(at("2020-01-01T00:00:00Z"), at("2024-01-01T00:00:00Z")).unwrap();
        assert_eq!((many.len(), many[999]), (1000, at("2024-01-01T00:00:00Z")));
    }

    #[test]
    fn a_year_without_a_notice_is_no_guess() {
        let year = *WorkCalendar::built_in().years().end() + 1;
        let table = timetable("cron = \"0 6 * * *\"\ndays = \"working\"");
        let error = table.next(at(&format!("{year}-02-01T00:00:00Z"))).unwrap_err();
        assert!(error.to_string().starts_with("calendar_missing: "), "{error}");
    }

    #[test]
    fn faults_name_their_key() {
        let keys = |text: &str| check_schedule(&schedule(text)).into_iter().map(|fault| fault.0).collect::<Vec<_>>();
        assert_eq!(keys("cron = \"0 6 * * 1-5\""), [] as [&str; 0]);
        assert_eq!(keys("cron = \"0 6 * *\""), ["cron"]);
        assert_eq!(keys("cron = \"61 6 * * *\""), ["cron"]);
        assert_eq!(keys("cron = \"0 6 * * *\"\ntime_zone = \"Asia/Changchun\""), ["time_zone"]);
        assert_eq!(keys("timeout_seconds = 0\nretry = { attempts = 0 }"), ["cron", "retry", "timeout_seconds"]);
    }
}
