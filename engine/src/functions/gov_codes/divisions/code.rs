//! Division codes: GB/T 2260 and the statistical codes that extend them.

use std::fmt;

/// The first two digits that a province has (GB/T 2260).
const PROVINCES: [u8; 34] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82,
];

/// Whether a province has these first two digits.
pub(in crate::functions::gov_codes) fn is_province(digits: u32) -> bool {
    u8::try_from(digits).is_ok_and(|digits| PROVINCES.binary_search(&digits).is_ok())
}

/// The level of a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// 省级.
    Province,
    /// 地级.
    Prefecture,
    /// 县级.
    County,
    /// 乡级.
    Township,
    /// 村级; the built-in lists do not name villages.
    Village,
}

impl Level {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Prefecture => "prefecture",
            Self::County => "county",
            Self::Township => "township",
            Self::Village => "village",
        }
    }

    /// The level called `name`, in English as above or in Chinese.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "province" | "省" | "省级" => Some(Self::Province),
            "prefecture" | "市" | "地级" | "市级" => Some(Self::Prefecture),
            "county" | "县" | "县级" => Some(Self::County),
            "township" | "乡" | "乡级" => Some(Self::Township),
            "village" | "村" | "村级" => Some(Self::Village),
            _ => None,
        }
    }
}

/// A division code, well formed and not necessarily in use.
///
/// Written with 2, 4, 6, 9 or 12 digits: `22`, `2201`, `220104`, `220104001`, `220104001001`; zeros at the end fill up,
/// so `22`, `220000` and `220000000000` are one code. A code is text for its users: zeros are never lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DivisionCode(u64); // twelve digits

/// What one unit of each level counts in the twelve digits.
const PROVINCE: u64 = 10_000_000_000;
const PREFECTURE: u64 = 100_000_000;
const COUNTY: u64 = 1_000_000;
const TOWNSHIP: u64 = 1_000;

impl DivisionCode {
    /// Reads a code of 2, 4, 6, 9 or 12 digits that begins with a province.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = match text.len() {
            2 => PROVINCE,
            4 => PREFECTURE,
            6 => COUNTY,
            9 => TOWNSHIP,
            12 => 1,
            _ => return None,
        };
        let mut digits = 0u64;
        for byte in text.bytes() {
            if !byte.is_ascii_digit() {
                return None;
            }
            digits = digits * 10 + u64::from(byte - b'0');
        }
        let code = Self(digits * unit);
        is_province((code.0 / PROVINCE) as u32).then_some(code)
    }

    /// The code whose first six digits are `digits` and whose others are 0.
    pub(super) fn from_six(digits: u32) -> Self {
        Self(u64::from(digits) * COUNTY)
    }

    /// The first six digits: the division of county level or above.
    pub(super) fn six(self) -> u32 {
        (self.0 / COUNTY) as u32
    }

    /// The level that the digits show.
    pub fn level(self) -> Level {
        match self.0 {
            code if code.is_multiple_of(PROVINCE) => Level::Province,
            code if code.is_multiple_of(PREFECTURE) => Level::Prefecture,
            code if code.is_multiple_of(COUNTY) => Level::County,
            code if code.is_multiple_of(TOWNSHIP) => Level::Township,
            _ => Level::Village,
        }
    }

    /// This code with the digits below `level` set to 0.
    pub fn truncate(self, level: Level) -> Self {
        Self(self.0 - self.0 % unit(level))
    }

    /// Whether this code is `ancestor` or lies below it by its digits.
    pub fn is_within(self, ancestor: Self) -> bool {
        self.truncate(ancestor.level()) == ancestor
    }

    /// The code as text: six digits, nine for a township, twelve for a village.
    pub fn text(self) -> CodeText {
        let (mut digits, len) = match self.level() {
            Level::Village => (self.0, 12),
            Level::Township => (self.0 / TOWNSHIP, 9),
            _ => (self.0 / COUNTY, 6),
        };
        let mut text = CodeText { bytes: [b'0'; 12], len };
        for byte in text.bytes[..len].iter_mut().rev() {
            *byte = b'0' + (digits % 10) as u8;
            digits /= 10;
        }
        text
    }
}

fn unit(level: Level) -> u64 {
    match level {
        Level::Province => PROVINCE,
        Level::Prefecture => PREFECTURE,
        Level::County => COUNTY,
        Level::Township => TOWNSHIP,
        Level::Village => 1,
    }
}

/// A code's digits without an allocation.
#[derive(Debug, Clone, Copy)]
pub struct CodeText {
    bytes: [u8; 12],
    len: usize,
}

impl AsRef<str> for CodeText {
    fn as_ref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("digits are ASCII")
    }
}

impl fmt::Display for DivisionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_ref())
    }
}

impl fmt::Debug for DivisionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn code(text: &str) -> DivisionCode {
        DivisionCode::parse(text).unwrap()
    }

    #[test]
    fn one_code_is_written_in_several_lengths() {
        for text in ["22", "2200", "220000", "220000000", "220000000000"] {
            assert_eq!(code(text).to_string(), "220000");
        }
        assert_eq!(code("220104001000").to_string(), "220104001");
        assert_eq!(code("220104001001").to_string(), "220104001001");
        for text in ["", "2", "2201040", "22010a", "２２０１０４", "990000", "000000", "-20104", "1101054912310021"]
        {
            assert_eq!(DivisionCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn levels_and_prefixes() {
        for (text, level) in [
            ("220000", Level::Province),
            ("220100", Level::Prefecture),
            ("220104", Level::County),
            ("220104001", Level::Township),
            ("220104001001", Level::Village),
        ] {
            assert_eq!(code(text).level(), level);
            assert!(code(text).is_within(code("220000")) && code(text).is_within(code(text)));
            assert_eq!(Level::parse(level.name()), Some(level));
        }
        assert!(!code("220000").is_within(code("220100")));
        assert!(!code("220104").is_within(code("220200")));
        assert!(code("469001").is_within(code("469000")));
    }
}
