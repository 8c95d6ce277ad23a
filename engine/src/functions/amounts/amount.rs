//! One amount of money from a text.

use super::currency::{Unit, parse_unit, strip_leading_currency};
use super::decimal::{Decimal, Unfit};
use crate::functions::fold::fold_without_blanks;
use crate::functions::{chinese_numeral, is_missing};

/// Digits after the point of [`Amount::value`].
pub const VALUE_SCALE: u32 = 6;
/// Digits after the point of [`Amount::raw`].
pub const RAW_SCALE: u32 = 12;

/// What a text says of an amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// The amount in units of the currency (yuan, dollars), in millionths. None when it cannot be told.
    pub value: Option<i128>,
    /// The number before its unit, in units of 10^-12.
    pub raw: Option<i128>,
    /// The power of ten as written (万, 亿, 万亿), `角` or `分`, else `元` for the currency's own unit.
    pub unit: Option<&'static str>,
    /// ISO 4217; None when the text names none.
    pub currency: Option<&'static str>,
    /// What is wrong.
    pub error: Option<AmountError>,
}

/// What is wrong with an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmountError {
    /// No amount is given: empty, `N/A`, `-`, `…`. Missing, not invalid, and not zero.
    Missing,
    /// The text does not begin with a number.
    NotANumber,
    /// A number without unit and currency: yuan or ten thousand yuan cannot be told apart.
    NoUnit,
    /// What follows the number is no known unit or currency.
    UnknownUnit,
    /// A power of ten without a currency, as in `100(万)`: the value is given, its currency is not known.
    NoCurrency,
    /// More digits after the point than the value has room for; it is not rounded.
    Precision,
    /// More digits than 38.
    Overflow,
}

impl AmountError {
    /// The code that SQL shows.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::NotANumber => "NOT_A_NUMBER",
            Self::NoUnit => "NO_UNIT",
            Self::UnknownUnit => "UNKNOWN_UNIT",
            Self::NoCurrency => "NO_CURRENCY",
            Self::Precision => "PRECISION",
            Self::Overflow => "OVERFLOW",
        }
    }
}

impl From<Unfit> for AmountError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Precision => Self::Precision,
            Unfit::Overflow => Self::Overflow,
        }
    }
}

/// Reads an amount such as `100(万元人民币)`, `50万美元`, `800亿元`, `１，２３４．５万元` or `壹佰万元整`.
///
/// Full-width characters are folded (NFKC), white space and the brackets around the unit are left out.
pub fn parse(text: &str) -> Amount {
    if is_missing(text) {
        return Amount { error: Some(AmountError::Missing), ..Amount::default() };
    }
    let mut folded = fold_without_blanks(text);
    if folded.contains(['(', ')']) {
        folded = folded.replace(['(', ')'], "").into();
    }
    let (leading_currency, rest) = strip_leading_currency(&folded);
    let Some((number, rest)) = leading_number(rest) else {
        return Amount { error: Some(AmountError::NotANumber), ..Amount::default() };
    };
    let raw = number.scaled(0, RAW_SCALE).ok();
    let failed = |error| Amount { raw, error: Some(error), ..Amount::default() };
    let unit = match (parse_unit(rest), leading_currency) {
        (None, _) => return failed(AmountError::UnknownUnit),
        (Some(None), None) => return failed(AmountError::NoUnit),
        (Some(None), currency) => Unit { name: "元", exponent: 0, currency },
        (Some(Some(unit)), None) => unit,
        (Some(Some(unit)), Some(leading)) => match unit.currency {
            Some(currency) if currency != leading => return failed(AmountError::UnknownUnit),
            _ => Unit { currency: Some(leading), ..unit },
        },
    };
    let value = match number.scaled(unit.exponent, VALUE_SCALE) {
        Ok(value) => value,
        Err(unfit) => return failed(unfit.into()),
    };
    let error = unit.currency.is_none().then_some(AmountError::NoCurrency);
    Amount { value: Some(value), raw, unit: Some(unit.name), currency: unit.currency, error }
}

/// The number at the beginning of `text` and what follows it.
fn leading_number(text: &str) -> Option<(Decimal, &str)> {
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ',' | '.');
    let (number, rest) = split_where(text, |c| !is_digit(c));
    if !number.is_empty() {
        return Some((Decimal::parse(number)?, rest));
    }
    leading_numeral(text)
}

/// A number in Chinese numerals, with 角 and 分 as in 叁仟元伍角.
fn leading_numeral(text: &str) -> Option<(Decimal, &str)> {
    let (numeral, rest) = split_where(text, |c| !chinese_numeral::is_numeral(c));
    let whole = chinese_numeral::parse(numeral)?;
    let Some(mut cents) = rest.strip_prefix(['元', '圆']).filter(|cents| cents.contains(['角', '分'])) else {
        return Some((Decimal { mantissa: whole, scale: 0 }, rest));
    };
    let mut mantissa = whole.checked_mul(100)?;
    for (name, worth) in [('角', 10), ('分', 1)] {
        cents = cents.trim_start_matches('零');
        let mut chars = cents.chars();
        if let (Some(digit), Some(unit)) = (chars.next().and_then(chinese_numeral::digit), chars.next())
            && unit == name
        {
            mantissa += i128::from(digit) * worth;
            cents = chars.as_str();
        }
    }
    matches!(cents, "" | "整" | "正").then_some((Decimal { mantissa, scale: 2 }, "元"))
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YUAN: i128 = 1_000_000;

    #[test]
    fn amounts_as_agencies_write_them() {
        for (text, value, currency) in [
            ("100(万元人民币)", 1_000_000, "CNY"),
            ("100万人民币", 1_000_000, "CNY"),
            ("100万人民币元", 1_000_000, "CNY"),
            ("100(万元)", 1_000_000, "CNY"),
            ("1,000(万元人民币)", 10_000_000, "CNY"),
            ("3.1000(万元)", 31_000, "CNY"),
            ("500,000(元人民币)", 500_000, "CNY"),
            ("50(万美元)", 500_000, "USD"),
            ("50万美元", 500_000, "USD"),
            ("7(万港元)", 70_000, "HKD"),
            ("7(万港币)", 70_000, "HKD"),
            ("7(万日元)", 70_000, "JPY"),
            ("7(万欧元)", 70_000, "EUR"),
            ("800亿元", 80_000_000_000, "CNY"),
            ("1.2万亿元", 1_200_000_000_000, "CNY"),
            ("１，２３４．５万元", 12_345_000, "CNY"),
            ("100（万元）", 1_000_000, "CNY"),
            ("0(万元)", 0, "CNY"),
            ("-5万元", -50_000, "CNY"),
            ("壹佰万元整", 1_000_000, "CNY"),
            ("人民币100万元", 1_000_000, "CNY"),
            ("￥100", 100, "CNY"),
            ("叁仟伍佰元", 3_500, "CNY"),
        ] {
            let amount = parse(text);
            assert_eq!(
                (amount.value, amount.currency, amount.error),
                (Some(value * YUAN), Some(currency), None),
                "{text}"
            );
        }
        assert_eq!(parse("5角").value, Some(YUAN / 2));
        assert_eq!(parse("叁仟元零伍分").value, Some(3_000 * YUAN + 5 * YUAN / 100));
        assert_eq!(parse("壹元贰角叁分").value, Some(123 * YUAN / 100));
    }

    #[test]
    fn the_parts_of_an_amount() {
        let amount = parse("3.1000(万元)");
        assert_eq!((amount.raw, amount.unit), (Some(3_100_000_000_000), Some("万")));
        assert_eq!(parse("500,000(元人民币)").unit, Some("元"));
        assert_eq!(parse("1.2万亿元").unit, Some("万亿"));
    }

    #[test]
    fn a_power_of_ten_without_currency_is_flagged() {
        let amount = parse("100(万)");
        assert_eq!((amount.value, amount.currency), (Some(1_000_000 * YUAN), None));
        assert_eq!(amount.error, Some(AmountError::NoCurrency));
    }

    #[test]
    fn what_cannot_be_told_has_no_value() {
        for (text, error) in [
            ("100()", "NO_UNIT"),
            ("100", "NO_UNIT"),
            ("N/A", "MISSING"),
            ("-", "MISSING"),
            ("…", "MISSING"),
            ("—", "MISSING"),
            ("", "MISSING"),
            ("万元", "NOT_A_NUMBER"),
            ("1,00万元", "NOT_A_NUMBER"),
            ("约100万元", "NOT_A_NUMBER"),
            ("100万头", "UNKNOWN_UNIT"),
            ("30%", "UNKNOWN_UNIT"),
            ("人民币100万美元", "UNKNOWN_UNIT"),
            ("0.00000000001万元", "PRECISION"),
            ("999999999999999999999999999999999元", "OVERFLOW"),
        ] {
            let amount = parse(text);
            assert_eq!((amount.value, amount.error.map(AmountError::code)), (None, Some(error)), "{text}");
        }
        assert_eq!(parse("100()").raw, Some(100_000_000_000_000));
    }

    proptest! {
        #[test]
        fn ten_thousand_yuan_is_ten_thousand_times_a_yuan(whole in 0..1_000_000_000i64, cents in 0..100u8) {
            let number = format!("{whole}.{cents:02}");
            let (yuan, wan) = (parse(&format!("{number}元")), parse(&format!("{number}(万元人民币)")));
            prop_assert_eq!(yuan.value.map(|value| value * 10_000), wan.value);
            prop_assert_eq!(yuan.value, Some((i128::from(whole) * 100 + i128::from(cents)) * YUAN / 100));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9.,+-]{0,45}[万亿元角分美整()十百千零一]{0,6}") {
            let amount = parse(&text);
            prop_assert!(amount.value.is_some() || amount.error.is_some());
        }
    }
}
