//! Code lists of the national standards as checks.

use chrono::NaiveDate;
use xiangyun_engine::functions::gov_codes::{Divisions, identity_number, uscc};

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
