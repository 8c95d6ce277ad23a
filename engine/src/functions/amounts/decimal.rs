//! Decimal numbers as written, exactly: never through a binary float.

/// `mantissa` / 10^`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) mantissa: i128,
    pub(super) scale: u32,
}

/// The largest value that a decimal(38, n) holds, in units of its last digit.
const MAX_38_DIGITS: i128 = 10i128.pow(38) - 1;

/// A number that cannot be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// More digits after the point than there is room for.
    Precision,
    /// More than 38 digits.
    Overflow,
}

impl Decimal {
    /// Reads `-1,234.50`. Commas stand between groups of three digits or not at all; no exponent.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        if !is_grouped(whole) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut mantissa = 0i128;
        for byte in whole.bytes().chain(fraction.bytes()).filter(|byte| *byte != b',') {
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        Some(Self { mantissa, scale: u32::try_from(fraction.len()).ok()? })
    }

    /// This number times 10^`exponent`, in units of 10^-`scale`; never rounded.
    pub(super) fn scaled(self, exponent: i32, scale: u32) -> Result<i128, Unfit> {
        let shift = i64::from(exponent) + i64::from(scale) - i64::from(self.scale);
        let power = |shift: i64| u32::try_from(shift).ok().and_then(|shift| 10i128.checked_pow(shift));
        let value = if self.mantissa == 0 {
            0
        } else if shift >= 0 {
            power(shift).and_then(|power| self.mantissa.checked_mul(power)).ok_or(Unfit::Overflow)?
        } else {
            let power = power(-shift).ok_or(Unfit::Precision)?;
            if self.mantissa % power != 0 {
                return Err(Unfit::Precision);
            }
            self.mantissa / power
        };
        if value.abs() > MAX_38_DIGITS { Err(Unfit::Overflow) } else { Ok(value) }
    }
}

/// Digits, with commas before every third from the right or without any.
fn is_grouped(whole: &str) -> bool {
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let all_digits = whole.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let has_comma = whole.contains(',');
    all_digits && !first.is_empty() && (!has_comma || first.len() <= 3) && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_written() {
        for (text, mantissa, scale) in
            [("100", 100, 0), ("3.1000", 31_000, 4), ("1,234.5", 12_345, 1), ("-0.5", -5, 1), ("+7", 7, 0)]
        {
            assert_eq!(Decimal::parse(text), Some(Decimal { mantissa, scale }), "{text}");
        }
        for text in ["", ".5", "5.", "1,23", "1234,567", "1.2.3", "1e3", ",100", "1,", "--1", "1.2,3"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn scaling_is_exact_or_refused() {
        let number = |text| Decimal::parse(text).expect("a number");
        assert_eq!(number("3.1000").scaled(4, 6), Ok(31_000_000_000));
        assert_eq!(number("0.0000001").scaled(0, 6), Err(Unfit::Precision));
        assert_eq!(number("0.0000001").scaled(4, 6), Ok(1_000));
        assert_eq!(number("1").scaled(0, 38), Err(Unfit::Overflow));
        assert_eq!(number("0").scaled(90, 38), Ok(0));
    }
}
