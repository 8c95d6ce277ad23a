//! A header → names of columns.

use std::collections::{HashMap, HashSet};

use super::super::text::{is_padding, trimmed};
use crate::pipeline::DuplicateNames;

/// Columns that a table may have: as many as a sheet of a workbook.
const MOST_COLUMNS: usize = 1 << 14;

/// What is done with names that are no names yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::source) struct NameRules {
    /// Names that are missing or come twice get a number.
    pub(in crate::source) numbers: bool,
    /// Blanks within names are folded.
    pub(in crate::source) folds: bool,
}

impl NameRules {
    pub(in crate::source) fn new(duplicates: DuplicateNames, folds: bool) -> Self {
        Self { numbers: duplicates == DuplicateNames::Number, folds }
    }
}

/// Names as columns are called by: without padding, none empty, none twice. The error is the reason.
pub(in crate::source) fn column_names(header: &[String], rules: NameRules) -> Result<Vec<String>, String> {
    if header.len() > MOST_COLUMNS {
        return Err(format!("it names {} columns, and {MOST_COLUMNS} are read at most", header.len()));
    }
    let cleaned: Vec<String> = header.iter().map(|name| cleaned(name, rules.folds)).collect();
    let own: HashSet<&str> = cleaned.iter().map(String::as_str).collect();
    // Name → its first column. Numbers that are given are beyond those of the header, and none is tried twice.
    let mut taken: HashMap<String, usize> = HashMap::with_capacity(header.len());
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::with_capacity(header.len());
    for (index, name) in cleaned.iter().enumerate() {
        let first = taken.get(name).copied();
        let numbered = |base: &str, number: &mut usize| loop {
            let name = format!("{base}_{number}");
            *number += 1;
            if !own.contains(name.as_str()) && !taken.contains_key(&name) {
                break name;
            }
        };
        let name = match first {
            _ if rules.numbers && name.is_empty() => numbered("column", &mut (index + 1)),
            Some(_) if rules.numbers => numbered(name, numbers.entry(name).or_insert(2)),
            _ if name.is_empty() => return Err(format!("column {} has no name", index + 1)),
            Some(first) => return Err(format!("columns {} and {} are both called `{name}`", first + 1, index + 1)),
            None => name.clone(),
        };
        taken.insert(name.clone(), index);
        names.push(name);
    }
    Ok(names)
}

fn cleaned(name: &str, folds: bool) -> String {
    let name = trimmed(name);
    if !folds || !name.contains(is_padding) {
        return name.to_owned();
    }
    let mut folded = String::with_capacity(name.len());
    for word in name.split(is_padding).filter(|word| !word.is_empty()) {
        // Between characters of Chinese a blank only stretches the name.
        let joins = |neighbour: Option<char>| neighbour.is_some_and(|c| !c.is_ascii());
        let stretched = joins(folded.chars().next_back()) && joins(word.chars().next());
        if !folded.is_empty() && !stretched {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn names(header: &[&str], numbers: bool, folds: bool) -> Result<Vec<String>, String> {
        let header: Vec<_> = header.iter().map(|name| (*name).to_owned()).collect();
        column_names(&header, NameRules { numbers, folds })
    }

    #[test]
    fn names_are_folded_and_numbered_where_that_is_asked_for() {
        let header = ["地  区", "GDP  per head", "地\u{3000}区", "", "a", "a_2", "a"];
        assert_eq!(names(&header[..2], false, false).unwrap(), ["地  区", "GDP  per head"]);
        assert_eq!(names(&header[3..4], false, false).unwrap_err(), "column 1 has no name");
        let all = names(&header, true, true).unwrap();
        assert_eq!(all, ["地区", "GDP per head", "地区_2", "column_4", "a", "a_2", "a_3"]);
        assert_eq!(names(&header[..3], false, true).unwrap_err(), "columns 1 and 3 are both called `地区`");
        // As many as a sheet has columns, in no time.
        let same = vec!["a"; 16_384];
        assert_eq!(names(&same, true, false).unwrap().last().map(String::as_str), Some("a_16384"));
    }
}
