//! Colours in the line being typed.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use super::completer::is_keyword;
use crate::sql_text::{TokenKind, tokens};

/// Colours SQL by its tokens.
pub(super) struct SqlHighlighter;

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        for token in tokens(line) {
            let text = &line[token.range];
            let style = match token.kind {
                TokenKind::Word if is_keyword(text) => Style::new().bold().fg(Color::Blue),
                TokenKind::Text => Color::Green.normal(),
                TokenKind::Number => Color::Cyan.normal(),
                TokenKind::Comment => Color::DarkGray.normal(),
                _ => Style::new(),
            };
            styled.push((style, text.to_owned()));
        }
        styled
    }
}
