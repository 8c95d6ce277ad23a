//! What counts as blank, and where a text may be cut.

/// Whether a character only takes up room: white space, the ideographic space U+3000, the no-break space U+00A0, and
/// the byte order mark that stands inside joined files.
pub(crate) fn is_padding(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// `text` without padding at its ends.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_padding)
}

/// Whether a field stands for a missing value: nothing but padding, or one of the declared texts.
pub(crate) fn is_missing(field: &str, null_values: &[String]) -> bool {
    if null_values.is_empty() {
        return field.chars().all(is_padding);
    }
    let shows = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic());
    let bytes = field.as_bytes();
    // Most fields have nothing to trim.
    let text = if shows(bytes.first()) && shows(bytes.last()) { field } else { trimmed(field) };
    text.is_empty() || null_values.iter().any(|missing| missing == text)
}

/// The first bytes of `text`, at most `limit`, cut between characters.
pub(crate) fn truncated(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
