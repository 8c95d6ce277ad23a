//! Lines of figures on standard output.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are what this program is for")]

/// A heading with the columns' names, against DuckDB.
pub(crate) fn heading(title: &str, unit: &str) {
    heading_against(title, &format!("ours, {unit}"), &format!("DuckDB, {unit}"));
}

/// A heading with the names of both columns; units are told by each line.
pub(crate) fn heading_against(title: &str, ours: &str, theirs: &str) {
    println!("\n{title}\n{:<58} {ours:>12} {theirs:>12} {:>8}", "", "ratio");
}

/// Both figures, and how many times the peer's ours is. `higher_is_better` turns the ratio, so that above 1 is ours.
pub(crate) fn compare(name: &str, ours: f64, theirs: f64, higher_is_better: bool) {
    let ratio = if higher_is_better { ours / theirs } else { theirs / ours };
    println!("{name:<58} {ours:>12.1} {theirs:>12.1} {ratio:>7.2}x");
}

/// A figure without a peer.
pub(crate) fn alone(name: &str, value: f64) {
    println!("{name:<58} {value:>12.1}");
}

/// What is being prepared, to whoever waits.
pub(crate) fn progress(text: &str) {
    eprintln!("… {text}");
}
