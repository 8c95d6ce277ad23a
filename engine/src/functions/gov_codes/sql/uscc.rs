//! `uscc_*`.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::functions::adapter::{Section, text_to_bool, text_to_text};
use crate::functions::gov_codes::Divisions;
use crate::functions::gov_codes::uscc;

const SECTION: Section = Section("Unified social credit codes");

pub(super) fn scalar_functions(divisions: &Arc<Divisions>) -> Vec<ScalarUDF> {
    let divisions = divisions.clone();
    vec![
        text_to_bool(
            SECTION,
            "uscc_is_valid",
            "code",
            "True when the code is right by GB 32100-2015 as it stands.",
            |code| Some(uscc::is_valid(code)),
        ),
        text_to_text(
            SECTION,
            "uscc_error",
            "code",
            "The first failure: MISSING, LENGTH, ALPHABET, REGION or CHECK; NULL for a valid code.",
            |code| Some(uscc::check(code).err()?.code().into()),
        ),
        text_to_text(
            SECTION,
            "uscc_warning",
            "code",
            "What is odd about a valid code: INNER_CHECK, UNKNOWN_REGION or both with a comma between; NULL for nothing.",
            move |code| {
                let warnings = uscc::warnings(code, &divisions);
                let codes: Vec<&str> = warnings.into_iter().map(uscc::UsccWarning::code).collect();
                (!codes.is_empty()).then(|| codes.join(",").into())
            },
        ),
        text_to_text(
            SECTION,
            "uscc_region",
            "code",
            "The division code of the registering office in a valid code, frozen at issue; NULL for an invalid code.",
            |code| Some(uscc::region(code)?.into()),
        ),
        text_to_text(
            SECTION,
            "uscc_registrar",
            "code",
            "The registering authority of a valid code, in Chinese.",
            |code| Some(uscc::registrar(code)?.into()),
        ),
        text_to_text(
            SECTION,
            "uscc_body_type",
            "code",
            "The type of body of a valid code, in Chinese, as in 企业 or 个体工商户.",
            |code| Some(uscc::body_type(code)?.into()),
        ),
        text_to_text(
            SECTION,
            "uscc_normalize",
            "code",
            "The code trimmed, with full-width characters folded (NFKC) and in upper case; it is not checked.",
            |code| Some(uscc::normalize(code).into()),
        ),
    ]
}
