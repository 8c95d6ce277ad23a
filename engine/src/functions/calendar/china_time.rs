//! The day in China.

use chrono::{Datelike, NaiveDate};

use crate::clock::CHINA_OFFSET_SECONDS;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const CHINA_OFFSET_MICROS: i64 = CHINA_OFFSET_SECONDS as i64 * 1_000_000;
const HOUR_MICROS: i64 = 3_600_000_000;

/// The summer times of 1986 to 1991 as microseconds of UTC: from (inclusive) and to (exclusive). Clocks were put
/// forward at 02:00 standard time and back at 02:00 summer time (IANA time zone database, rule `PRC`).
const SUMMER_TIMES: [(i64, i64); 6] = [
    summer(515_527_200, 527_014_800),
    summer(545_162_400, 558_464_400),
    summer(577_216_800, 589_914_000),
    summer(608_666_400, 621_968_400),
    summer(640_116_000, 653_418_000),
    summer(671_565_600, 684_867_600),
];

const fn summer(from_seconds: i64, to_seconds: i64) -> (i64, i64) {
    (from_seconds * 1_000_000, to_seconds * 1_000_000)
}

/// The day, counted from 1970-01-01, that a timestamp in microseconds lies in. With a zone the timestamp is an
/// instant and the day is China's; without one it is a reading of a clock in China and keeps its day.
#[inline]
pub fn china_date(micros: i64, has_zone: bool) -> i32 {
    let local = match has_zone {
        false => micros,
        true => micros.saturating_add(CHINA_OFFSET_MICROS).saturating_add(summer_offset(micros)),
    };
    // Microseconds in 64 bits span 213 million days: the quotient always fits.
    local.div_euclid(MICROS_PER_DAY) as i32
}

/// The first instant of a day in China, counted from 1970-01-01, in seconds of UTC: the inverse of [`china_date`].
pub(crate) fn midnight_seconds(day: i32) -> i64 {
    let standard = i64::from(day) * 86_400 - i64::from(CHINA_OFFSET_SECONDS);
    // Clocks that have been put forward show midnight an hour early.
    let early = standard - HOUR_MICROS / 1_000_000;
    if summer_offset(early * 1_000_000) == 0 { standard } else { early }
}

#[inline]
fn summer_offset(micros: i64) -> i64 {
    let (first, last) = (SUMMER_TIMES[0].0, SUMMER_TIMES[5].1);
    if micros < first || micros >= last {
        return 0;
    }
    let in_summer = SUMMER_TIMES.iter().any(|(from, to)| (*from..*to).contains(&micros));
    if in_summer { HOUR_MICROS } else { 0 }
}

/// Days from 1970-01-01 to `date`, as Arrow's `Date32` counts them.
pub(crate) fn to_days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - UNIX_EPOCH_FROM_CE
}

/// The date that lies `days` after 1970-01-01; None past the years that `chrono` knows.
pub(crate) fn from_days(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(UNIX_EPOCH_FROM_CE)?)
}

/// 1970-01-01 counted from 0000-12-31.
const UNIX_EPOCH_FROM_CE: i32 = 719_163;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn day(instant: &str) -> String {
        let micros = DateTime::parse_from_rfc3339(instant).unwrap().timestamp_micros();
        from_days(china_date(micros, true)).unwrap().to_string()
    }

    #[test]
    fn an_instant_has_the_day_of_china() {
        assert_eq!(day("2019-03-25T16:00:00Z"), "2019-03-26");
        assert_eq!(day("2019-03-25T15:59:59Z"), "2019-03-25");
        assert_eq!(day("1969-12-31T16:00:00Z"), "1970-01-01");
    }

    #[test]
    fn summer_time_moves_midnight() {
        assert_eq!(day("1988-07-01T15:30:00Z"), "1988-07-02");
        assert_eq!(day("1988-12-01T15:30:00Z"), "1988-12-01");
        // The first and last instants: 1986-05-04 02:00 standard, 1991-09-15 02:00 summer time.
        for (edge, instant) in
            [(SUMMER_TIMES[0].0, "1986-05-04T02:00:00+08:00"), (SUMMER_TIMES[5].1, "1991-09-15T02:00:00+09:00")]
        {
            assert_eq!(edge, DateTime::parse_from_rfc3339(instant).unwrap().timestamp_micros());
        }
    }

    #[test]
    fn a_day_begins_at_its_midnight() {
        // From before the first summer time to after the last one.
        for day in to_days("1986-05-01".parse().unwrap())..to_days("1991-10-01".parse().unwrap()) {
            let midnight = midnight_seconds(day) * 1_000_000;
            assert_eq!((china_date(midnight - 1, true), china_date(midnight, true)), (day - 1, day), "{day}");
        }
    }

    #[test]
    fn a_reading_without_zone_keeps_its_day() {
        let micros = DateTime::parse_from_rfc3339("2019-03-25T23:59:59Z").unwrap().timestamp_micros();
        assert_eq!(from_days(china_date(micros, false)).unwrap().to_string(), "2019-03-25");
    }
}
