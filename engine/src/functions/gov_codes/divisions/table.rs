//! Looking a division up.

use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::code::{DivisionCode, Level};
use super::history::HISTORY;
use super::statistical::{EDITION_2023, is_filler};

/// Administrative divisions and their history, built in.
///
/// Each method that takes a `year` answers as of the end of that year; without one, with the last meaning that the code
/// had, so that a retired code keeps its name.
#[derive(Debug, Default)]
pub struct Divisions {
    // The lists are embedded and read on first use; a value of this type is the permission to look into them.
    _private: (),
}

/// The list that a division is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edition {
    /// The yearly lists of 1981 to 2024.
    History,
    /// The statistical codes of 2023: no other year is known.
    Statistical2023,
}

impl Edition {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "1981-2024",
            Self::Statistical2023 => "2023",
        }
    }
}

/// A division found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) name: &'static str,
    pub(super) level: Level,
    pub(super) edition: Edition,
    /// The year for which the units above it are looked up.
    year: i32,
}

/// A year in which everything now in use is in use.
const LATEST: i32 = i32::MAX - 1;

impl Divisions {
    /// The built-in lists.
    pub fn built_in() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Whether the yearly lists ever had the six-digit code `code`.
    pub fn was_ever_in_use(&self, code: &str) -> bool {
        DivisionCode::parse(code).is_some_and(|code| !HISTORY.states(code.six()).is_empty())
    }

    /// Whether the lists vouch for `code` as far as they can. Of the county and above every year is known; zones and
    /// townships only as of 2023. So a code of 9 or 12 digits passes by its county: 220381001 was a township until 2020,
    /// and no list of those years is built in.
    pub fn is_known(&self, code: &str) -> bool {
        DivisionCode::parse(code).is_some_and(|code| {
            let county = code.truncate(Level::County);
            !HISTORY.states(county.six()).is_empty() || EDITION_2023.contains_key(&county)
        })
    }

    /// The name of a division.
    pub fn name(&self, code: DivisionCode, year: Option<i32>) -> Option<&'static str> {
        self.find(code, year).map(|found| found.name)
    }

    /// The level of a division.
    pub fn level(&self, code: DivisionCode) -> Option<Level> {
        self.find(code, None).map(|found| found.level)
    }

    /// The list that a division is known from.
    pub fn edition(&self, code: DivisionCode) -> Option<Edition> {
        self.find(code, None).map(|found| found.edition)
    }

    /// The division directly above: of a county under no prefecture the province. Provinces have none.
    pub fn parent(&self, code: DivisionCode, year: Option<i32>) -> Option<DivisionCode> {
        let found = self.find(code, year)?;
        self.parent_of(code, found.year)
    }

    /// The division of `level` that `code` is or lies in. None when there is none: a county under no prefecture has no
    /// prefecture, a township of a prefecture without counties no county. A village, or a township that the edition of
    /// 2023 lacks, lies in the unit whose digits it begins with.
    pub fn ancestor(&self, code: DivisionCode, level: Level, year: Option<i32>) -> Option<DivisionCode> {
        let listed = [Level::Village, Level::Township, Level::County].map(|finest| code.truncate(finest));
        let found = listed.into_iter().find_map(|code| self.find(code, year))?;
        if level > found.level {
            return None;
        }
        let ancestor = code.truncate(level);
        if ancestor == code {
            return Some(code);
        }
        (ancestor.level() == level && self.is_real(ancestor, found.year)).then_some(ancestor)
    }

    /// Appends the names from the province down, as in `吉林省长春市朝阳区`; false when the code is unknown.
    pub fn write_full_path(&self, code: DivisionCode, year: Option<i32>, path: &mut String) -> bool {
        let Some(found) = self.find(code, year) else { return false };
        for level in [Level::Province, Level::Prefecture, Level::County] {
            let above = code.truncate(level);
            if level < found.level
                && above != code
                && above.level() == level
                && let Some(above) = self.find(above, Some(found.year)).filter(|above| !is_filler(above.name))
            {
                path.push_str(above.name);
            }
        }
        path.push_str(found.name);
        true
    }

    /// The nearest real division above `code` in `year`.
    fn parent_of(&self, code: DivisionCode, year: i32) -> Option<DivisionCode> {
        [Level::County, Level::Prefecture, Level::Province]
            .into_iter()
            .map(|level| code.truncate(level))
            .find(|above| *above != code && self.is_real(*above, year))
    }

    fn is_real(&self, code: DivisionCode, year: i32) -> bool {
        self.find(code, Some(year)).is_some_and(|found| !is_filler(found.name))
    }

    /// Finds `code` as of `year`, or with its last meaning.
    #[inline]
    pub(super) fn find(&self, code: DivisionCode, year: Option<i32>) -> Option<Found> {
        if code.level() <= Level::County {
            let states = HISTORY.states(code.six());
            let state = match year {
                Some(year) => states.iter().find(|state| state.holds_in(year)),
                None => states.last(),
            };
            if let Some(state) = state {
                let year = year.unwrap_or(if state.end_year == i32::MAX { LATEST } else { state.end_year - 1 });
                return Some(Found { name: state.name, level: state.level, edition: Edition::History, year });
            }
            if !states.is_empty() {
                return None; // the history knows the code, and that it was not in use that year
            }
        }
        let name = EDITION_2023.get(&code)?;
        // One edition says nothing of other years: a unit is there whenever the division above it was.
        let year = year.unwrap_or(LATEST);
        let above = code.truncate(match code.level() {
            Level::Township | Level::Village => Level::County,
            Level::County => Level::Prefecture,
            Level::Province | Level::Prefecture => Level::Province,
        });
        self.find(above, Some(year))?;
        Some(Found { name, level: code.level(), edition: Edition::Statistical2023, year })
    }
}

/// The text of an embedded list.
pub(super) fn decompress(bytes: &'static [u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).expect("the embedded lists are whole, checked by a test of each");
    text
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
