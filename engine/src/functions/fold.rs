//! Folding of characters that mean the same.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The text in NFKC, in which full-width digits, letters and brackets are the ordinary ones. For codes, numbers and
/// dates only: in names of persons and places it would change characters that the law tells apart.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    // ASCII and the main block of Chinese characters are their own NFKC: most texts are read where they stand.
    if text.chars().all(|c| c.is_ascii() || matches!(c, '\u{4e00}'..='\u{9fff}')) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().collect())
}

/// Folded, and without white space.
pub(crate) fn fold_without_blanks(text: &str) -> Cow<'_, str> {
    let folded = fold(text);
    if folded.contains(char::is_whitespace) {
        return Cow::Owned(folded.chars().filter(|c| !c.is_whitespace()).collect());
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_is_folded_and_plain_text_is_not_copied() {
        assert_eq!(fold("１２，３．４（万元）％"), "12,3.4(万元)%");
        assert!(matches!(fold("100(万元)"), Cow::Borrowed(_)));
        assert_eq!(fold_without_blanks("\u{3000}2019 年\u{a0}3月"), "2019年3月");
        assert!(matches!(fold_without_blanks("2019年3月"), Cow::Borrowed(_)));
    }
}
