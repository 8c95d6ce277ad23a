//! Successors of retired codes.

use std::collections::VecDeque;

use super::code::{DivisionCode, Level};
use super::history::{HISTORY, State};
use super::table::Divisions;

impl Divisions {
    /// The code in use in `year` that alone took over the whole of `code`: `code` itself while it is in use. None when
    /// the chain ends (the unit was dissolved and the list names no heir), when it splits, or when the code is unknown:
    /// see [`Self::successors`] for all the heirs. Parts that moved away earlier are not followed.
    ///
    /// `recorded_in` is the year in which the code was written down; it chooses among the meanings of a code that was
    /// used again. Without it, a code in use in `year` is its own successor, and otherwise its last meaning before counts.
    pub fn successor(&self, code: DivisionCode, year: i32, recorded_in: Option<i32>) -> Option<DivisionCode> {
        let mut state = meaning(code, year, recorded_in)?;
        while !state.holds_in(year) {
            let mut heirs = state.successors.iter().filter(|heir| heir.part_in.is_none()).map(|heir| heir.code);
            let heir = heirs.next()?;
            if heirs.any(|other| other != heir) {
                return None;
            }
            state = state_from(heir, state.end_year).filter(|next| next.start_year <= year)?;
        }
        Some(DivisionCode::from_six(state.code))
    }

    /// Every code in use in `year` that took over `code`, wholly or in part, parts that moved while it was still in use
    /// included; the heirs of the whole come first. `code` itself stands first while it is in use. Empty for an unknown
    /// code and for one whose chain ends. `recorded_in` as above; parts that had moved before that year are left out.
    pub fn successors(&self, code: DivisionCode, year: i32, recorded_in: Option<i32>) -> Vec<DivisionCode> {
        let Some(first) = meaning(code, year, recorded_in) else { return Vec::new() };
        let mut seen: Vec<(u32, i32)> = Vec::new();
        let mut found = Vec::new();
        let mut queue = VecDeque::from([(first, recorded_in)]);
        while let Some((state, since)) = queue.pop_front() {
            if seen.contains(&(state.code, state.start_year)) {
                continue;
            }
            seen.push((state.code, state.start_year));
            if state.holds_in(year) {
                let code = DivisionCode::from_six(state.code);
                if !found.contains(&code) {
                    found.push(code);
                }
            }
            let whole = state.successors.iter().filter(|heir| heir.part_in.is_none() && state.end_year <= year);
            let parts = state.successors.iter().filter(|heir| {
                heir.part_in.is_some_and(|moved| moved <= year && since.is_none_or(|since| moved > since))
            });
            for heir in whole.chain(parts) {
                let moved = heir.part_in.unwrap_or(state.end_year);
                queue.extend(state_from(heir.code, moved).map(|state| (state, Some(moved))));
            }
        }
        found
    }
}

/// What `code` meant for the one who wrote it.
fn meaning(code: DivisionCode, year: i32, recorded_in: Option<i32>) -> Option<&'static State> {
    if code != code.truncate(Level::County) {
        return None; // townships are known of one edition and have no history
    }
    let states = HISTORY.states(code.six());
    match recorded_in {
        // The history knows years, not days, and agencies write an old code for a while: one that ended in that year or
        // before keeps the meaning it had.
        Some(recorded_in) => states.iter().rfind(|state| state.start_year <= recorded_in),
        None => states.iter().rfind(|state| state.start_year <= year),
    }
}

/// The meaning of `code` in `year`; for an heir that the list enters later, its first one after.
fn state_from(code: u32, year: i32) -> Option<&'static State> {
    HISTORY.states(code).iter().find(|state| state.end_year > year)
}
