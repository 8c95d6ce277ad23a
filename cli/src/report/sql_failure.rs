//! A statement's failure, shown at its place in the text that the user wrote.

use std::fmt;
use std::sync::Arc;

use xiangyun_engine::Error;
use xiangyun_engine::error::SqlPosition;
use xiangyun_engine::project::{Diagnostic, SourceText, render};

/// An error, and the text that holds the statement.
#[derive(Debug)]
pub(crate) struct SqlFailure {
    error: Error,
    source: Arc<SourceText>,
    /// Where the statement begins in the text, in bytes.
    start: usize,
}

impl SqlFailure {
    /// `name` says where `text` came from, as in a file's path or `-c`.
    pub(crate) fn new(error: Error, name: &str, text: &str, start: usize) -> Self {
        let source = Arc::new(SourceText { path: name.into(), text: text.into() });
        Self { error, source, start }
    }

    /// The message with the line and a caret; none where the engine could not tell the place.
    pub(crate) fn render(&self, color: bool) -> Option<String> {
        let offset = self.start + offset_of(&self.source.text[self.start..], self.error.position()?);
        let end = word_end(&self.source.text, offset);
        let mut fault = Diagnostic::error(&self.source, Some(offset..end), self.error.chain());
        fault.hint = self.error.hint().map(Into::into);
        Some(render(&fault, color))
    }
}

impl fmt::Display for SqlFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for SqlFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error) // so that kind and hint are found in the chain; the same message is told once
    }
}

/// The byte at a line and column of the statement; its end where the position lies beyond.
fn offset_of(statement: &str, position: SqlPosition) -> usize {
    let mut start = 0;
    for _ in 1..position.line {
        match statement[start..].find('\n') {
            Some(newline) => start += newline + 1,
            None => return statement.len(),
        }
    }
    let line = statement[start..].split('\n').next().unwrap_or_default();
    let column = usize::try_from(position.column).unwrap_or(usize::MAX).saturating_sub(1);
    start + line.char_indices().nth(column).map_or(line.len(), |(offset, _)| offset)
}

/// The end of the word that begins at `offset`; one character where it is no word.
fn word_end(text: &str, offset: usize) -> usize {
    let rest = &text[offset..];
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    offset + if word == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { word }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use xiangyun_engine::ErrorKind;

    use super::*;

    fn failure(text: &str, start: usize, line: u64, column: u64) -> String {
        let error = Error::new(ErrorKind::Sql, "no column `b`").with_position(SqlPosition { line, column });
        SqlFailure::new(error.with_hint("did you mean `c`?"), "q.sql", text, start).render(false).unwrap()
    }

    #[test]
    fn the_caret_stands_at_the_statements_place_in_the_whole_file() {
        let text = "select 1;\nselect '吉林',\n  bad_name from t";
        assert_eq!(
            failure(text, 10, 2, 3),
            "error: no column `b`\n  --> q.sql:3:3\n   |\n 3 |   bad_name from t\n   |   ^^^^^^^^\n   = hint: did you mean `c`?\n"
        );
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end() {
        assert!(failure("select", 0, 9, 9).contains("q.sql:1:7"));
        assert!(failure("select", 0, 1, 99).contains("q.sql:1:7"));
    }
}
