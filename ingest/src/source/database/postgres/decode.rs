//! Values in PostgreSQL's binary format.

use std::error::Error;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use tokio_postgres::types::{FromSql, Type};

use crate::source::database::value::{Kind, Read, Refusal, Value, unscaled};

/// The type that a column becomes, and whether its values are understood as they come; others are asked for as text.
pub(super) fn kind_of(found: &Type, modifier: i32) -> (Kind, bool) {
    let kind = match *found {
        Type::BOOL => Kind::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 => Kind::Int64,
        Type::FLOAT4 | Type::FLOAT8 => Kind::Float64,
        Type::NUMERIC => numeric_kind(modifier),
        Type::DATE => Kind::Date,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Kind::Timestamp,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UUID | Type::BYTEA => Kind::Text,
        _ => return (Kind::Text, false),
    };
    (kind, true)
}

/// A number without declared digits is text: its contract says how many it has.
fn numeric_kind(modifier: i32) -> Kind {
    // The length of the header is part of it, and the scale has 11 bits since a release that lets it be negative.
    let declared = modifier - 4;
    let (precision, scale) = ((declared >> 16) & 0xffff, declared & 0x7ff);
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if modifier >= 4 && scale.unsigned_abs() <= precision => {
            Kind::Decimal { precision, scale }
        }
        _ => Kind::Text,
    }
}

/// The bytes of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl<'a> Raw<'a> {
    /// The value, of a type that [`kind_of`] understands.
    pub(super) fn decode(self, found: &Type, kind: Kind) -> Read<'a> {
        let bytes = self.0;
        let broken = || Refusal::out_of_range(super::super::value::hexadecimal(bytes), "its bytes are no such value");
        match *found {
            Type::BOOL => Ok(Value::Boolean(bytes.first().is_some_and(|byte| *byte != 0))),
            Type::INT2 => Ok(Value::Int(i16::from_be_bytes(array(bytes).ok_or_else(broken)?).into())),
            Type::INT4 => Ok(Value::Int(i32::from_be_bytes(array(bytes).ok_or_else(broken)?).into())),
            Type::INT8 => Ok(Value::Int(i64::from_be_bytes(array(bytes).ok_or_else(broken)?))),
            Type::FLOAT4 => Value::float(f32::from_be_bytes(array(bytes).ok_or_else(broken)?).into()),
            Type::FLOAT8 => Value::float(f64::from_be_bytes(array(bytes).ok_or_else(broken)?)),
            Type::NUMERIC => numeric(bytes, kind).unwrap_or_else(|| Err(broken())),
            Type::DATE => date(i32::from_be_bytes(array(bytes).ok_or_else(broken)?)),
            Type::TIMESTAMP | Type::TIMESTAMPTZ => {
                timestamp(i64::from_be_bytes(array(bytes).ok_or_else(broken)?), *found == Type::TIMESTAMP)
            }
            Type::UUID => {
                let id = uuid::Uuid::from_slice(bytes).map_err(|_| broken())?;
                Ok(Value::Text(id.hyphenated().to_string().into()))
            }
            Type::BYTEA => Value::bytes(bytes),
            _ => Value::text(bytes),
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// PostgreSQL counts from this day.
fn epoch() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default().into()
}

fn date<'a>(days: i32) -> Read<'a> {
    match days {
        i32::MAX => Err(Refusal::not_finite("infinity")),
        i32::MIN => Err(Refusal::not_finite("-infinity")),
        _ => {
            let day = epoch().date().checked_add_signed(TimeDelta::days(days.into()));
            Value::date(day, || day.map_or_else(|| format!("{days} days after 2000-01-01"), |day| day.to_string()))
        }
    }
}

fn timestamp<'a>(micros: i64, is_local: bool) -> Read<'a> {
    match micros {
        i64::MAX => Err(Refusal::not_finite("infinity")),
        i64::MIN => Err(Refusal::not_finite("-infinity")),
        _ => {
            let time = epoch().checked_add_signed(TimeDelta::microseconds(micros));
            let raw = || time.map_or_else(|| format!("{micros} µs after 2000-01-01"), |time| time.to_string());
            if is_local { Value::china_time(time, raw) } else { Value::instant(time, raw) }
        }
    }
}

const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

/// Groups of four digits with the place of the first, a sign, and the digits behind the point.
fn numeric<'a>(bytes: &[u8], kind: Kind) -> Option<Read<'a>> {
    let word = |at: usize| bytes.get(at * 2..at * 2 + 2).and_then(array).map(u16::from_be_bytes);
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, word(3)?);
    match sign {
        NOT_A_NUMBER => return Some(Err(Refusal::not_finite("NaN"))),
        INFINITY => return Some(Err(Refusal::not_finite("Infinity"))),
        MINUS_INFINITY => return Some(Err(Refusal::not_finite("-Infinity"))),
        _ => {}
    }
    let group = |place: i32| -> Option<u16> {
        let at = i32::from(weight) - place;
        if (0..i32::from(count)).contains(&at) { word(4 + usize::try_from(at).ok()?) } else { Some(0) }
    };
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    if weight < 0 {
        text.push('0');
    }
    for place in (0..=i32::from(weight)).rev() {
        let digits = group(place)?;
        text.push_str(&if place == i32::from(weight) { digits.to_string() } else { format!("{digits:04}") });
    }
    if scale > 0 {
        text.push('.');
        let whole = text.len();
        for place in 1..=i32::from(scale.div_ceil(4)) {
            text.push_str(&format!("{:04}", group(-place)?));
        }
        text.truncate(whole + usize::from(scale));
    }
    Some(match kind {
        Kind::Decimal { precision, scale } => match unscaled(&text, precision, scale) {
            Some(value) => Ok(Value::Decimal(value)),
            None => Err(Refusal::out_of_range(text, "it has more digits than were announced")),
        },
        _ => Ok(Value::Text(text.into())),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn bytes(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// Words as `SELECT numeric_send(…)` of PostgreSQL 15 gives them.
    #[test]
    fn numbers_are_read_digit_by_digit() {
        for (words, text) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 2], "0.00"),
            (&[2, 0, 0, 2, 1234, 5000], "1234.50"),
            (&[1, 1, 0x4000, 0, 1], "-10000"),
            (&[1, 0xfffe, 0, 8, 1], "0.00000001"),
            (&[2, 0xffff, 0, 5, 1234, 5000], "0.12345"),
        ] {
            assert_eq!(numeric(&bytes(words), Kind::Text), Some(Ok(Value::Text(text.into()))), "{words:?}");
        }
        let decimal = Kind::Decimal { precision: 6, scale: 2 };
        assert_eq!(numeric(&bytes(&[2, 0, 0, 2, 1234, 5000]), decimal), Some(Ok(Value::Decimal(123_450))));
        let refused = numeric(&bytes(&[0, 0, 0xC000, 0]), decimal).unwrap().unwrap_err();
        assert_eq!((refused.reason, refused.raw.as_str()), ("NOT_FINITE", "NaN"));
        assert_eq!(numeric(&bytes(&[2, 0, 0, 2, 1234]), decimal), None);
    }

    #[test]
    fn declared_digits_are_found_in_the_modifier() {
        let modifier = |precision: i32, scale: i32| (precision << 16 | scale & 0x7ff) + 4;
        assert_eq!(kind_of(&Type::NUMERIC, modifier(38, 6)), (Kind::Decimal { precision: 38, scale: 6 }, true));
        assert_eq!(kind_of(&Type::NUMERIC, modifier(39, 0)), (Kind::Text, true));
        assert_eq!(kind_of(&Type::NUMERIC, modifier(3, -2)), (Kind::Text, true));
        assert_eq!(kind_of(&Type::NUMERIC, -1), (Kind::Text, true));
        assert_eq!(kind_of(&Type::INT4_ARRAY, -1), (Kind::Text, false));
    }

    #[test]
    fn days_and_times_that_never_end_are_refused() {
        assert_eq!(date(0), Ok(Value::Date(10_957)));
        assert_eq!(date(i32::MAX).unwrap_err().reason, "NOT_FINITE");
        assert_eq!(date(-800_000).unwrap_err().reason, "OUT_OF_RANGE");
        // 2000-01-01 00:00 in China was 16:00 of the day before in UTC.
        assert_eq!(timestamp(0, true), Ok(Value::Timestamp(946_656_000_000_000)));
        assert_eq!(timestamp(0, false), Ok(Value::Timestamp(946_684_800_000_000)));
        assert_eq!(timestamp(i64::MIN, false).unwrap_err().raw, "-infinity");
    }
}
