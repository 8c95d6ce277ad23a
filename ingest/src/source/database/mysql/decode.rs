//! Values in MySQL's binary format.

use chrono::NaiveDate;
use mysql_async::Value as Cell;
use mysql_async::consts::{ColumnFlags, ColumnType};

use crate::pipeline::ZeroDates;
use crate::source::database::value::{Kind, Read, Refusal, Value, ZERO_DATE, hexadecimal, unscaled};

/// The number by which the protocol says that bytes are no text.
const BINARY: u16 = 63;

/// The type that a column becomes.
pub(super) fn kind_of(column: &mysql_async::Column) -> Kind {
    let is_unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    match column.column_type() {
        // `tinyint(1)` is called BOOLEAN and may hold 2: its digits become what the contract says.
        ColumnType::MYSQL_TYPE_TINY if column.column_length() == 1 => Kind::Text,
        ColumnType::MYSQL_TYPE_TINY
        | ColumnType::MYSQL_TYPE_SHORT
        | ColumnType::MYSQL_TYPE_INT24
        | ColumnType::MYSQL_TYPE_LONG
        | ColumnType::MYSQL_TYPE_YEAR => Kind::Int64,
        ColumnType::MYSQL_TYPE_LONGLONG => {
            if is_unsigned {
                Kind::UInt64
            } else {
                Kind::Int64
            }
        }
        ColumnType::MYSQL_TYPE_FLOAT | ColumnType::MYSQL_TYPE_DOUBLE => Kind::Float64,
        ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
            decimal(column.column_length(), column.decimals(), is_unsigned)
        }
        ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => Kind::Date,
        ColumnType::MYSQL_TYPE_DATETIME | ColumnType::MYSQL_TYPE_TIMESTAMP => Kind::Timestamp,
        _ => Kind::Text,
    }
}

/// The length that is announced counts the sign and the point. More than 38 digits are text.
fn decimal(length: u32, decimals: u8, is_unsigned: bool) -> Kind {
    let precision = length.saturating_sub(u32::from(decimals > 0)).saturating_sub(u32::from(!is_unsigned));
    match (u8::try_from(precision), i8::try_from(decimals)) {
        (Ok(precision @ 1..=38), Ok(scale)) if decimals <= precision => Kind::Decimal { precision, scale },
        _ => Kind::Text,
    }
}

/// How the values of one column are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoder {
    kind: Kind,
    form: Form,
    zero_dates: ZeroDates,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Bytes,
    Bits,
    /// What a clock in China showed.
    Local,
    Utc,
}

impl Decoder {
    pub(super) fn of(column: &mysql_async::Column, kind: Kind, zero_dates: ZeroDates) -> Self {
        let form = match column.column_type() {
            ColumnType::MYSQL_TYPE_BIT => Form::Bits,
            ColumnType::MYSQL_TYPE_GEOMETRY => Form::Bytes,
            ColumnType::MYSQL_TYPE_TIMESTAMP => Form::Utc,
            ColumnType::MYSQL_TYPE_DATETIME => Form::Local,
            ColumnType::MYSQL_TYPE_STRING
            | ColumnType::MYSQL_TYPE_VAR_STRING
            | ColumnType::MYSQL_TYPE_VARCHAR
            | ColumnType::MYSQL_TYPE_TINY_BLOB
            | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
            | ColumnType::MYSQL_TYPE_LONG_BLOB
            | ColumnType::MYSQL_TYPE_BLOB
                if column.character_set() == BINARY =>
            {
                Form::Bytes
            }
            _ => Form::Text,
        };
        Self { kind, form, zero_dates }
    }

    pub(super) fn decode<'a>(&self, cell: &'a Cell) -> Read<'a> {
        match (cell, self.kind) {
            (Cell::NULL, _) => Ok(Value::Null),
            (Cell::Int(value), Kind::Int64) => Ok(Value::Int(*value)),
            (Cell::Int(value), Kind::UInt64) => u64::try_from(*value)
                .map(Value::UInt)
                .map_err(|_| Refusal::out_of_range(value.to_string(), "it is negative")),
            (Cell::UInt(value), Kind::UInt64) => Ok(Value::UInt(*value)),
            (Cell::UInt(value), Kind::Int64) => i64::try_from(*value)
                .map(Value::Int)
                .map_err(|_| Refusal::out_of_range(value.to_string(), "it is too great")),
            (Cell::Int(value), Kind::Text) => Ok(Value::Text(value.to_string().into())),
            (Cell::UInt(value), Kind::Text) => Ok(Value::Text(value.to_string().into())),
            (Cell::Float(value), _) => Value::float(f64::from(*value)),
            (Cell::Double(value), _) => Value::float(*value),
            (Cell::Bytes(bytes), Kind::Decimal { precision, scale }) => {
                let text = String::from_utf8_lossy(bytes);
                let value = unscaled(&text, precision, scale);
                value
                    .map(Value::Decimal)
                    .ok_or_else(|| Refusal::out_of_range(text.into_owned(), "it has more digits than were announced"))
            }
            (Cell::Bytes(bytes), _) => match self.form {
                Form::Bits => bits(bytes),
                Form::Bytes => Value::bytes(bytes),
                _ => Value::text(bytes),
            },
            (Cell::Date(year, month, day, hour, minute, second, micro), _) => {
                self.date([*year, (*month).into(), (*day).into()], [*hour, *minute, *second], *micro)
            }
            (Cell::Time(is_negative, days, hours, minutes, seconds, micros), _) => {
                let sign = if *is_negative { "-" } else { "" };
                let hours = days * 24 + u32::from(*hours);
                let mut text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
                if *micros > 0 {
                    text.push_str(&format!(".{micros:06}"));
                }
                Ok(Value::Text(text.into()))
            }
            (cell, _) => Err(Refusal::out_of_range(format!("{cell:?}"), "it is of another type than was announced")),
        }
    }

    fn date<'a>(&self, [year, month, day]: [u16; 3], [hour, minute, second]: [u8; 3], micro: u32) -> Read<'a> {
        let raw = || {
            let date = format!("{year:04}-{month:02}-{day:02}");
            match self.kind {
                Kind::Date => date,
                _ => format!("{date} {hour:02}:{minute:02}:{second:02}.{micro:06}"),
            }
        };
        if year == 0 || month == 0 || day == 0 {
            return match self.zero_dates {
                ZeroDates::Missing => Ok(Value::Null),
                ZeroDates::Reject => Err(Refusal { reason: ZERO_DATE, raw: raw(), why: "it is no calendar day" }),
            };
        }
        let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
        if self.kind == Kind::Date {
            return Value::date(date, raw);
        }
        let time = date.and_then(|date| date.and_hms_micro_opt(hour.into(), minute.into(), second.into(), micro));
        if self.form == Form::Local { Value::china_time(time, raw) } else { Value::instant(time, raw) }
    }
}

/// `bit(n)` as the number that it is.
fn bits<'a>(bytes: &[u8]) -> Read<'a> {
    if bytes.len() > 8 {
        return Err(Refusal::out_of_range(hexadecimal(bytes), "it has more than 64 bits"));
    }
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Ok(Value::Text(number.to_string().into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn zero_dates_are_refused_or_missing() {
        let decoder = |zero_dates| Decoder { kind: Kind::Date, form: Form::Text, zero_dates };
        let zero = Cell::Date(0, 0, 0, 0, 0, 0, 0);
        let refused = decoder(ZeroDates::Reject).decode(&zero).unwrap_err();
        assert_eq!((refused.reason, refused.raw.as_str()), ("ZERO_DATE", "0000-00-00"));
        assert_eq!(decoder(ZeroDates::Missing).decode(&zero), Ok(Value::Null));
        let half = Cell::Date(2019, 3, 0, 0, 0, 0, 0);
        assert_eq!(decoder(ZeroDates::Reject).decode(&half).unwrap_err().raw, "2019-03-00");
        let day = Cell::Date(1970, 1, 2, 0, 0, 0, 0);
        assert_eq!(decoder(ZeroDates::Reject).decode(&day), Ok(Value::Date(1)));
    }

    #[test]
    fn lengths_that_are_announced_count_sign_and_point() {
        assert_eq!(decimal(12, 2, false), Kind::Decimal { precision: 10, scale: 2 });
        assert_eq!(decimal(11, 2, true), Kind::Decimal { precision: 10, scale: 2 });
        assert_eq!(decimal(39, 0, false), Kind::Decimal { precision: 38, scale: 0 });
        assert_eq!(decimal(67, 30, false), Kind::Text);
    }

    #[test]
    fn bits_are_numbers_and_times_are_text() {
        assert_eq!(bits(&[1, 0]), Ok(Value::Text("256".into())));
        let decoder = Decoder { kind: Kind::Text, form: Form::Text, zero_dates: ZeroDates::Reject };
        let time = Cell::Time(true, 34, 22, 59, 59, 0);
        assert_eq!(decoder.decode(&time), Ok(Value::Text("-838:59:59".into())));
    }
}
