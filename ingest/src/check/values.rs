//! Text → values of the contract's types. Nothing is rounded, guessed or cut: what does not fit is refused.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, StringArray,
    TimestampMicrosecondBuilder,
};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Asia::Shanghai;
use unicode_normalization::UnicodeNormalization;
use xiangyun_engine::catalog::ColumnType;
use xiangyun_engine::functions::calendar::parse_date;

use crate::source::text::trimmed;

/// Days from 0001-01-01 to 1970-01-01, as `chrono` counts them.
const UNIX_EPOCH_FROM_CE: i32 = 719_163;

/// A row whose text is no value of the column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) row: usize,
    /// Reason code.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The column's values; rows that are not readable are null and listed.
pub(crate) fn parse_column(texts: &StringArray, column_type: ColumnType) -> (ArrayRef, Vec<Unreadable>) {
    let mut bad = Vec::new();
    macro_rules! build {
        ($builder:expr, $parse:expr) => {{
            let mut builder = $builder;
            for (row, text) in texts.iter().enumerate() {
                let parsed = text.map($parse).transpose();
                builder.append_option(parsed.as_ref().copied().unwrap_or_default());
                if let Err(reason) = parsed {
                    let text = crate::source::text::truncated(text.unwrap_or_default(), 200);
                    let message = format!("`{text}` is not a {column_type}: {reason}");
                    bad.push(Unreadable { row, reason: "TYPE", message });
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    let rows = texts.len();
    let array = match column_type {
        ColumnType::Text => Arc::new(texts.clone()) as ArrayRef,
        ColumnType::Int64 => build!(Int64Builder::with_capacity(rows), int64),
        ColumnType::Float64 => build!(Float64Builder::with_capacity(rows), float64),
        ColumnType::Boolean => build!(BooleanBuilder::with_capacity(rows), boolean),
        ColumnType::Date => build!(Date32Builder::with_capacity(rows), |text| date(text).map(days)),
        ColumnType::Timestamp => {
            build!(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"), timestamp)
        }
        ColumnType::Decimal { precision, scale } => {
            let data_type = column_type.arrow();
            build!(Decimal128Builder::with_capacity(rows).with_data_type(data_type), |text| decimal(
                text, precision, scale
            ))
        }
    };
    (array, bad)
}

/// All of a column's values, or the first row that is not readable.
pub(super) fn parse(texts: &StringArray, column_type: ColumnType) -> Result<ArrayRef, Unreadable> {
    let (array, mut bad) = parse_column(texts, column_type);
    if bad.is_empty() { Ok(array) } else { Err(bad.swap_remove(0)) }
}

/// Numbers and dates are compared in their plain form: full-width digits and signs become ASCII (NFKC), padding at
/// the ends goes. Names are never treated like this: it changes characters.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let text = trimmed(text);
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().collect())
}

/// Digits without separators; a separator stands before each group of three, or nowhere.
fn without_separators(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains(',') {
        return Ok(Cow::Borrowed(text));
    }
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.trim_start_matches(['+', '-']).split(',');
    let first = groups.next().unwrap_or_default();
    let fits = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if !fits || fraction.is_some_and(|fraction| fraction.contains(',')) {
        return Err("its separators do not mark thousands");
    }
    Ok(Cow::Owned(text.replace(',', "")))
}

fn int64(text: &str) -> Result<i64, &'static str> {
    let plain = plain(text);
    let digits = without_separators(&plain)?;
    // `12.00` is a whole number that a spreadsheet wrote.
    let digits = match digits.split_once('.') {
        Some((whole, zeros)) if !whole.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return Err("it is no whole number"),
        None => &digits,
    };
    digits.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "it has too many digits",
        _ => "it is no whole number",
    })
}

fn float64(text: &str) -> Result<f64, &'static str> {
    let plain = plain(text);
    let number: f64 = without_separators(&plain)?.parse().map_err(|_| "it is no number")?;
    if number.is_finite() { Ok(number) } else { Err("it is no finite number") }
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match plain(text).to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "是" => Ok(true),
        "false" | "f" | "no" | "n" | "0" | "否" => Ok(false),
        _ => Err("use true or false, 1 or 0, 是 or 否"),
    }
}

/// The unscaled value. Zeros behind the last digit that counts do not need room.
pub(crate) fn decimal(text: &str, precision: u8, scale: u8) -> Result<i128, &'static str> {
    let plain = plain(text);
    let text = without_separators(&plain)?;
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, &*text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number {
        let is_written = text.ends_with(['万', '亿', '元', '%', ')']);
        return Err(match is_written {
            true => "it is no decimal number; declare under `written` that it is an amount or a percentage",
            false => "it is no decimal number",
        });
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(scale) {
        return Err("it has too many digits behind the point");
    }
    let missing = usize::from(scale) - fraction.len();
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit - b'0')))
            .ok_or("it has too many digits")?;
    }
    // 10^38 is the first number that does not fit 38 digits, and fits an i128.
    if value >= 10_i128.pow(u32::from(precision)) {
        return Err("it has too many digits");
    }
    Ok(if negative { -value } else { value })
}

pub(super) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - UNIX_EPOCH_FROM_CE
}

/// A calendar day as agencies write it: `2019-03-26`, `2019/3/26`, `2019.03.26`, `20190326`, `2019年3月26日`,
/// `二〇一九年三月二十六日`, in half- or full-width digits; midnight behind it does no harm. Never a month, never two
/// digits for the year.
pub(super) fn date(text: &str) -> Result<NaiveDate, &'static str> {
    const NO_DATE: &str = "it is no calendar day";
    let plain = plain(text);
    if let Some(date) = iso_date(&plain) {
        return Ok(date);
    }
    let day = ["T00:00:00", " 00:00:00", "00:00:00", " 00:00"].iter().find_map(|end| plain.strip_suffix(end));
    let day = day.unwrap_or(&plain);
    // Five digits are a serial day only where the contract says so, and 长期 is no day at all.
    if day == "长期" || (day.len() == 5 && day.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(NO_DATE);
    }
    parse_date(day).ok_or_else(|| match day.split_once(['年', '-', '/', '.']) {
        Some((year, _)) if year.chars().count() != 4 => "its year does not have four digits",
        _ => NO_DATE,
    })
}

/// `YYYY-MM-DD` and nothing else, without allocation: almost every date is one.
fn iso_date(text: &str) -> Option<NaiveDate> {
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    let number = |range: std::ops::Range<usize>| {
        bytes[range]
            .iter()
            .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(number(0..4)?).ok().filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)
}

/// Microseconds of UTC. A text with an offset is an instant; without one it is what a clock in China showed, the
/// summer times of 1986 to 1991 included.
fn timestamp(text: &str) -> Result<i64, &'static str> {
    let text = plain(text);
    for format in ["%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%#z"] {
        if let Ok(instant) = DateTime::parse_from_str(&text.replace('Z', "+00:00"), format) {
            return micros(instant.timestamp_micros(), instant.timestamp_subsec_nanos());
        }
    }
    let formats =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M"];
    let local = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .or_else(|| date(&text).ok().and_then(|date| date.and_hms_opt(0, 0, 0)))
        .ok_or("write it as 2019-03-26 09:30:00, with an offset where it is not China's time")?;
    // A leap second does not exist on a clock in China that a table could hold.
    match Shanghai.from_local_datetime(&local) {
        chrono::LocalResult::Single(instant) => micros(instant.timestamp_micros(), instant.timestamp_subsec_nanos()),
        chrono::LocalResult::Ambiguous(..) => Err("clocks in China showed this time twice: add an offset"),
        chrono::LocalResult::None => Err("clocks in China never showed this time: add an offset"),
    }
}

fn micros(micros: i64, nanos: u32) -> Result<i64, &'static str> {
    if nanos.is_multiple_of(1000) { Ok(micros) } else { Err("it is finer than microseconds") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, value) in
            [("0", 0), (" 12 ", 12), ("1,234,567", 1_234_567), ("-5", -5), ("１，２３４", 1234), ("12.00", 12)]
        {
            assert_eq!(int64(text), Ok(value), "{text}");
        }
        for text in ["1.5", "1,23", "12,", "abc", "9223372036854775808", "1e3", ".0", "一"] {
            assert!(int64(text).is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(decimal("72685427.3184", 38, 6), Ok(72_685_427_318_400));
        assert_eq!(decimal("1,000.50", 10, 2), Ok(100_050));
        assert_eq!(decimal("-０．５０００", 3, 1), Ok(-5));
        assert_eq!(decimal(".5", 2, 1), Ok(5));
        assert_eq!(decimal("99.9", 3, 1), Ok(999));
        assert_eq!(decimal(&"9".repeat(38), 38, 0), Ok(10_i128.pow(38) - 1));
        for text in ["100.0", "0.05", "1.2.3", "", "-", "1e3", &"9".repeat(60)] {
            assert!(decimal(text, 3, 1).is_err(), "{text}");
        }
        assert!(decimal(&format!("1{}", "0".repeat(38)), 38, 0).is_err());
        for text in ["1.5万", "３％", "100(万元)"] {
            assert!(decimal(text, 10, 2).unwrap_err().contains("`written`"), "{text}");
        }
    }

    #[test]
    fn days_in_every_shape_of_the_domain_specification() {
        let expected = NaiveDate::from_ymd_opt(2019, 3, 26).unwrap();
        for text in [
            "2019-03-26",
            "2019/3/26",
            "2019.03.26",
            "20190326",
            "2019年3月26日",
            "２０１９年３月２６日",
            "二〇一九年三月二十六日",
            "\u{3000}2019-03-26 ",
            "2019-03-26 00:00:00",
        ] {
            assert_eq!(date(text), Ok(expected), "{text}");
        }
        assert_eq!(date("二〇二〇年十二月十日"), Ok(NaiveDate::from_ymd_opt(2020, 12, 10).unwrap()));
        for text in [
            "2019-02-29",
            "2019-13-01",
            "0000-00-00",
            "19-03-26",
            "2019年3月",
            "2019",
            "民国八年三月一日",
            "43550",
            "2019-003-1",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_are_china_time_unless_they_say_otherwise() {
        let seconds = |text: &str| timestamp(text).map(|micros| micros / 1_000_000);
        let nine_thirty = seconds("2019-03-26T01:30:00Z").unwrap();
        assert_eq!(nine_thirty, 1_553_563_800);
        for text in
            ["2019-03-26 09:30:00", "2019-03-26T09:30:00+08:00", "2019/3/26 09:30", "２０１９-０３-２６ ０９:３０:００"]
        {
            assert_eq!(seconds(text), Ok(nine_thirty), "{text}");
        }
        assert_eq!(timestamp("2019-03-26 09:30:00.000001"), Ok(1_553_563_800_000_001));
        assert_eq!(seconds("2019年3月26日"), seconds("2019-03-25T16:00:00Z"));
        // Summer time: nine hours ahead of UTC in July 1988.
        assert_eq!(seconds("1988-07-01 09:00:00"), seconds("1988-07-01T00:00:00Z"));
        for text in ["2019-03-26 25:00:00", "09:30", "2019-03-26 09:30:00.0000001", "1988-04-17 02:30:00"] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_that_does_not_fit_is_null_and_named() {
        let texts = StringArray::from(vec![Some("1"), None, Some("x"), Some("是")]);
        let (array, bad) = parse_column(&texts, ColumnType::Int64);
        assert_eq!(array.null_count(), 3);
        let rows: Vec<_> = bad.iter().map(|bad| bad.row).collect();
        assert_eq!(rows, [2, 3]);
        assert_eq!(bad[0].message, "`x` is not a int64: it is no whole number");
        assert_eq!(boolean("是"), Ok(true));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<i64>(), days_after in 0_i64..300_000, micro in any::<u32>()) {
            prop_assert_eq!(int64(&value.to_string()), Ok(value));
            prop_assert_eq!(decimal(&value.to_string(), 38, 4), Ok(i128::from(value) * 10_000));
            let day = NaiveDate::from_ymd_opt(1600, 1, 1).unwrap() + chrono::Duration::days(days_after);
            prop_assert_eq!(date(&day.format("%Y年%-m月%-d日").to_string()), Ok(day));
            let instant = DateTime::from_timestamp(value.rem_euclid(4_000_000_000), micro % 1_000_000 * 1000).unwrap();
            prop_assert_eq!(timestamp(&instant.to_rfc3339()), Ok(instant.timestamp_micros()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = (int64(&text), float64(&text), boolean(&text), date(&text), timestamp(&text));
            let _ = decimal(&text, 38, 6);
        }
    }
}
