//! A cell → text, as the person who filled it in would read it.

use calamine::{DataRef, ExcelDateTime};
use chrono::{Days, NaiveDate};

use super::super::text::trimmed;

/// Whole numbers from here on share a float with their neighbours: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Significant digits that a spreadsheet keeps and shows.
const DIGITS: usize = 15;

/// Significant digits up to which a number of [`DIGITS`] digits is taken for what was meant.
const MEANT: usize = 12;

/// The day behind the last one that a spreadsheet knows, 9999-12-31.
const DAYS_END: f64 = 2_958_466.0;

const DAY_MS: f64 = 86_400_000.0;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// Reason code and words where the text is no value.
    pub(super) fault: Option<(&'static str, String)>,
}

impl Value {
    fn fault(text: String, reason: &'static str, message: impl Into<String>) -> Self {
        Self { text, fault: Some((reason, message.into())) }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self { text, fault: None }
    }
}

/// The value of a cell; none for an empty one.
pub(super) fn value(cell: &DataRef<'_>, is_1904: bool) -> Option<Value> {
    Some(match cell {
        DataRef::Empty => return None,
        DataRef::String(text) => return filled(text),
        DataRef::SharedString(text) => return filled(text),
        DataRef::Int(number) => number.to_string().into(),
        DataRef::Float(number) => self::number(*number),
        DataRef::Bool(value) => value.to_string().into(),
        DataRef::DateTime(instant) => self::instant(instant, is_1904),
        DataRef::DateTimeIso(text) => iso_instant(text).into(),
        DataRef::DurationIso(text) => iso_duration(text).into(),
        DataRef::Error(error) => {
            let message = format!("holds the error {error} and no value");
            Value::fault(error.to_string(), "CELL_ERROR", message)
        }
    })
}

/// A text that is not only padding.
fn filled(text: &str) -> Option<Value> {
    (!trimmed(text).is_empty()).then(|| text.to_owned().into())
}

/// The shortest digits that give the same float, without an exponent. Sums leave dust behind the digits that a
/// spreadsheet shows (0.1 + 0.2 is 0.30000000000000004): it is swept away where the rest is short, and so was meant.
fn number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() >= EXACT {
        let message = format!(
            "holds {number} as a number, of which only the first {DIGITS} digits are sure: the column must be text in the workbook"
        );
        return Value::fault(number.to_string(), "DIGITS_LOST", message);
    }
    if !number.is_finite() {
        return Value::fault(number.to_string(), "CELL_ERROR", "holds no number");
    }
    // Without the sign of a negative zero.
    let number = number + 0.0;
    let short = format!("{number:.*e}", DIGITS - 1);
    let digits = short.split('e').next().unwrap_or_default().trim_end_matches('0');
    let significant = digits.bytes().filter(u8::is_ascii_digit).count();
    match short.parse::<f64>() {
        Ok(meant) if significant <= MEANT => meant.to_string().into(),
        _ => number.to_string().into(),
    }
}

/// A day, a day with a time, or only a time.
fn instant(instant: &ExcelDateTime, is_1904: bool) -> Value {
    let serial = instant.as_f64();
    if instant.is_duration() {
        return duration(serial).into();
    }
    let shown = serial.to_string();
    if !(0.0..DAYS_END).contains(&serial) {
        let message = format!("is shown as a date, and its number {shown} is none");
        return Value::fault(shown, "DATE", message);
    }
    let mut days = serial.floor();
    let mut milliseconds = (serial.fract() * DAY_MS).round();
    if milliseconds >= DAY_MS {
        (days, milliseconds) = (days + 1.0, 0.0);
    }
    let time = clock(milliseconds as u64);
    if days == 0.0 && (milliseconds > 0.0 || !is_1904) {
        return time.into();
    }
    // Lotus 1-2-3 took 1900 for a leap year, and workbooks count on.
    let first = match (is_1904, days) {
        (true, _) => NaiveDate::from_ymd_opt(1904, 1, 1),
        (false, ..60.0) => NaiveDate::from_ymd_opt(1899, 12, 31),
        (false, 60.0..61.0) => {
            return Value::fault(shown, "DATE", "is shown as 29 February 1900, a day that never was");
        }
        (false, _) => NaiveDate::from_ymd_opt(1899, 12, 30),
    };
    match first.and_then(|first| first.checked_add_days(Days::new(days as u64))) {
        Some(date) if milliseconds == 0.0 => date.to_string().into(),
        Some(date) => format!("{date} {time}").into(),
        None => Value::fault(shown, "DATE", "is shown as a date, and is none"),
    }
}

/// Hours may be more than a day has.
fn duration(days: f64) -> String {
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{}", clock((days.abs() * DAY_MS).round() as u64))
}

fn clock(milliseconds: u64) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { text } else { format!("{text}.{rest:03}") }
}

/// `2024-03-05T00:00:00` → `2024-03-05`, `2024-03-05T09:30:00` → `2024-03-05 09:30:00`.
fn iso_instant(text: &str) -> String {
    let Some((date, time)) = text.split_once('T') else { return text.to_owned() };
    let time = if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time };
    if time == "00:00:00" || time == "00:00" { date.to_owned() } else { format!("{date} {time}") }
}

/// `PT09H30M00S` → `09:30:00`; any other text as it is.
fn iso_duration(text: &str) -> String {
    let parse = || {
        let (hours, rest) = text.strip_prefix("PT")?.split_once('H')?;
        let (minutes, rest) = rest.split_once('M')?;
        let seconds = rest.strip_suffix('S')?.replace(',', ".");
        let seconds: f64 = seconds.parse().ok().filter(|seconds| (0.0..60.0).contains(seconds))?;
        let minutes = hours.parse::<u64>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
        Some(clock(minutes.checked_mul(60_000)?.checked_add((seconds * 1000.0).round() as u64)?))
    };
    parse().unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    fn text(cell: &DataRef<'_>) -> String {
        let value = value(cell, false).unwrap();
        assert_eq!(value.fault, None, "{}", value.text);
        value.text
    }

    #[test]
    fn numbers_are_what_was_typed() {
        for (number, expected) in [
            (1e15, "1000000000000000"),
            (0.1 + 0.2, "0.3"),
            (1.1 * 3.0, "3.3"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123_456.78, "123456.78"),
            (0.000_012_5, "0.0000125"),
            (-0.0, "0"),
            (-42.0, "-42"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1_234_567.890_123_45, "1234567.89012345"),
        ] {
            assert_eq!(text(&DataRef::Float(number)), expected);
        }
        let lost = value(&DataRef::Float(220_102_199_001_011_234.0), false).unwrap();
        assert_eq!(lost.fault.unwrap().0, "DIGITS_LOST");
    }

    #[test]
    fn days_of_both_systems() {
        let shown = |serial: f64, is_1904: bool| {
            let instant = ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, is_1904);
            value(&DataRef::DateTime(instant), is_1904).unwrap()
        };
        // ECMA-376 part 1, 18.17.4.1: 1900-01-01 is 1, 1900-03-01 is 61; in the other system 1904-01-01 is 0.
        for (serial, is_1904, expected) in [
            (1.0, false, "1900-01-01"),
            (59.0, false, "1900-02-28"),
            (61.0, false, "1900-03-01"),
            (45_358.0, false, "2024-03-07"),
            (43_896.0, true, "2024-03-07"),
            (0.0, true, "1904-01-01"),
            (45_358.395_833_333_33, false, "2024-03-07 09:30:00"),
            (45_358.999_999_999_9, false, "2024-03-08"),
            (0.5, false, "12:00:00"),
            (2_958_465.0, false, "9999-12-31"),
        ] {
            assert_eq!(shown(serial, is_1904), Value::from(expected.to_owned()), "{serial}");
        }
        for serial in [60.0, 60.5, -1.0, 2_958_466.0, f64::NAN] {
            assert_eq!(shown(serial, false).fault.map(|(reason, _)| reason), Some("DATE"), "{serial}");
        }
        let long = ExcelDateTime::new(1.5, ExcelDateTimeType::TimeDelta, false);
        assert_eq!(text(&DataRef::DateTime(long)), "36:00:00");
    }

    #[test]
    fn days_of_open_documents() {
        assert_eq!(text(&DataRef::DateTimeIso("2024-03-05".into())), "2024-03-05");
        assert_eq!(text(&DataRef::DateTimeIso("2024-03-05T00:00:00".into())), "2024-03-05");
        assert_eq!(text(&DataRef::DateTimeIso("2024-03-05T09:30:00.500000000".into())), "2024-03-05 09:30:00.5");
        assert_eq!(text(&DataRef::DurationIso("PT09H30M00S".into())), "09:30:00");
        assert_eq!(text(&DataRef::DurationIso("P1D".into())), "P1D");
        assert_eq!(value(&DataRef::SharedString(" \u{3000}"), false), None);
    }
}
