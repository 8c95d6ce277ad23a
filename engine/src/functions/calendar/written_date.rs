//! Dates and periods as Chinese records write them.

use chrono::{Days, Months, NaiveDate};

use crate::functions::chinese_numeral;
use crate::functions::fold::fold_without_blanks;

/// "Without end" 长期: the last day that such records name.
pub const OPEN_END: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("31 December exists");

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// One day.
    Day,
    /// One month.
    Month,
    /// Several months, as in the figures of January and February, which are published together.
    Months,
    /// Three months from January, April, July or October.
    Quarter,
    /// Six months from January or July.
    Half,
    /// A calendar year, which is also the fiscal year.
    Year,
}

impl Grain {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Months => "months",
            Self::Quarter => "quarter",
            Self::Half => "half",
            Self::Year => "year",
        }
    }
}

/// A period; both days belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub start: NaiveDate,
    /// The last day.
    pub end: NaiveDate,
    /// How long it is.
    pub grain: Grain,
}

impl Period {
    fn day(day: NaiveDate) -> Self {
        Self { start: day, end: day, grain: Grain::Day }
    }

    fn months(year: u32, first: u32, count: u32, grain: Grain) -> Option<Self> {
        let start = day(year, first, 1)?;
        let end = start.checked_add_months(Months::new(count))?.checked_sub_days(Days::new(1))?;
        Some(Self { start, end, grain })
    }
}

/// The serial numbers of Excel's 1900 system that are taken for dates: five digits, 1927-05-18 to 2099-12-31.
const EXCEL_SERIALS: std::ops::RangeInclusive<u64> = 10_000..=73_050;
/// The day that Excel's serial numbers count from, from March 1900 on.
const EXCEL_EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1899, 12, 30).expect("30 December exists");

/// Reads one day: `2019年3月26日`, `2019-03-26`, `2019/3/26`, `2019.03.26`, `20190326`, `二〇一九年三月二十六日`, their
/// full-width forms, an Excel serial number, and `长期` as [`OPEN_END`].
///
/// None for a month or a year alone, for days that do not exist, for years of two digits, lunar and Republican dates.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    parse_folded_date(&fold_without_blanks(text))
}

/// Reads a period: a day as above (but not an open end), `2019年3月`, `2019-03`, `201903`, `2019年1-2月`,
/// `2019年第一季度`, `2019年一季度`, `2019Q1`, `2019年上半年`, `2019年`, `2019`. A quarter without its year is none.
pub fn parse_period(text: &str) -> Option<Period> {
    let text = fold_without_blanks(text);
    if let Some(day) = parse_folded_date(&text) {
        return (day != OPEN_END).then(|| Period::day(day));
    }
    if let Some((year, rest)) = text.split_once('年') {
        return parse_part_of_year(parse_year(year)?, rest);
    }
    if let Some((year, quarter)) = text.split_once(['Q', 'q']) {
        return quarter_of(parse_year(year)?, number(quarter)?);
    }
    let month = |year: &str, month: &str| Period::months(parse_year(year)?, number(month)?, 1, Grain::Month);
    match text.split_once(['-', '/']) {
        Some((year, rest)) => month(year, rest),
        None if text.is_ascii() && text.len() == 6 => month(&text[..4], &text[4..]),
        None => Period::months(ascii_year(&text)?, 1, 12, Grain::Year),
    }
}

fn parse_part_of_year(year: u32, part: &str) -> Option<Period> {
    match part {
        "" | "度" | "全年" => return Period::months(year, 1, 12, Grain::Year),
        "上半年" => return Period::months(year, 1, 6, Grain::Half),
        "下半年" => return Period::months(year, 7, 6, Grain::Half),
        _ => {}
    }
    if let Some(quarter) = part.strip_suffix("季度") {
        return quarter_of(year, number(quarter.strip_prefix('第').unwrap_or(quarter))?);
    }
    let months = part.strip_suffix('月').or_else(|| part.strip_suffix("月份"))?;
    match months.split_once(['-', '~', '至', '—']) {
        None => Period::months(year, number(months)?, 1, Grain::Month),
        Some((first, last)) => {
            let (first, last) = (number(first.trim_end_matches('月'))?, number(last)?);
            (first < last && last <= 12).then(|| Period::months(year, first, last - first + 1, Grain::Months))?
        }
    }
}

fn quarter_of(year: u32, quarter: u32) -> Option<Period> {
    (1..=4).contains(&quarter).then(|| Period::months(year, quarter * 3 - 2, 3, Grain::Quarter))?
}

fn parse_folded_date(text: &str) -> Option<NaiveDate> {
    if text == "长期" {
        return Some(OPEN_END);
    }
    if let Some((year, rest)) = text.split_once('年') {
        let (month, rest) = rest.split_once('月')?;
        return day(parse_year(year)?, number(month)?, number(rest.strip_suffix('日')?)?);
    }
    if let Some(separator) = text.chars().find(|c| matches!(c, '-' | '/' | '.')) {
        let mut parts = text.split(separator);
        let date = day(ascii_year(parts.next()?)?, ascii_number(parts.next()?)?, ascii_number(parts.next()?)?);
        return if parts.next().is_none() { date } else { None };
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        8 => day(ascii_year(&text[..4])?, ascii_number(&text[4..6])?, ascii_number(&text[6..])?),
        5 => {
            let serial = text.parse().ok().filter(|serial| EXCEL_SERIALS.contains(serial))?;
            EXCEL_EPOCH.checked_add_days(Days::new(serial))
        }
        _ => None,
    }
}

/// A date in a year of four digits from 1000 on.
fn day(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    let year = i32::try_from(year).ok().filter(|year| (1000..=9999).contains(year))?;
    NaiveDate::from_ymd_opt(year, month, day)
}

fn parse_year(text: &str) -> Option<u32> {
    ascii_year(text).or_else(|| (text.chars().count() == 4).then(|| chinese_numeral::parse_digits(text))?)
}

fn ascii_year(text: &str) -> Option<u32> {
    (text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A month, day or quarter, in one or two ASCII digits or in numerals.
fn number(text: &str) -> Option<u32> {
    ascii_number(text).or_else(|| u32::try_from(chinese_numeral::parse(text)?).ok())
}

fn ascii_number(text: &str) -> Option<u32> {
    ((1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_day_in_its_forms() {
        let expected: NaiveDate = "2019-03-26".parse().unwrap();
        for text in [
            "2019年3月26日",
            "2019年03月26日",
            "2019-03-26",
            "2019/3/26",
            "2019.03.26",
            "20190326",
            "二〇一九年三月二十六日",
            "\u{ff12}\u{ff10}\u{ff11}\u{ff19}年\u{ff13}月\u{ff12}\u{ff16}日",
            "43550",
            " 2019 年 3 月 26 日\u{3000}",
        ] {
            assert_eq!(parse_date(text), Some(expected), "{text}");
        }
        assert_eq!(parse_date("9999-12-31"), Some(OPEN_END));
        assert_eq!(parse_date("长期"), Some(OPEN_END));
        assert_eq!(parse_date("二〇二〇年十月一日"), "2020-10-01".parse().ok());
    }

    #[test]
    fn what_is_no_day() {
        for text in [
            "2019-02-29",
            "2019-13-01",
            "0000-00-00",
            "19-03-26",
            "19年3月26日",
            "民国108年3月26日",
            "一〇八年三月二十六日",
            "二〇一九年正月初一",
            "2019年3月",
            "2019年",
            "2019-03",
            "2019-03/26",
            "2019-03-26-01",
            "201903",
            "4355",
            "99999",
            "2019年3月26",
            "",
            "N/A",
            "三月二十六日",
            "-2019-03-26",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn periods() {
        for (text, start, end, grain) in [
            ("2019年3月26日", "2019-03-26", "2019-03-26", "day"),
            ("2019年3月", "2019-03-01", "2019-03-31", "month"),
            ("2019年三月份", "2019-03-01", "2019-03-31", "month"),
            ("2020-02", "2020-02-01", "2020-02-29", "month"),
            ("201902", "2019-02-01", "2019-02-28", "month"),
            ("2019年1-2月", "2019-01-01", "2019-02-28", "months"),
            ("2019年第一季度", "2019-01-01", "2019-03-31", "quarter"),
            ("2019年一季度", "2019-01-01", "2019-03-31", "quarter"),
            ("2019Q4", "2019-10-01", "2019-12-31", "quarter"),
            ("2019年上半年", "2019-01-01", "2019-06-30", "half"),
            ("2019年下半年", "2019-07-01", "2019-12-31", "half"),
            ("2019年", "2019-01-01", "2019-12-31", "year"),
            ("二〇一九年", "2019-01-01", "2019-12-31", "year"),
            ("9999年", "9999-01-01", "9999-12-31", "year"),
        ] {
            let period = parse_period(text).unwrap_or_else(|| panic!("{text} is a period"));
            let found = (period.start.to_string(), period.end.to_string(), period.grain.name());
            assert_eq!(found, (start.to_owned(), end.to_owned(), grain), "{text}");
        }
        for text in
            ["一季度", "2019年第五季度", "2019年13月", "2019年2-1月", "2019年1-13月", "长期", "19年", "", "2019年春"]
        {
            assert_eq!(parse_period(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_form_of_a_day_reads_back(serial in 10_000..73_050i64) {
            let date = EXCEL_EPOCH + chrono::Duration::days(serial);
            for form in ["%Y年%-m月%-d日", "%Y-%m-%d", "%Y/%-m/%-d", "%Y.%m.%d", "%Y%m%d"] {
                prop_assert_eq!(parse_date(&date.format(form).to_string()), Some(date));
            }
            prop_assert_eq!(parse_date(&serial.to_string()), Some(date));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9年月日季度半上第一二十〇./ -]{0,14}") {
            if let Some(period) = parse_period(&text) {
                prop_assert!(period.start <= period.end);
            }
            parse_date(&text);
        }
    }
}
