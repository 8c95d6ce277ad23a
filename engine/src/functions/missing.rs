//! How agencies write that there is no value.

/// Whether `text` is a marker of a missing value: empty or blank, `N/A`, or only hyphens, dashes or dots of omission.
/// Zero is a value.
pub fn is_missing(text: &str) -> bool {
    let text = text.trim();
    text.eq_ignore_ascii_case("n/a") || text.chars().all(|c| matches!(c, '-' | '－' | '–' | '—' | '…'))
}

#[cfg(test)]
mod tests {
    use super::is_missing;

    #[test]
    fn markers_are_missing_and_zero_is_not() {
        for marker in ["", " ", "\u{3000}", "N/A", "n/a", "-", "…", "—", "——", "……"] {
            assert!(is_missing(marker), "{marker:?}");
        }
        for value in ["0", "0(万元)", "-1", "无", "..."] {
            assert!(!is_missing(value), "{value:?}");
        }
    }
}
