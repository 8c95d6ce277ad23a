#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::{DivisionCode, Level};
use super::*;

fn code(text: &str) -> DivisionCode {
    DivisionCode::parse(text).unwrap()
}

fn path(text: &str, year: Option<i32>) -> Option<String> {
    let mut path = String::new();
    Divisions::default().write_full_path(code(text), year, &mut path).then_some(path)
}

#[test]
fn gongzhuling_under_its_four_codes() {
    let divisions = Divisions::default();
    for (text, years, expected) in [
        ("220319", 1985..1988, "吉林省四平市公主岭市"),
        ("229001", 1988..1990, "吉林省公主岭市"),
        ("220381", 1990..2020, "吉林省四平市公主岭市"),
        ("220184", 2020..2030, "吉林省长春市公主岭市"),
    ] {
        for year in years.clone() {
            assert_eq!(path(text, Some(year)).as_deref(), Some(expected), "{text} in {year}");
        }
        assert_eq!(divisions.name(code(text), Some(years.start - 1)), None);
        assert_eq!(path(text, None).as_deref(), Some(expected), "{text} without a year");
        for since in [None, Some(years.start)] {
            assert_eq!(divisions.successor(code(text), 2024, since), Some(code("220184")), "{text}");
        }
    }
    assert_eq!(divisions.successor(code("220381"), 2019, None), Some(code("220381")));
    assert_eq!(divisions.successor(code("220319"), 1989, None), Some(code("229001")));
    assert_eq!(divisions.parent(code("229001"), None), Some(code("220000")));
    assert_eq!(divisions.ancestor(code("229001"), Level::Prefecture, None), None);
}

#[test]
fn a_part_that_moved_is_not_the_successor_of_the_whole() {
    let divisions = Divisions::default();
    // In 2005 a part of 220381 went to 220104.
    assert_eq!(divisions.successor(code("220381"), 2010, None), Some(code("220381")));
    assert_eq!(divisions.successors(code("220381"), 2010, None), [code("220381"), code("220104")]);
    assert_eq!(divisions.successors(code("220381"), 2024, None)[0], code("220184"));
    assert!(divisions.successors(code("220381"), 2024, None).contains(&code("220104")));
    assert_eq!(divisions.successors(code("220381"), 2024, Some(2010)), [code("220184")]);
}

#[test]
fn a_split_has_no_single_successor_and_a_doubled_heir_is_one() {
    let divisions = Divisions::default();
    // 桥东区 of Shijiazhuang went to 130102 and 130104 in 2014; 唐海县 lists 130209 twice.
    assert_eq!(divisions.successor(code("130103"), 2024, None), None);
    assert_eq!(divisions.successors(code("130103"), 2024, None), [code("130102"), code("130104")]);
    assert_eq!(divisions.successor(code("130230"), 2024, None), Some(code("130209")));
    // 邯郸地区 ended in 1993 without an heir.
    assert_eq!(divisions.successor(code("132100"), 2024, None), None);
    assert!(divisions.successors(code("132100"), 2024, None).is_empty());
    assert_eq!(divisions.successor(code("132100"), 1990, None), Some(code("132100")));
}

#[test]
fn a_code_used_again_has_the_meaning_of_its_year() {
    let divisions = Divisions::default();
    assert_eq!(divisions.name(code("132201"), Some(1982)), Some("邢台市"));
    assert_eq!(divisions.name(code("132201"), Some(1984)), None);
    assert_eq!(divisions.name(code("132201"), Some(1990)), Some("南宫市"));
    assert_eq!(divisions.successor(code("132201"), 2024, Some(1990)), Some(code("130581")));
    assert_eq!(divisions.successor(code("132201"), 2024, Some(1982)), None);
}

#[test]
fn municipalities_and_directly_administered_counties() {
    let divisions = Divisions::default();
    assert_eq!(path("110105", None).as_deref(), Some("北京市朝阳区"));
    assert_eq!(divisions.parent(code("110105"), None), Some(code("110000")));
    assert_eq!(divisions.ancestor(code("110105"), Level::Prefecture, None), None);
    assert_eq!(divisions.name(code("110100"), None), Some("市辖区"));
    assert_eq!(divisions.level(code("110100")), Some(Level::Prefecture));
    assert_eq!(path("469001", None).as_deref(), Some("海南省五指山市"));
    assert_eq!(divisions.parent(code("469001"), None), Some(code("460000")));
    assert_eq!(divisions.parent(code("220000"), None), None);
}

#[test]
fn one_short_name_in_several_places() {
    for (text, expected) in [
        ("110105", "北京市朝阳区"),
        ("220104", "吉林省长春市朝阳区"),
        ("211300", "辽宁省朝阳市"),
        ("220200", "吉林省吉林市"),
    ] {
        assert_eq!(path(text, None).as_deref(), Some(expected));
    }
}

#[test]
fn townships_are_of_one_edition() {
    let divisions = Divisions::default();
    let dongcheng = code("110101001000");
    assert_eq!(path("110101001", None).as_deref(), Some("北京市东城区东华门街道"));
    assert_eq!(divisions.level(dongcheng), Some(Level::Township));
    assert_eq!(divisions.edition(dongcheng), Some(Edition::Statistical2023));
    assert_eq!(divisions.edition(code("110101")), Some(Edition::History));
    assert_eq!(divisions.parent(dongcheng, None), Some(code("110101")));
    // A prefecture without counties.
    assert_eq!(path("441900003", None).as_deref(), Some("广东省东莞市东城街道"));
    assert_eq!(divisions.ancestor(code("441900003"), Level::County, None), None);
    assert_eq!(divisions.parent(code("441900003"), None), Some(code("441900")));
    // A zone that is no division.
    assert_eq!(divisions.edition(code("220171")), Some(Edition::Statistical2023));
    assert_eq!(divisions.parent(code("220171"), None), Some(code("220100")));
}

#[test]
fn jilin_has_nine_prefectures() {
    let divisions = Divisions::default();
    let prefectures = (1..=99u32).map(|part| DivisionCode::from_six(220_000 + part * 100));
    let in_use: Vec<String> =
        prefectures.filter(|code| divisions.name(*code, Some(2024)).is_some()).map(|code| code.to_string()).collect();
    assert_eq!(in_use, ["220100", "220200", "220300", "220400", "220500", "220600", "220700", "220800", "222400"]);
}

#[test]
fn every_unit_in_use_reaches_its_province() {
    let divisions = Divisions::default();
    for state in HISTORY.iter().filter(|state| state.holds_in(2024) && state.level != Level::Province) {
        let parent = divisions.parent(DivisionCode::from_six(state.code), Some(2024));
        assert!(parent.is_some_and(|parent| parent.level() < state.level), "{}", state.code);
    }
}
