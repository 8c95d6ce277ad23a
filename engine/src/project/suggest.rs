//! "Did you mean": the nearest of a list of names.

/// The candidate that `text` is most likely a slip of: at most a third of its letters wrong, missing or swapped.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (text.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let keys = ["version", "table", "title"];
        assert_eq!(nearest("tabel", keys), Some("table"));
        assert_eq!(nearest("titel", keys), Some("title"));
        assert_eq!(nearest("owner", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
