//! A finding as text for a terminal: file, line, column, the source line, a caret and a hint.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

use super::diagnostic::{Diagnostic, Severity};
use super::document::SourceText;

/// Spaces that stand for a tab: a terminal's own tab stops would move the caret.
const TAB: &str = "    ";

/// A place in a file: line and column counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl SourceText {
    /// The line and column of a byte offset; offsets past the end are the end.
    pub fn position(&self, offset: usize) -> Position {
        let (line_start, line) = self.line_of(offset);
        let before = &self.text[line_start..self.floor(offset)];
        Position { line, column: before.chars().count() + 1 }
    }

    /// `path:line:column` of a byte offset.
    pub fn place(&self, offset: usize) -> String {
        let Position { line, column } = self.position(offset);
        format!("{}:{line}:{column}", self.path.display())
    }

    /// Where the line of `offset` starts, and its number from 1.
    fn line_of(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(offset)];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (start, before.matches('\n').count() + 1)
    }

    /// The greatest character boundary at or below `offset`.
    fn floor(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

/// The finding as text, ending in a line break:
///
/// ```text
/// error: unknown key `tabel`, did you mean `table`?
///   --> metrics/permits.toml:2:1
///    |
///  2 | tabel = "permits.decisions"
///    | ^^^^^
///    = hint: known keys here: version, table
/// ```
///
/// The caret is right under full-width characters too. With `color`, ANSI colours are added; nothing is said by colour
/// alone.
pub fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let (word, code) = match diagnostic.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let mut text = format!("{}: {}\n", paint(code, word), printable(&diagnostic.message));
    let source = &diagnostic.source;
    let Some(span) = &diagnostic.span else {
        let _ = writeln!(text, "  {} {}", paint("34", "-->"), source.path.display());
        push_hint(&mut text, diagnostic, "  ", paint("34", "="));
        return text;
    };
    let (line_start, line) = source.line_of(span.start);
    let line_text = source.text[line_start..].lines().next().unwrap_or_default();
    let number = line.to_string();
    let margin = " ".repeat(number.len() + 1);
    let start = source.floor(span.start).saturating_sub(line_start).min(line_text.len());
    let end = source.floor(span.end).saturating_sub(line_start).clamp(start, line_text.len());
    let indent = " ".repeat(width(&line_text[..start]));
    let carets = "^".repeat(width(&line_text[start..end]).max(1));
    let _ = writeln!(text, "{margin}{} {}", paint("34", "-->"), source.place(span.start));
    let _ = writeln!(text, "{margin} {}", paint("34", "|"));
    let _ = writeln!(text, " {} {} {}", paint("34", &number), paint("34", "|"), printable(line_text).trim_end());
    let _ = writeln!(text, "{margin} {} {indent}{}", paint("34", "|"), paint(code, &carets));
    push_hint(&mut text, diagnostic, &format!("{margin} "), paint("34", "="));
    text
}

fn push_hint(text: &mut String, diagnostic: &Diagnostic, margin: &str, mark: String) {
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(text, "{margin}{mark} hint: {}", printable(hint));
    }
}

/// The text without anything that would move a terminal's cursor or change its colours.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push_str(TAB),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// Terminal columns of the printable form.
fn width(text: &str) -> usize {
    printable(text).chars().map(|c| c.width().unwrap_or(1)).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn source(text: &str) -> Arc<SourceText> {
        Arc::new(SourceText { path: "tables/a.toml".into(), text: text.into() })
    }

    #[test]
    fn the_caret_stands_under_the_fault_behind_full_width_text() {
        let source = source("version = 1\ntitle = { zh = \"审批\", em = \"x\" }\n");
        let start = source.text.find("em").unwrap_or_default();
        let fault = Diagnostic::error(&source, Some(start..start + 2), "unknown key `em`").with_hint("write `en`");
        assert_eq!(
            render(&fault, false),
            "error: unknown key `em`\n  --> tables/a.toml:2:22\n   |\n 2 | title = { zh = \"审批\", em = \"x\" }\n   \
             |                        ^^\n   = hint: write `en`\n"
        );
    }

    #[test]
    fn a_span_over_several_lines_marks_its_first_line_only() {
        let source = source("sql = '''\nselect 1\n'''\n");
        let text = render(&Diagnostic::error(&source, Some(6..21), "no"), false);
        assert_eq!(text, "error: no\n  --> tables/a.toml:1:7\n   |\n 1 | sql = '''\n   |       ^^^\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let source = source("a = 1 \x1b[31m\n");
        let text = render(&Diagnostic::warning(&source, Some(0..1), "odd \x1b[2J"), false);
        assert!(!text.contains('\x1b'), "{text:?}");
        assert!(render(&Diagnostic::error(&source, None, "x"), true).contains("\x1b[1;31merror\x1b[0m"));
    }

    #[test]
    fn any_offset_has_a_position() {
        let source = source("甲\n乙丙");
        assert_eq!(source.position(1), Position { line: 1, column: 1 });
        assert_eq!(source.position(7), Position { line: 2, column: 2 });
        assert_eq!(source.position(99), Position { line: 2, column: 3 });
        assert_eq!(render(&Diagnostic::error(&source, Some(90..99), "x"), false).lines().nth(3), Some(" 2 | 乙丙"));
    }
}
