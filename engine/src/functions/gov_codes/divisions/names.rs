//! Recognising divisions by the names at the beginning of an address.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::Level;
use super::history::HISTORY;
use super::table::Divisions;

/// Every name that a division of a level ever had.
struct Names {
    names: HashSet<&'static str>,
    /// Lengths of the longest name in characters.
    longest: usize,
}

/// Names of provinces, prefectures and counties.
static NAMES: LazyLock<[Names; 3]> = LazyLock::new(|| {
    [Level::Province, Level::Prefecture, Level::County].map(|level| {
        let names: HashSet<&str> =
            HISTORY.iter().filter(|state| state.level == level).map(|state| state.name).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        Names { names, longest }
    })
});

impl Names {
    /// The length in bytes of the longest name that `text` begins with.
    fn leading(&self, text: &str) -> usize {
        let ends = text.char_indices().map(|(start, c)| start + c.len_utf8()).take(self.longest);
        ends.filter(|end| self.names.contains(&text[..*end])).last().unwrap_or(0)
    }
}

impl Divisions {
    /// The length in bytes of the names of province, prefecture and county that `address` begins with; each may be left
    /// out, and those of any year count.
    pub(in crate::functions::gov_codes) fn leading_names(&self, address: &str) -> usize {
        NAMES.iter().fold(0, |known, names| known + names.leading(&address[known..]))
    }
}
