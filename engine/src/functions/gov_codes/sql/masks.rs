//! `identity_number_mask`, `mask_*`.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::functions::adapter::{Section, text_to_text};
use crate::functions::gov_codes::{Divisions, masks};

const SECTION: Section = Section("Masking of personal data");

pub(super) fn scalar_functions(divisions: &Arc<Divisions>) -> Vec<ScalarUDF> {
    let divisions = divisions.clone();
    let mask = |name, argument, description: &str, mask: fn(&str) -> String| {
        text_to_text(SECTION, name, argument, description, move |text| Some(mask(text).into()))
    };
    vec![
        mask(
            "identity_number_mask",
            "number",
            "The identity number with its first 6 and last 4 characters, stars between.",
            masks::identity_number,
        ),
        mask(
            "identity_number_mask_strict",
            "number",
            "The identity number with its first and last character, stars between.",
            masks::identity_number_strict,
        ),
        mask("mask_mobile", "number", "The mobile number with its first 3 and last 4 digits.", masks::mobile),
        mask(
            "mask_name",
            "name",
            "The name with its first character, and its last if it has three or more.",
            masks::name,
        ),
        mask("mask_bank_account", "number", "The account with its last 4 digits.", masks::bank_account),
        text_to_text(
            SECTION,
            "mask_address",
            "address",
            "The address down to its county, and six stars for the rest.",
            move |address| Some(masks::address(address, &divisions).into()),
        ),
    ]
}
