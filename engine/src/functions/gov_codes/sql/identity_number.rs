//! `identity_number_*`, but for the masks.

use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array, StringArray};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use datafusion::logical_expr::{ScalarUDF, Volatility};

use crate::clock::Clock;
use crate::functions::adapter::{Argument, Section, scalar_with, text};
use crate::functions::calendar::china_time::to_days;
use crate::functions::gov_codes::identity_number::{self, Sex};

const SECTION: Section = Section("Resident identity numbers");
const NUMBER: &[Argument] = &[text("number")];

/// `$rule(number, today)` for each row, collected into `$array`; the clock is read once for each batch.
macro_rules! by_today {
    ($clock:expr, $name:literal, $returns:expr, $array:ty, $description:literal, $rule:expr) => {{
        let (clock, rule) = (Arc::clone($clock), $rule);
        scalar_with(0, Volatility::Stable, SECTION, $name, NUMBER, $returns, $description, move |rows| {
            let (numbers, today) = (rows.text(0)?, clock.today());
            let answers = rows.iter().map(|row| rule(numbers.get(row)?, today));
            Ok(Arc::new(answers.collect::<$array>()))
        })
    }};
}

pub(super) fn scalar_functions(clock: &Arc<dyn Clock>) -> Vec<ScalarUDF> {
    vec![
        by_today!(
            clock,
            "identity_number_is_valid",
            DataType::Boolean,
            BooleanArray,
            "True when the number of 18 characters is right by GB 11643 and its birth date is not in the future.",
            |number: &str, today: NaiveDate| Some(identity_number::is_valid(number, today))
        ),
        by_today!(
            clock,
            "identity_number_error",
            DataType::Utf8,
            StringArray,
            "The first failure: MISSING, LENGTH, ALPHABET, REGION, DATE, FUTURE_DATE or CHECK; NULL for a valid number.",
            |number: &str, today: NaiveDate| identity_number::check(number, today).err().map(|error| error.code())
        ),
        by_today!(
            clock,
            "identity_number_upgrade",
            DataType::Utf8,
            StringArray,
            "The number of 18 characters for an old one of 15 digits; a valid one is kept, NULL for any other.",
            |number: &str, today: NaiveDate| identity_number::upgrade(number, today)
        ),
        by_today!(
            clock,
            "identity_number_birth_date",
            DataType::Date32,
            Date32Array,
            "The birth date in a valid number; NULL for an invalid one.",
            |number: &str, today: NaiveDate| identity_number::birth_date(number, today).map(to_days)
        ),
        by_today!(
            clock,
            "identity_number_sex",
            DataType::Utf8,
            StringArray,
            "男 or 女 by the sequence in a valid number; NULL for an invalid one.",
            |number: &str, today: NaiveDate| identity_number::sex(number, today).map(Sex::title)
        ),
    ]
}
