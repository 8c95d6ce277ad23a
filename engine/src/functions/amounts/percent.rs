//! Percentages.

use super::decimal::Decimal;
use crate::functions::fold::fold;

/// Digits after the point of a parsed percentage.
pub const PERCENT_SCALE: u32 = 10;

/// Reads `16.1%` as 0.161, in units of 10^-10. None for all else: a bound (`30%以上`), a difference of rates
/// (`2个百分点`), a bare number.
pub fn parse(text: &str) -> Option<i128> {
    let folded = fold(text);
    let number = folded.trim().strip_suffix('%')?;
    Decimal::parse(number.trim_end())?.scaled(-2, PERCENT_SCALE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_nothing_else() {
        for (text, value) in
            [("16.1%", 1_610_000_000), ("１６．１％", 1_610_000_000), ("-3 %", -300_000_000), ("0%", 0)]
        {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        for text in ["30%以上", "2个百分点", "16.1", "%", "", "N/A", "0.000000001%"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
