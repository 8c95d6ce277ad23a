//! Code lists of the national standards as checks.

use chrono::NaiveDate;
use xiangyun_engine::functions::gov_codes::divisions::{DivisionCode, Level};
use xiangyun_engine::functions::gov_codes::industry::IndustryCode;
use xiangyun_engine::functions::gov_codes::{Divisions, identity_number, uscc};

use crate::source::text::truncated;

/// The first year that the history of divisions knows.
const FIRST_YEAR: i32 = 1981;

/// Why a text is not on its list: the reason code and the words.
pub(crate) type NotOnList = (String, String);

pub(crate) fn check_uscc(text: &str) -> Result<(), NotOnList> {
    match uscc::check(text) {
        Ok(()) | Err(uscc::UsccError::Missing) => Ok(()),
        Err(error) => Err((format!("USCC_{}", error.code()), format!("`{text}`: {error}"))),
    }
}

/// The number itself is a person's and never part of a message.
pub(crate) fn check_identity_number(text: &str, today: NaiveDate) -> Result<(), NotOnList> {
    use identity_number::IdentityNumberError::Missing;
    match identity_number::check(text, today) {
        Ok(()) | Err(Missing) => Ok(()),
        Err(error) => Err((format!("IDENTITY_NUMBER_{}", error.code()), error.to_string())),
    }
}

pub(crate) fn check_division(text: &str, divisions: &Divisions) -> Result<(), NotOnList> {
    if divisions.is_known(text) {
        return Ok(());
    }
    Err(("DIVISION_UNKNOWN".into(), format!("`{text}` was never the code of a division, nor lies in one that was")))
}

/// The history knows years, not days, and agencies write an old code for a while: a code passes in the year it ended too.
/// Of years before the history begins only this can be told, that the code was in use at some time.
pub(crate) fn check_division_as_of(text: &str, year: i32, divisions: &Divisions) -> Result<(), NotOnList> {
    check_division(text, divisions)?;
    if year < FIRST_YEAR {
        return Ok(());
    }
    let county = DivisionCode::parse(text).map(|code| code.truncate(Level::County));
    let in_use =
        |county: DivisionCode| [year, year - 1].iter().any(|year| divisions.name(county, Some(*year)).is_some());
    if county.is_some_and(in_use) {
        return Ok(());
    }
    Err(("DIVISION_NOT_IN_USE".into(), format!("`{text}` was not the code of a division in {year}")))
}

pub(crate) fn check_industry(text: &str) -> Result<(), NotOnList> {
    if IndustryCode::parse(text).is_some() {
        return Ok(());
    }
    let message =
        format!("`{}` is no code of GB/T 4754-2017, or its letter is not that of its division", truncated(text, 200));
    Err(("INDUSTRY_UNKNOWN".into(), message))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_division_is_known_by_its_county() {
        let divisions = Divisions::built_in();
        // In use, retired, a zone that only the statistical list has and its township, and a township that was renumbered
        // with its county in 2020; Dongguan has no counties.
        for text in ["220104", "220381", "220171", "220171002000", "220381001000", "220184001", "441900003", "22"] {
            assert_eq!(check_division(text, &divisions), Ok(()), "{text}");
        }
        for text in ["220199", "220199001", "990000", "2201040", "22010a", "", "长春市"] {
            let (reason, message) = check_division(text, &divisions).unwrap_err();
            assert_eq!(reason, "DIVISION_UNKNOWN");
            assert!(message.contains(&format!("`{text}`")), "{message}");
        }
    }

    #[test]
    fn a_division_is_in_use_as_of_a_year() {
        let divisions = Divisions::built_in();
        // 公主岭市 is 220319 from 1985, 229001 from 1988, 220381 from 1990 and 220184 from 2020.
        for (text, year, holds) in [
            ("220319", 1986, true),
            ("220184", 1979, true),
            ("220319", 1988, true),
            ("220319", 1989, false),
            ("229001", 1989, true),
            ("220381", 1989, false),
            ("220381", 2019, true),
            ("220381", 2020, true),
            ("220381", 2021, false),
            ("220381001000", 2019, true),
            ("220184", 2019, false),
            ("220184", 2020, true),
            ("220104", 2019, true),
        ] {
            assert_eq!(check_division_as_of(text, year, &divisions).is_ok(), holds, "{text} in {year}");
        }
        assert_eq!(check_division_as_of("990000", 2019, &divisions).unwrap_err().0, "DIVISION_UNKNOWN");
        assert_eq!(check_division_as_of("220381", 2021, &divisions).unwrap_err().0, "DIVISION_NOT_IN_USE");
    }

    #[test]
    fn industry_codes_of_the_domain_specification() {
        for text in ["01", "12", "13", "43", "44", "65", "70", "97", "0111", "A0111", "C", "C43"] {
            assert_eq!(check_industry(text), Ok(()), "{text}");
        }
        for text in ["00", "98", "A51", "1", "01111", "", "工业"] {
            assert_eq!(check_industry(text).unwrap_err().0, "INDUSTRY_UNKNOWN", "{text}");
        }
    }

    #[test]
    fn every_unit_of_the_published_list_passes() {
        let (divisions, path) = (Divisions::built_in(), "../examples/jilin/data/divisions_2023.csv.gz");
        let file = std::fs::File::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
        let codes: Vec<_> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        assert_eq!(codes.len(), 44_703);
        let unknown: Vec<_> = codes.into_iter().filter(|code| check_division(code, &divisions).is_err()).collect();
        assert!(unknown.is_empty(), "{} unknown, as {:?}", unknown.len(), unknown.first());
    }
}
