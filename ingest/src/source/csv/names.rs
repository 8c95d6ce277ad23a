//! A header → names of columns.

use super::super::text::{is_padding, trimmed};
use super::dialect::Dialect;

/// Names as columns are called by: without padding, none empty, none twice. The error is the reason.
pub(super) fn column_names(header: &[String], dialect: &Dialect) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    let cleaned: Vec<String> = header.iter().map(|name| cleaned(name, dialect.folds_names)).collect();
    for (index, name) in cleaned.iter().enumerate() {
        let first = names.iter().position(|earlier| earlier == name);
        let numbered = match first {
            _ if dialect.numbers_names && name.is_empty() => free_name("column", index + 1, &names, &cleaned),
            Some(_) if dialect.numbers_names => free_name(name, 2, &names, &cleaned),
            _ if name.is_empty() => return Err(format!("column {} has no name", index + 1)),
            Some(first) => return Err(format!("columns {} and {} are both called `{name}`", first + 1, index + 1)),
            None => name.clone(),
        };
        names.push(numbered);
    }
    Ok(names)
}

/// `name_2`, or the next number that no column has.
fn free_name(name: &str, from: usize, taken: &[String], header: &[String]) -> String {
    (from..)
        .map(|number| format!("{name}_{number}"))
        .find(|name| !taken.contains(name) && !header.contains(name))
        .unwrap_or_default()
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
    use crate::source::csv::tests::def;

    fn names(header: &[&str], change: impl FnOnce(&mut Dialect)) -> Result<Vec<String>, String> {
        let mut dialect = Dialect::try_new(&def("a.csv")).unwrap();
        change(&mut dialect);
        column_names(&header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &dialect)
    }

    #[test]
    fn names_are_folded_and_numbered_where_that_is_asked_for() {
        let header = ["地  区", "GDP  per head", "地\u{3000}区", "", "a", "a_2", "a"];
        assert_eq!(names(&header[..2], |_| ()).unwrap(), ["地  区", "GDP  per head"]);
        assert_eq!(names(&header[3..4], |_| ()).unwrap_err(), "column 1 has no name");
        let all = |dialect: &mut Dialect| (dialect.folds_names, dialect.numbers_names) = (true, true);
        assert_eq!(names(&header, all).unwrap(), ["地区", "GDP per head", "地区_2", "column_4", "a", "a_2", "a_3"]);
        let folds = |dialect: &mut Dialect| dialect.folds_names = true;
        assert_eq!(names(&header[..3], folds).unwrap_err(), "columns 1 and 3 are both called `地区`");
    }
}
