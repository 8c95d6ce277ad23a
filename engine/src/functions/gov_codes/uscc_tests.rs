#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

#[test]
fn published_codes_are_valid() {
    for code in [
        "9122010112403662XM",
        "91220501244585084W",
        "91220000735902224D",
        "91220101743028725R",
        "91222400243805786K",
        "912205012445783007",
        "91220101606092819L",
        "91220000702425994U",
        "91230199128175037N",
        "91210100604608172K",
        "91210106243406830Q",
        "91210100117923108X",
        "914403001922038216",
        "9144030071526726XG",
        "91440300708461136T",
        "91330100799655058B",
        "91100000100003962T",
        "911100001000044477",
        "911000001000013428",
        "9111000071093123XX",
        "91110000710925462X",
        "91440300192317458F",
        "91440400192548256N",
        "91440606722473344C",
        "9144030027939873X7",
        "000000000000000000",
    ] {
        assert_eq!(check(code), Ok(()), "{code}");
    }
}

#[test]
fn the_first_failure_is_named() {
    for (code, error) in [
        ("914403001922038217", "CHECK"),
        ("914403001922038261", "CHECK"),
        ("9144O3001922038216", "ALPHABET"),
        ("9144I3001922038216", "ALPHABET"),
        ("91440300192203821", "LENGTH"),
        ("9144030019220382166", "LENGTH"),
        ("914403001922038 16", "ALPHABET"),
        ("914403\u{ff10}\u{ff10}1922038216", "ALPHABET"),
        ("9144030071526726Xg", "ALPHABET"),
        ("91AB0300192203821S", "REGION"),
        ("91220582778712797L", "CHECK"),
        ("91220102732581015H", "CHECK"),
        ("91230000x07154424D", "ALPHABET"),
        ("91220521664295839", "LENGTH"),
        ("91010213775253664R", "CHECK"),
        ("91210481774649639M", "CHECK"),
        ("", "MISSING"),
        ("N/A", "MISSING"),
        // Six Chinese characters are 18 bytes and no code.
        ("统一社会信用", "LENGTH"),
    ] {
        assert_eq!(check(code).unwrap_err().code(), error, "{code}");
    }
}

#[test]
fn cleaning_is_a_step_of_its_own() {
    for (dirty, clean) in [
        ("914403\u{ff10}\u{ff10}1922038216", "914403001922038216"),
        ("9144030071526726Xg", "9144030071526726XG"),
        ("\u{3000}914403001922038216\u{a0}", "914403001922038216"),
    ] {
        assert!(!is_valid(dirty) && is_valid(clean));
        assert_eq!(normalize(dirty), clean);
    }
}

#[test]
fn a_valid_code_tells_its_parts() {
    let code = "91220501244585084W";
    assert_eq!((region(code), registrar(code), body_type(code)), (Some("220501"), Some("市场监督管理"), Some("企业")));
    let wrong = "91220582778712797L";
    assert_eq!((region(wrong), registrar(wrong), body_type(wrong)), (None, None, None));
}

#[test]
fn oddities_are_warnings() {
    let divisions = Divisions::built_in();
    assert_eq!(warnings("91220101743028725R", &divisions), [UsccWarning::UnknownRegion]);
    assert_eq!(warnings("91220000735902224D", &divisions), []);
    // The inner check of 73590222 is 4; with 5 in its place the outer check is recomputed by the round trip below.
    let code = with_check("91220000735902225");
    assert_eq!(check(&code), Ok(()));
    assert_eq!(warnings(&code, &divisions), [UsccWarning::InnerCheck]);
}

fn with_check(body: &str) -> String {
    let candidates = ALPHABET.iter().map(|check| format!("{body}{}", char::from(*check)));
    let valid: Vec<String> = candidates.filter(|code| is_valid(code)).collect();
    assert_eq!(valid.len(), 1, "exactly one check character fits {body}");
    valid.into_iter().next().unwrap()
}

proptest! {
    #[test]
    fn exactly_one_check_character_fits(body in "[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}") {
        with_check(&body);
    }

    #[test]
    fn any_single_changed_character_is_noticed(position in 0..17usize, by in 1..31usize) {
        let code = "91220000735902224D";
        let mut changed: Vec<u8> = code.bytes().collect();
        let value = ALPHABET.iter().position(|byte| *byte == changed[position]).unwrap();
        changed[position] = ALPHABET[(value + by) % 31];
        prop_assert!(!is_valid(std::str::from_utf8(&changed).unwrap()));
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,24}") {
        prop_assert_eq!(check(&text).is_ok(), is_valid(&text));
        normalize(&text);
    }
}
