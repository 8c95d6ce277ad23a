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
    if divisions.was_ever_in_use(text) {
        return Ok(());
    }
    Err(("DIVISION_UNKNOWN".into(), format!("`{text}` was never the code of a division")))
}
