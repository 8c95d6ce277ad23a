//! Resident identity numbers (GB 11643): six digits of a division, eight of a birth date, three of a sequence (odd for
//! men), one check character. The form before 1999 has fifteen digits: a two-digit year and no check.

use chrono::{Datelike, NaiveDate};

use super::divisions::is_province;
use crate::functions::missing::is_missing;

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check character for each remainder of the weighted sum modulo 11.
const CHECK_CHARACTERS: &[u8; 11] = b"10X98765432";

/// Why a text is no resident identity number. The first failure in this order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IdentityNumberError {
    /// There is none: empty, `N/A` and the like.
    #[error("identity number is missing")]
    Missing,
    /// Not 18 characters.
    #[error("identity number does not have 18 characters")]
    Length,
    /// Not 17 ASCII digits and a digit or upper-case X.
    #[error("identity number contains a character other than a digit or a final X")]
    Alphabet,
    /// The first two digits are no province.
    #[error("identity number does not begin with a province")]
    Region,
    /// The birth date does not exist.
    #[error("birth date of the identity number does not exist")]
    Date,
    /// The birth date lies in the future.
    #[error("birth date of the identity number lies in the future")]
    FutureDate,
    /// The check character is wrong.
    #[error("check character of the identity number is wrong")]
    Check,
}

impl IdentityNumberError {
    /// The code that SQL and quarantine records show.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Length => "LENGTH",
            Self::Alphabet => "ALPHABET",
            Self::Region => "REGION",
            Self::Date => "DATE",
            Self::FutureDate => "FUTURE_DATE",
            Self::Check => "CHECK",
        }
    }
}

/// A person's sex as the sequence number tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// 男, an odd sequence number.
    Male,
    /// 女, an even sequence number.
    Female,
}

impl Sex {
    /// In Chinese, as in official records.
    pub fn title(self) -> &'static str {
        match self {
            Self::Male => "男",
            Self::Female => "女",
        }
    }
}

/// Checks `text` as it stands, on the day `today`. The old form of fifteen digits fails with its length: see
/// [`upgrade`]. The division need not be in use today; its province must exist.
pub fn check(text: &str, today: NaiveDate) -> Result<(), IdentityNumberError> {
    if is_missing(text) {
        return Err(IdentityNumberError::Missing);
    }
    let bytes = text.as_bytes();
    if text.chars().count() != 18 {
        return Err(IdentityNumberError::Length);
    }
    let (Some(body), Some(&check)) = (bytes.get(..17), bytes.last()) else { return Err(IdentityNumberError::Length) };
    if !body.iter().all(u8::is_ascii_digit) || !(check.is_ascii_digit() || check == b'X') {
        return Err(IdentityNumberError::Alphabet);
    }
    if !is_province(number(&body[..2])) {
        return Err(IdentityNumberError::Region);
    }
    let birth = date(&body[6..14]).ok_or(IdentityNumberError::Date)?;
    if birth > today {
        return Err(IdentityNumberError::FutureDate);
    }
    if check == check_character(body) { Ok(()) } else { Err(IdentityNumberError::Check) }
}

/// Whether `text` is an identity number as it stands.
pub fn is_valid(text: &str, today: NaiveDate) -> bool {
    check(text, today).is_ok()
}

/// The number of eighteen characters for one of fifteen digits, which were given to persons born in the 1900s only. A
/// valid number of eighteen characters is kept; None for anything else.
pub fn upgrade(text: &str, today: NaiveDate) -> Option<String> {
    if is_valid(text, today) {
        return Some(text.to_owned());
    }
    if text.len() != 15 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut upgraded = format!("{}19{}", &text[..6], &text[6..]);
    upgraded.push(char::from(check_character(upgraded.as_bytes())));
    is_valid(&upgraded, today).then_some(upgraded)
}

/// The birth date in a valid number.
pub fn birth_date(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    is_valid(text, today).then(|| date(&text.as_bytes()[6..14]))?
}

/// The sex in a valid number.
pub fn sex(text: &str, today: NaiveDate) -> Option<Sex> {
    let odd = |byte: u8| byte % 2 == 1; // '0' is 48
    is_valid(text, today).then(|| if odd(text.as_bytes()[16]) { Sex::Male } else { Sex::Female })
}

fn check_character(body: &[u8]) -> u8 {
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    CHECK_CHARACTERS[(sum % 11) as usize]
}

/// The date of eight digits; years before 1800 are slips and not births.
fn date(digits: &[u8]) -> Option<NaiveDate> {
    let date = NaiveDate::from_ymd_opt(number(&digits[..4]) as i32, number(&digits[4..6]), number(&digits[6..]))?;
    (date.year() >= 1800).then_some(date)
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> NaiveDate {
        "2026-01-01".parse().unwrap()
    }

    #[test]
    fn the_examples_of_the_standard_are_valid() {
        for number in ["11010519491231002X", "440524188001010014"] {
            assert_eq!(check(number, today()), Ok(()));
        }
        assert_eq!(birth_date("11010519491231002X", today()), "1949-12-31".parse().ok());
        assert_eq!(sex("11010519491231002X", today()), Some(Sex::Female));
        assert_eq!(sex("440524188001010014", today()), Some(Sex::Male));
    }

    #[test]
    fn the_first_failure_is_named() {
        for (number, error) in [
            ("110105194912310021", "CHECK"),
            ("220203199902291233", "DATE"),
            ("11010519491331002X", "DATE"),
            ("1101051949123100", "LENGTH"),
            ("11010519491231002Ｘ", "ALPHABET"),
            ("11010519491231002x", "ALPHABET"),
            ("000000000000000000", "REGION"),
            ("440524800101001", "LENGTH"),
            ("", "MISSING"),
            ("N/A", "MISSING"),
        ] {
            assert_eq!(check(number, today()).unwrap_err().code(), error, "{number}");
        }
    }

    #[test]
    fn nobody_is_born_tomorrow() {
        let the_day_before = "1949-12-30".parse().unwrap();
        assert_eq!(check("11010519491231002X", the_day_before), Err(IdentityNumberError::FutureDate));
        assert_eq!(check("11010519491231002X", "1949-12-31".parse().unwrap()), Ok(()));
    }

    #[test]
    fn the_old_form_is_upgraded() {
        assert_eq!(upgrade("440524800101001", today()).as_deref(), Some("440524198001010013"));
        assert_eq!(upgrade("11010519491231002X", today()).as_deref(), Some("11010519491231002X"));
        for number in ["440524801301001", "44052480010100", "44052480010100X", "110105194912310021", ""] {
            assert_eq!(upgrade(number, today()), None, "{number}");
        }
    }

    proptest! {
        #[test]
        fn an_upgraded_number_is_valid_and_keeps_its_digits(days in 0..36_000i64, sequence in 0..1000u32) {
            let birth = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + chrono::Duration::days(days);
            let old = format!("220102{}{sequence:03}", birth.format("%y%m%d"));
            let new = upgrade(&old, today()).unwrap();
            prop_assert_eq!(check(&new, today()), Ok(()));
            prop_assert_eq!(birth_date(&new, today()), Some(birth));
            prop_assert_eq!(format!("{}{}", &new[..6], &new[8..17]), old);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,20}") {
            prop_assert_eq!(check(&text, today()).is_ok(), is_valid(&text, today()));
            upgrade(&text, today());
        }
    }
}
