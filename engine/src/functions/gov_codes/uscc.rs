//! Unified social credit codes 统一社会信用代码 (GB 32100-2015).
//!
//! Eighteen characters: registering authority, type of body, division of the registering office (six digits, frozen at
//! issue), organisation code (GB 11714: eight characters and a check of their own) and a check character.

use super::divisions::Divisions;
use crate::functions::fold::fold;
use crate::functions::missing::is_missing;

/// The characters a code may contain; a character's value is its place. I, O, S, V and Z are left out.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Powers of 3 modulo 31, for positions 1 to 17.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// For positions 9 to 16, the organisation code without its check.
const INNER_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// Why a text is no unified social credit code. The first failure is reported: the length first, then the characters
/// from left to right, then the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UsccError {
    /// There is none: empty, `N/A` and the like. Missing, not invalid.
    #[error("code is missing")]
    Missing,
    /// Not 18 characters.
    #[error("code does not have 18 characters")]
    Length,
    /// A character outside the alphabet, for example I, O, a lower-case letter or a full-width digit.
    #[error("code contains a character outside 0-9 and A-Y without I, O, S, V, Z")]
    Alphabet,
    /// Positions 3 to 8 are not digits.
    #[error("positions 3 to 8 of the code are not the digits of a division")]
    Region,
    /// The check character is wrong.
    #[error("check character of the code is wrong")]
    Check,
}

impl UsccError {
    /// The code that SQL and quarantine records show.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Length => "LENGTH",
            Self::Alphabet => "ALPHABET",
            Self::Region => "REGION",
            Self::Check => "CHECK",
        }
    }
}

/// What is odd about a valid code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsccWarning {
    /// The organisation code inside fails its own check.
    InnerCheck,
    /// The division is in no yearly list of 1981 to 2024, as with development zones.
    UnknownRegion,
}

impl UsccWarning {
    /// The code that SQL shows.
    pub fn code(self) -> &'static str {
        match self {
            Self::InnerCheck => "INNER_CHECK",
            Self::UnknownRegion => "UNKNOWN_REGION",
        }
    }
}

/// Checks `text` as it stands; see [`normalize`] for cleaning, which is a step of its own.
pub fn check(text: &str) -> Result<(), UsccError> {
    if is_missing(text) {
        return Err(UsccError::Missing);
    }
    let bytes = text.as_bytes();
    if text.chars().count() != 18 {
        return Err(UsccError::Length);
    }
    let mut sum = 0;
    for (position, &byte) in bytes.iter().enumerate() {
        let value = value(byte).ok_or(UsccError::Alphabet)?;
        if (2..8).contains(&position) && !byte.is_ascii_digit() {
            return Err(UsccError::Region);
        }
        sum += value * WEIGHTS.get(position).copied().unwrap_or(0);
    }
    if bytes.last() == Some(&check_character(sum)) { Ok(()) } else { Err(UsccError::Check) }
}

/// Whether `text` is a unified social credit code as it stands.
pub fn is_valid(text: &str) -> bool {
    check(text).is_ok()
}

/// What is odd about a code that passes [`check`]; nothing for one that does not.
pub fn warnings(text: &str, divisions: &Divisions) -> Vec<UsccWarning> {
    let Some(region) = region(text) else { return Vec::new() };
    let mut warnings = Vec::new();
    if !inner_check_is_right(&text.as_bytes()[8..17]) {
        warnings.push(UsccWarning::InnerCheck);
    }
    if !divisions.was_ever_in_use(region) {
        warnings.push(UsccWarning::UnknownRegion);
    }
    warnings
}

/// The division of the registering office: six digits of a valid code.
pub fn region(text: &str) -> Option<&str> {
    is_valid(text).then(|| &text[2..8])
}

/// The registering authority of a valid code, in Chinese.
pub fn registrar(text: &str) -> Option<&'static str> {
    if !is_valid(text) {
        return None;
    }
    match text.as_bytes()[0] {
        b'1' => Some("机构编制"),
        b'2' => Some("外交"),
        b'3' => Some("司法行政"),
        b'4' => Some("文化"),
        b'5' => Some("民政"),
        b'6' => Some("旅游"),
        b'7' => Some("宗教"),
        b'8' => Some("工会"),
        b'9' => Some("市场监督管理"),
        b'A' => Some("中央军委改革和编制办公室"),
        b'N' => Some("农业"),
        b'Y' => Some("其他"),
        _ => None,
    }
}

/// The type of body of a valid code, in Chinese; None where the standard gives no name for the pair.
pub fn body_type(text: &str) -> Option<&'static str> {
    if !is_valid(text) {
        return None;
    }
    match &text.as_bytes()[..2] {
        b"11" => Some("机关"),
        b"12" => Some("事业单位"),
        b"13" => Some("群众团体"),
        b"51" => Some("社会团体"),
        b"52" => Some("民办非企业单位"),
        b"53" => Some("基金会"),
        b"91" => Some("企业"),
        b"92" => Some("个体工商户"),
        b"93" => Some("农民专业合作社"),
        b"19" | b"59" | b"99" => Some("其他"),
        _ => None,
    }
}

/// Trims, folds full-width characters (NFKC) and writes upper case: what a contract may ask for before checking.
pub fn normalize(text: &str) -> String {
    fold(text).trim().to_uppercase()
}

fn value(byte: u8) -> Option<u32> {
    const VALUES: [u8; 128] = {
        let mut values = [u8::MAX; 128];
        let mut value = 0;
        while value < ALPHABET.len() {
            values[ALPHABET[value] as usize] = value as u8;
            value += 1;
        }
        values
    };
    VALUES.get(usize::from(byte)).filter(|value| **value != u8::MAX).map(|value| u32::from(*value))
}

fn check_character(sum: u32) -> u8 {
    ALPHABET[((31 - sum % 31) % 31) as usize]
}

/// The check of GB 11714 over the nine characters of an organisation code.
fn inner_check_is_right(code: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte - b'A') + 10,
    };
    let sum: u32 = code.iter().zip(INNER_WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
    let expected = match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    };
    code[8] == expected
}

#[cfg(test)]
#[path = "uscc_tests.rs"]
mod tests;
