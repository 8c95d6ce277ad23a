//! Values of databases: the types that columns have, and the values that no type here holds.

use std::borrow::Cow;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Asia::Shanghai;
use serde_json::Value as Json;

/// Bytes that a value may have; a row with a longer one is rejected.
pub(super) const VALUE_LIMIT_BYTES: usize = 16 << 20;

/// Days from 0001-01-01 to 1970-01-01, as `chrono` counts them.
const UNIX_EPOCH_FROM_CE: i32 = 719_163;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Int64,
    UInt64,
    Float64,
    Decimal { precision: u8, scale: i8 },
    Text,
    Date,
    Timestamp,
}

impl Kind {
    pub(super) fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::UInt64 => DataType::UInt64,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// A value of a column's [`Kind`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// Unscaled, at the column's scale.
    Decimal(i128),
    Text(Cow<'a, str>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(i64),
}

/// A value that the column's type cannot hold: its row is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Reason code.
    pub(super) reason: &'static str,
    /// The value as the database writes it, or as hexadecimal bytes.
    pub(super) raw: String,
    /// Why, in words.
    pub(super) why: &'static str,
}

/// Reason codes of rows that are rejected because a value cannot be represented.
pub(super) const REASONS: [&str; 5] = [NOT_FINITE, OUT_OF_RANGE, ZERO_DATE, UNDECODABLE, TOO_LONG];
pub(super) const NOT_FINITE: &str = "NOT_FINITE";
pub(super) const OUT_OF_RANGE: &str = "OUT_OF_RANGE";
pub(super) const ZERO_DATE: &str = "ZERO_DATE";
pub(super) const UNDECODABLE: &str = "UNDECODABLE";
pub(super) const TOO_LONG: &str = "TOO_LONG";

impl Refusal {
    pub(super) fn not_finite(raw: impl Into<String>) -> Self {
        Self { reason: NOT_FINITE, raw: raw.into(), why: "it is no finite value" }
    }

    pub(super) fn out_of_range(raw: impl Into<String>, why: &'static str) -> Self {
        Self { reason: OUT_OF_RANGE, raw: raw.into(), why }
    }
}

pub(super) type Read<'a> = Result<Value<'a>, Refusal>;

impl<'a> Value<'a> {
    /// A text, unless its bytes are none or are too many.
    pub(super) fn text(bytes: &'a [u8]) -> Read<'a> {
        check_length(bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::Text(text.into())),
            Err(_) => Err(Refusal { reason: UNDECODABLE, raw: hexadecimal(bytes), why: "its bytes are no text" }),
        }
    }

    /// Bytes that are no text, as PostgreSQL writes them: `\x` and hexadecimal digits.
    pub(super) fn bytes(bytes: &[u8]) -> Read<'a> {
        check_length(bytes)?;
        Ok(Self::Text(hexadecimal(bytes).into()))
    }

    pub(super) fn float(number: f64) -> Read<'a> {
        if number.is_finite() { Ok(Self::Float(number)) } else { Err(Refusal::not_finite(number.to_string())) }
    }

    /// A calendar day of the years 1 to 9999.
    pub(super) fn date(date: Option<NaiveDate>, raw: impl FnOnce() -> String) -> Read<'a> {
        match date.filter(|date| (1..=9999).contains(&date.year())) {
            Some(date) => Ok(Self::Date(date.num_days_from_ce() - UNIX_EPOCH_FROM_CE)),
            None => Err(Refusal::out_of_range(raw(), "it is no calendar day of the years 1 to 9999")),
        }
    }

    /// An instant of the years 1 to 9999.
    pub(super) fn instant(utc: Option<NaiveDateTime>, raw: impl FnOnce() -> String) -> Read<'a> {
        match utc.filter(|utc| (1..=9999).contains(&utc.year())) {
            Some(utc) => Ok(Self::Timestamp(utc.and_utc().timestamp_micros())),
            None => Err(Refusal::out_of_range(raw(), "it is no time of the years 1 to 9999")),
        }
    }

    /// What a clock in China showed, the summer times of 1986 to 1991 included.
    pub(super) fn china_time(local: Option<NaiveDateTime>, raw: impl FnOnce() -> String) -> Read<'a> {
        let Some(local) = local else { return Self::instant(None, raw) };
        match Shanghai.from_local_datetime(&local) {
            chrono::LocalResult::Single(instant) => Self::instant(Some(instant.naive_utc()), raw),
            chrono::LocalResult::Ambiguous(..) => {
                Err(Refusal::out_of_range(raw(), "clocks in China showed this time twice"))
            }
            chrono::LocalResult::None => Err(Refusal::out_of_range(raw(), "clocks in China never showed this time")),
        }
    }

    /// Appends bytes that are equal for equal values of one column, and for no others.
    pub(super) fn write_canonical(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Null => bytes.push(0),
            Self::Boolean(value) => bytes.extend([1, u8::from(*value)]),
            Self::Int(value) => tagged(bytes, 2, &value.to_le_bytes()),
            Self::UInt(value) => tagged(bytes, 3, &value.to_le_bytes()),
            Self::Float(value) => tagged(bytes, 4, &value.to_bits().to_le_bytes()),
            Self::Decimal(value) => tagged(bytes, 5, &value.to_le_bytes()),
            Self::Text(value) => {
                tagged(bytes, 6, &(value.len() as u64).to_le_bytes());
                bytes.extend_from_slice(value.as_bytes());
            }
            Self::Date(value) => tagged(bytes, 7, &value.to_le_bytes()),
            Self::Timestamp(value) => tagged(bytes, 8, &value.to_le_bytes()),
        }
    }

    /// As a rejected row shows it.
    pub(super) fn json(&self, kind: Kind) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Bool(*value),
            Self::Int(value) => (*value).into(),
            Self::UInt(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Decimal(value) => match kind {
                Kind::Decimal { scale, .. } => decimal_text(*value, scale).into(),
                _ => value.to_string().into(),
            },
            Self::Text(value) => crate::source::text::truncated(value, 1024).into(),
            Self::Date(value) => NaiveDate::from_num_days_from_ce_opt(value + UNIX_EPOCH_FROM_CE)
                .map_or(Json::Null, |date| date.to_string().into()),
            Self::Timestamp(value) => chrono::DateTime::from_timestamp_micros(*value)
                .map_or(Json::Null, |instant| instant.to_rfc3339().into()),
        }
    }
}

fn tagged(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    bytes.push(tag);
    bytes.extend_from_slice(value);
}

fn check_length(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() <= VALUE_LIMIT_BYTES {
        return Ok(());
    }
    Err(Refusal { reason: TOO_LONG, raw: format!("{} bytes", bytes.len()), why: "a value may have 16 MiB" })
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

fn decimal_text(unscaled: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap_or_default();
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The unscaled value of a decimal number that a server wrote; none where it does not fit.
pub(super) fn unscaled(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > scale || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', scale - fraction.len())) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let fits = value < 10_i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_38_digits() {
        let nines = "9".repeat(38);
        assert_eq!(unscaled(&nines, 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(unscaled(&format!("1{}", "0".repeat(38)), 38, 0), None);
        assert_eq!(unscaled("-0.5", 3, 2), Some(-50));
        assert_eq!(unscaled("1.234", 5, 2), None);
        assert_eq!(unscaled("NaN", 5, 2), None);
        assert_eq!(decimal_text(-50, 2), "-0.50");
        assert_eq!(decimal_text(7, 0), "7");
    }

    #[test]
    fn clocks_in_china_are_followed() {
        let read = |text: &str| {
            let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
            Value::china_time(Some(local), || text.into()).map_err(|refusal| refusal.why)
        };
        // Eight hours ahead of UTC; nine in the summer of 1988, whose clocks jumped from 2 to 3 on April 17.
        assert_eq!(read("2019-03-26 09:30:00"), Ok(Value::Timestamp(1_553_563_800_000_000)));
        assert_eq!(read("1988-07-01 09:00:00"), Ok(Value::Timestamp(583_718_400_000_000)));
        assert_eq!(read("1988-04-17 02:30:00"), Err("clocks in China never showed this time"));
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_bytes() {
        let refusal = Value::text(&[0xff, b'a']).unwrap_err();
        assert_eq!((refusal.reason, refusal.raw.as_str()), ("UNDECODABLE", "\\xff61"));
        assert_eq!(Value::bytes(&[0, 255]), Ok(Value::Text("\\x00ff".into())));
        assert_eq!(Value::float(f64::NAN).unwrap_err().reason, "NOT_FINITE");
    }
}
