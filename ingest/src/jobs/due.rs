//! What is due, told from the schedule and from what was done.

use chrono::{DateTime, Duration, Utc};

use super::error::JobError;
use super::last_runs::LastRun;
use super::timetable::Timetable;
use crate::pipeline::CatchUp;

/// A time that counts although nobody worked the schedule at that very moment.
const GRACE: Duration = Duration::seconds(60);

/// A pipeline that should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The pipeline.
    pub pipeline: String,
    /// Why.
    pub reason: Reason,
}

/// Why a pipeline should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The time of its `cron`.
    Time(DateTime<Utc>),
    /// A pipeline that it runs after has loaded something.
    After(String),
    /// Files came or changed.
    Arrival,
    /// A day began, on which tables are to be fresh.
    Freshness,
}

impl Reason {
    /// The word for it in a run's record.
    pub fn trigger(&self) -> &'static str {
        match self {
            Self::Time(_) => "schedule",
            Self::After(_) => "after",
            Self::Arrival => "arrival",
            Self::Freshness => "freshness",
        }
    }

    /// The time that was due, for a run by the clock.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }
}

/// The times at which a pipeline is due by the clock and was not run for.
pub(super) fn due_times(
    timetable: &Timetable,
    catch_up: CatchUp,
    last: Option<&LastRun>,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, JobError> {
    let done = last.and_then(|last| last.due_at);
    Ok(match (catch_up, done) {
        (CatchUp::None, done) => {
            let since = (now - GRACE).max(done.unwrap_or(DateTime::<Utc>::MIN_UTC));
            timetable.between(since, now)?
        }
        (CatchUp::All, Some(done)) => timetable.between(done, now)?,
        // The latest only; before the first run that is the time before now, so that a new pipeline loads at once.
        (CatchUp::Latest | CatchUp::All, done) => {
            timetable.latest(now)?.into_iter().filter(|time| done.is_none_or(|done| *time > done)).collect()
        }
    })
}

/// The first of `after` that has loaded something since the pipeline last began.
pub(super) fn due_after<'a>(
    after: &'a [String],
    last: Option<&LastRun>,
    last_of: impl Fn(&str) -> Option<&'a LastRun>,
) -> Option<&'a str> {
    let began = last.map(|last| last.started_at);
    after.iter().map(String::as_str).find(|name| {
        let loaded = last_of(name).and_then(|run| run.loaded_at);
        loaded.is_some_and(|loaded| began.is_none_or(|began| loaded > began))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use xiangyun_engine::functions::calendar::WorkCalendar;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn ran(due: Option<&str>, started: &str, loaded: Option<&str>) -> LastRun {
        LastRun { due_at: due.map(at), started_at: at(started), loaded_at: loaded.map(at) }
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_said() {
        let schedule = toml::from_str("cron = \"0 6 * * *\"\ntime_zone = \"UTC\"").unwrap();
        let timetable = Timetable::try_new(&schedule, &WorkCalendar::built_in()).unwrap().unwrap();
        let last = ran(Some("2024-05-01T06:00:00Z"), "2024-05-01T06:00:01Z", None);
        let now = at("2024-05-04T12:00:00Z");
        let days = |catch_up, last: Option<&LastRun>, now| -> Vec<u32> {
            use chrono::Datelike;
            due_times(&timetable, catch_up, last, now).unwrap().iter().map(DateTime::day).collect()
        };
        assert_eq!(days(CatchUp::Latest, Some(&last), now), [4]);
        assert_eq!(days(CatchUp::All, Some(&last), now), [2, 3, 4]);
        assert_eq!(days(CatchUp::None, Some(&last), now), [] as [u32; 0]);
        assert_eq!(days(CatchUp::None, Some(&last), at("2024-05-04T06:00:30Z")), [4]);
        // Never ran: at once, unless nothing is made up for.
        assert_eq!(days(CatchUp::Latest, None, now), [4]);
        assert_eq!(days(CatchUp::All, None, now), [4]);
        assert_eq!(days(CatchUp::None, None, now), [] as [u32; 0]);
        // Done is done.
        let done = ran(Some("2024-05-04T06:00:00Z"), "2024-05-04T06:00:01Z", None);
        assert_eq!(days(CatchUp::Latest, Some(&done), now), [] as [u32; 0]);
        assert_eq!(days(CatchUp::None, Some(&done), at("2024-05-04T06:00:30Z")), [] as [u32; 0]);
    }

    #[test]
    fn a_pipeline_follows_the_ones_it_waits_for() {
        let upstream = ran(None, "2024-05-01T06:00:00Z", Some("2024-05-01T06:05:00Z"));
        let failed = ran(None, "2024-05-01T07:00:00Z", None);
        let after = ["a".to_owned(), "b".to_owned()];
        let last_of = |name: &str| if name == "a" { Some(&failed) } else { Some(&upstream) };
        assert_eq!(due_after(&after, None, last_of), Some("b"));
        let before = ran(None, "2024-05-01T06:04:00Z", None);
        assert_eq!(due_after(&after, Some(&before), last_of), Some("b"));
        let since = ran(None, "2024-05-01T06:06:00Z", None);
        assert_eq!(due_after(&after, Some(&since), last_of), None);
        assert_eq!(due_after(&after, None, |_| None), None);
    }
}
