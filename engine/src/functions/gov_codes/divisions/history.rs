//! Provinces, prefectures and counties by year, 1981 to 2024.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::code::Level;
use super::table::decompress;

static TEXT: LazyLock<String> =
    LazyLock::new(|| decompress(include_bytes!("../data/divisions_history_1981-2024.csv.gz")));

/// The history, read on first use.
pub(super) static HISTORY: LazyLock<History> = LazyLock::new(|| History::parse(&TEXT));

/// What a code meant from one year to another. A code may be used again: code and first year are the key.
#[derive(Debug)]
pub(super) struct State {
    pub(super) code: u32,
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// The first year of use; 1981 stands for earlier ones too.
    pub(super) start_year: i32,
    /// The first year no longer in use; [`i32::MAX`] while in use.
    pub(super) end_year: i32,
    pub(super) successors: Vec<Successor>,
}

impl State {
    /// Whether the code meant this in `year`.
    pub(super) fn holds_in(&self, year: i32) -> bool {
        (self.start_year..self.end_year).contains(&year)
    }
}

/// A code that took over ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) code: u32,
    /// The year in which a part moved; None for what took over when the predecessor ended.
    pub(super) part_in: Option<i32>,
}

/// All states by code.
#[derive(Debug)]
pub(super) struct History {
    states: Vec<State>,
    by_code: HashMap<u32, Range<u32>>,
}

impl History {
    fn parse(text: &'static str) -> Self {
        let read =
            |line| parse_state(line).expect("the embedded list has seven columns, checked by a test of its rows");
        let mut states: Vec<State> = text.lines().skip(1).map(read).collect();
        states.sort_by_key(|state| (state.code, state.start_year));
        let mut by_code: HashMap<u32, Range<u32>> = HashMap::with_capacity(states.len());
        for (position, state) in (0u32..).zip(&states) {
            by_code.entry(state.code).or_insert(position..position).end = position + 1;
        }
        Self { states, by_code }
    }

    /// What `code` has meant, the earliest first; empty for a code that was never in use.
    #[inline]
    pub(super) fn states(&self, code: u32) -> &[State] {
        match self.by_code.get(&code) {
            Some(range) => &self.states[range.start as usize..range.end as usize],
            None => &[],
        }
    }

    /// Every state of every code.
    pub(super) fn iter(&self) -> impl Iterator<Item = &State> {
        self.states.iter()
    }
}

fn parse_state(line: &'static str) -> Option<State> {
    let mut cells = line.split(',');
    let code = cells.next()?.parse().ok()?;
    let name = cells.next()?;
    let level = match cells.next()? {
        "1" => Level::Province,
        "2" => Level::Prefecture,
        "3" => Level::County,
        _ => return None,
    };
    let start_year = cells.next()?.parse().ok()?;
    let end_year = match cells.next()? {
        "" => i32::MAX,
        year => year.parse().ok()?,
    };
    let _parent_name = cells.next()?;
    let successors = cells.next()?.split(';').filter(|cell| !cell.is_empty()).map(parse_successor);
    let successors = successors.collect::<Option<Vec<Successor>>>()?;
    Some(State { code, name, level, start_year, end_year, successors })
}

/// `220184`, or `220104[2005]` for a part that moved in 2005.
fn parse_successor(cell: &str) -> Option<Successor> {
    match cell.split_once('[') {
        None => Some(Successor { code: cell.parse().ok()?, part_in: None }),
        Some((code, year)) => {
            let part_in = Some(year.strip_suffix(']')?.parse().ok()?);
            Some(Successor { code: code.parse().ok()?, part_in })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_no_code_means_two_things_in_a_year() {
        assert_eq!(HISTORY.iter().count(), 6_823);
        for pair in HISTORY.states.windows(2).filter(|pair| pair[0].code == pair[1].code) {
            assert!(pair[0].end_year <= pair[1].start_year, "{}", pair[0].code);
        }
    }
}
