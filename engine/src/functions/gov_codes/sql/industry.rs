//! `industry_*`.

use datafusion::logical_expr::ScalarUDF;

use crate::functions::adapter::{Section, text_to_bool, text_to_text};
use crate::functions::gov_codes::industry::IndustryCode;

const SECTION: Section = Section("Industry codes");

pub(super) fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        text_to_bool(
            SECTION,
            "industry_is_valid",
            "code",
            "True when section and division exist in GB/T 4754-2017 and agree; groups and classes are checked in form only.",
            |code| Some(IndustryCode::parse(code).is_some()),
        ),
        text_to_text(
            SECTION,
            "industry_normalize",
            "code",
            "The code with its section's letter in front, as in A0111.",
            |code| Some(IndustryCode::parse(code)?.normalized().into()),
        ),
        text_to_text(SECTION, "industry_section", "code", "The letter of the section 门类.", |code| {
            Some(IndustryCode::parse(code)?.section().to_string().into())
        }),
        text_to_text(SECTION, "industry_section_name", "code", "The title of the section 门类, in Chinese.", |code| {
            Some(IndustryCode::parse(code)?.section_title().into())
        }),
        text_to_text(
            SECTION,
            "industry_division",
            "code",
            "The two digits of the division 大类; NULL for a section alone.",
            |code| Some(IndustryCode::parse(code)?.division()?.into()),
        ),
        text_to_text(
            SECTION,
            "industry_sector",
            "code",
            "primary, secondary or tertiary by the three industries 三次产业; NULL for A, B and C alone, which lie in two.",
            |code| Some(IndustryCode::parse(code)?.sector()?.name().into()),
        ),
    ]
}
