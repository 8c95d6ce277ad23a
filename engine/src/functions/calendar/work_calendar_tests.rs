#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::super::CalendarDayDef;
use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn working_days_per_year() {
    // Published counts, on which two independent sources agree for all 7,305 days.
    let published =
        [249, 251, 250, 250, 250, 249, 250, 250, 249, 250, 249, 250, 250, 249, 250, 249, 249, 251, 248, 248];
    let calendar = WorkCalendar::built_in();
    let counted: Vec<usize> = (2007..=2026)
        .map(|year| {
            let days = day(&format!("{year}-01-01")).iter_days().take_while(|date| date.year() == year);
            days.filter(|date| calendar.is_working_day(*date).unwrap()).count()
        })
        .collect();
    assert_eq!(counted, published);
}

#[test]
fn between() {
    let calendar = WorkCalendar::built_in();
    for (a, b, expected) in [
        ("2019-03-26", "2019-03-26", 0),
        ("2019-03-26", "2019-03-29", 3),
        ("2019-03-29", "2019-04-08", 5),
        ("2019-04-26", "2019-05-06", 5),
        ("2019-01-31", "2019-02-11", 4),
        ("2018-12-28", "2019-01-02", 2),
        ("2020-01-22", "2020-02-03", 2),
        ("2020-09-25", "2020-10-12", 7),
        ("2021-09-17", "2021-09-22", 2),
        ("2023-12-29", "2024-01-02", 1),
        ("2024-02-08", "2024-02-19", 3),
        ("2024-09-30", "2024-10-08", 1),
        ("2025-01-24", "2025-02-05", 3),
        ("2007-02-16", "2007-02-26", 3),
        ("2008-09-26", "2008-10-06", 3),
        ("2013-01-04", "2013-01-07", 3),
    ] {
        assert_eq!(calendar.working_days_between(day(a), day(b)), Ok(expected), "{a} to {b}");
    }
}

#[test]
fn add() {
    let calendar = WorkCalendar::built_in();
    for (start, n, expected) in [
        ("2019-03-26", 3, "2019-03-29"),
        ("2019-04-28", 3, "2019-05-05"),
        ("2019-01-15", 13, "2019-02-01"),
        ("2019-01-15", 50, "2019-03-29"),
        ("2018-06-01", 223, "2019-04-24"),
        ("2020-01-22", 3, "2020-02-04"),
        ("2024-09-27", 3, "2024-10-08"),
        // Monthly figures of March 2019 fall due on 2019-04-30 and are overdue ten working days later.
        ("2019-04-30", 10, "2019-05-16"),
        ("2019-03-29", -3, "2019-03-26"),
        ("2019-03-30", 0, "2019-03-30"),
    ] {
        assert_eq!(calendar.add_working_days(day(start), n), Ok(day(expected)), "{start} + {n}");
    }
}

#[test]
fn a_year_without_notice_is_named() {
    let calendar = WorkCalendar::built_in();
    let error = |answer: Result<i64, CalendarError>| answer.unwrap_err().to_string();
    let expected = |year| format!("no working-day notice for {year}: the published years are 2007 to 2026");
    assert_eq!(error(calendar.working_days_between(day("2026-12-31"), day("2027-01-04"))), expected(2027));
    assert_eq!(error(calendar.working_days_between(day("2006-12-31"), day("2007-01-04"))), expected(2006));
    let sum = calendar.add_working_days(day("2026-12-31"), 1).unwrap_err();
    assert_eq!(sum.to_string(), expected(2027));
    assert_eq!(calendar.add_working_days(day("2007-01-01"), -1).unwrap_err().to_string(), expected(2006));
    assert!(calendar.add_working_days(day("2019-01-01"), i64::MAX).is_err());
    assert!(calendar.add_working_days(day("2019-01-01"), i64::MIN).is_err());
    assert!(calendar.is_working(i32::MAX).is_err());
    assert!(calendar.between(i32::MIN, i32::MAX).is_err());
    assert!(calendar.between(i32::MAX, i32::MIN).is_err());
}

#[test]
fn the_end_before_the_start_is_said() {
    let error = WorkCalendar::built_in().working_days_between(day("2019-03-29"), day("2019-03-26")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "working days cannot be counted from 2019-03-29 to 2019-03-26: the end lies before the start"
    );
}

fn notice(year: i32, days: &[(&str, bool)]) -> CalendarYearDef {
    let days = days.iter().map(|(date, off)| CalendarDayDef {
        date: (*date).to_owned(),
        off: *off,
        holiday: "元旦".to_owned(),
    });
    CalendarYearDef { version: 1, year, notice: "test".to_owned(), days: days.collect() }
}

#[test]
fn a_project_adds_a_year_and_moves_days_of_the_year_before() {
    // 2026-12-26 is a Saturday, 2027-01-01 a Friday.
    let added = [notice(2027, &[("2026-12-26", false), ("2027-01-01", true)])];
    let calendar = WorkCalendar::with_years(&added).unwrap();
    assert_eq!(calendar.last_published_year(), 2027);
    assert_eq!(calendar.is_working_day(day("2026-12-26")), Ok(true));
    assert_eq!(calendar.is_working_day(day("2027-01-01")), Ok(false));
    assert_eq!(calendar.is_working_day(day("2027-01-04")), Ok(true));
    assert_ne!(calendar.fingerprint(), WorkCalendar::built_in().fingerprint());
}

#[test]
fn a_notice_that_cannot_be_used_is_refused() {
    for (defs, message) in [
        (
            vec![notice(2029, &[])],
            "notice for 2029: the last published year before it is 2026, the years between have no notice",
        ),
        (vec![notice(2005, &[])], "notice for 2005: the calendar begins with 2007"),
        (vec![notice(2027, &[]), notice(2027, &[])], "two notices for 2027"),
        (vec![notice(2027, &[("2027-02-30", true)])], "notice for 2027: `2027-02-30` is not a date written YYYY-MM-DD"),
        (vec![notice(2027, &[("2025-12-31", true)])], "notice for 2027: 2025-12-31 lies more than one year away"),
        (
            vec![notice(2027, &[("2027-01-01", true), ("2027-01-01", true)])],
            "notice for 2027: 2027-01-01 is listed twice",
        ),
    ] {
        assert_eq!(WorkCalendar::with_years(&defs).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn adding_undoes_counting(offset in 0..6_500i32, n in 1..400i64) {
        let calendar = WorkCalendar::built_in();
        let start = calendar.first + offset;
        let end = calendar.add(start, n).unwrap();
        prop_assert_eq!(calendar.between(start, end), Ok(n));
        prop_assert_eq!(calendar.is_working(end), Ok(true));
        if calendar.is_working(start) == Ok(true) {
            prop_assert_eq!(calendar.add(end, -n), Ok(start));
        }
    }

    #[test]
    fn counting_is_monotone_and_adds_up(mut days in proptest::array::uniform3(0..7_305i32)) {
        let calendar = WorkCalendar::built_in();
        days.sort_unstable();
        let [a, b, c] = days.map(|offset| calendar.first + offset);
        let (ab, bc, ac) = (calendar.between(a, b).unwrap(), calendar.between(b, c).unwrap(), calendar.between(a, c).unwrap());
        prop_assert_eq!(ab + bc, ac);
        prop_assert!(ab <= ac && ac <= i64::from(c - a));
    }
}
