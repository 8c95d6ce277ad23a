//! The 2023 edition of the statistical codes, down to the township.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::code::DivisionCode;
use super::table::decompress;

static TEXT: LazyLock<String> = LazyLock::new(|| decompress(include_bytes!("../data/divisions_2023.csv.gz")));

/// Names by code, read on first use. Three prefectures without counties and a county without townships stand in the list
/// twice, under one name.
pub(super) static EDITION_2023: LazyLock<HashMap<DivisionCode, &'static str>> = LazyLock::new(|| {
    let read = |line| parse(line).expect("the embedded list has four columns, checked by a test of its rows");
    TEXT.lines().skip(1).map(read).collect()
});

fn parse(line: &'static str) -> Option<(DivisionCode, &'static str)> {
    let mut cells = line.split(',');
    let code = DivisionCode::parse(cells.next()?)?;
    let _level = cells.next()?;
    Some((code, cells.next()?))
}

/// Whether `name` is that of a unit which only fills a level: there is no such division.
pub(super) fn is_filler(name: &str) -> bool {
    matches!(name, "市辖区" | "县" | "省直辖县级行政区划" | "自治区直辖县级行政区划")
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn every_row_is_read() {
        let at = |level| EDITION_2023.keys().filter(|code| code.level() == level).count();
        assert_eq!((at(Level::Province), at(Level::Prefecture)), (31, 342));
        assert_eq!((at(Level::County), at(Level::Township)), (2_978 - 3, 41_352 - 1));
        assert_eq!(EDITION_2023.len() + 3 + 1, 44_703);
    }
}
