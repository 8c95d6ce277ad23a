//! SQL as text: tokens, enough to split statements, colour them and know when one is complete. Not a parser.

use std::ops::Range;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A number.
    Number,
    /// `'text'`, or `$$text$$`.
    Text,
    /// `"name"`.
    QuotedName,
    /// `-- …` or `/* … */`.
    Comment,
    /// `;`.
    Semicolon,
    /// White space.
    Space,
    /// Anything else, one character.
    Symbol,
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) range: Range<usize>,
    /// Whether its end was found: an open quote or comment runs to the end of the text.
    pub(crate) closed: bool,
}

/// The tokens of `text`; together they cover it.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let (kind, length, closed) = next(&text[start..], first);
        tokens.push(Token { kind, range: start..start + length, closed });
        start += length;
    }
    tokens
}

fn next(rest: &str, first: char) -> (TokenKind, usize, bool) {
    let run = |test: fn(char) -> bool| rest.find(|c| !test(c)).unwrap_or(rest.len());
    match first {
        '\'' => quoted(rest, '\'', TokenKind::Text),
        '"' => quoted(rest, '"', TokenKind::QuotedName),
        '-' if rest.starts_with("--") => (TokenKind::Comment, rest.find('\n').unwrap_or(rest.len()), true),
        '/' if rest.starts_with("/*") => block_comment(rest),
        '$' => dollar_quoted(rest).unwrap_or((TokenKind::Symbol, 1, true)),
        ';' => (TokenKind::Semicolon, 1, true),
        c if c.is_whitespace() => (TokenKind::Space, run(char::is_whitespace), true),
        c if c.is_ascii_digit() => (TokenKind::Number, run(|c| c.is_ascii_alphanumeric() || c == '.'), true),
        c if c.is_alphabetic() || c == '_' => (TokenKind::Word, run(|c| c.is_alphanumeric() || c == '_'), true),
        c => (TokenKind::Symbol, c.len_utf8(), true),
    }
}

/// From quote to quote; a doubled quote stands for itself.
fn quoted(rest: &str, quote: char, kind: TokenKind) -> (TokenKind, usize, bool) {
    let mut at = 1;
    loop {
        let Some(found) = rest[at..].find(quote) else { return (kind, rest.len(), false) };
        at += found + 1;
        match rest[at..].starts_with(quote) {
            true => at += 1,
            false => return (kind, at, true),
        }
    }
}

/// Comments nest.
fn block_comment(rest: &str) -> (TokenKind, usize, bool) {
    let (mut depth, mut at) = (1_usize, 2);
    while depth > 0 {
        let Some(next) = rest[at..].find(['/', '*']) else { return (TokenKind::Comment, rest.len(), false) };
        at += next;
        let (step, length) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth = depth.saturating_add_signed(step);
        at += length;
    }
    (TokenKind::Comment, at, true)
}

/// `$tag$ … $tag$`; none where the dollar begins no tag.
fn dollar_quoted(rest: &str) -> Option<(TokenKind, usize, bool)> {
    let length = rest[1..].find('$')? + 2;
    let tag = &rest[..length];
    let named = tag[1..length - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
    if !named || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(match rest[length..].find(tag) {
        Some(end) => (TokenKind::Text, length + end + length, true),
        None => (TokenKind::Text, rest.len(), false),
    })
}

/// The statements of `text`, each without its semicolon and the white space around it; empty ones are left out.
pub(crate) fn statements(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut current: Option<Range<usize>> = None;
    for token in tokens(text) {
        match token.kind {
            TokenKind::Semicolon => found.extend(current.take()),
            TokenKind::Space | TokenKind::Comment => {}
            _ => current = Some(current.map_or(token.range.start, |range| range.start)..token.range.end),
        }
    }
    found.extend(current);
    found
}

/// A part of a script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A statement, without its semicolon.
    Statement(Range<usize>),
    /// The rest of a line that begins, between two statements, as the shell's own commands do: with `\\` or `.`.
    Command(Range<usize>),
}

/// The parts of a script, in their order.
pub(crate) fn parts(text: &str) -> Vec<Part> {
    let (mut found, mut from) = (Vec::new(), 0);
    // Commands know no quotes, so that what follows one is read anew.
    while let Some(at) = command_start(&text[from..]).map(|at| from + at) {
        found.extend(statements(&text[from..at]).into_iter().map(|range| Part::Statement(shifted(range, from))));
        from = text[at..].find('\n').map_or(text.len(), |length| at + length);
        found.push(Part::Command(at..at + text[at..from].trim_end().len()));
    }
    found.extend(statements(&text[from..]).into_iter().map(|range| Part::Statement(shifted(range, from))));
    found
}

/// Where the first command is.
fn command_start(text: &str) -> Option<usize> {
    let mut is_open = false;
    for token in tokens(text) {
        match token.kind {
            TokenKind::Semicolon => is_open = false,
            TokenKind::Space | TokenKind::Comment => {}
            TokenKind::Symbol if !is_open && text[token.range.start..].starts_with(['\\', '.']) => {
                return Some(token.range.start);
            }
            _ => is_open = true,
        }
    }
    None
}

fn shifted(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// Whether the text ends in a semicolon that is neither quoted nor in a comment, or holds nothing.
pub(crate) fn is_complete(text: &str) -> bool {
    let tokens = tokens(text);
    let last = tokens.iter().rev().find(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    tokens.iter().all(|token| token.closed) && last.is_none_or(|token| token.kind == TokenKind::Semicolon)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        statements(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        assert_eq!(split("select 1; select 2"), ["select 1", "select 2"]);
        assert_eq!(
            split("select ';', \"a;b\" -- c;d\n; /* ; /* ; */ ; */ select $x$;$x$;;"),
            ["select ';', \"a;b\"", "select $x$;$x$"]
        );
        assert_eq!(split("select 'it''s; 吉林'"), ["select 'it''s; 吉林'"]);
        assert_eq!(split(" -- nothing\n"), Vec::<&str>::new());
        assert_eq!(split("select 1 -- why\n + 1"), ["select 1 -- why\n + 1"]);
    }

    #[test]
    fn commands_stand_between_statements() {
        let split = |text: &'static str| {
            let part = |part| match part {
                Part::Statement(range) => ("sql", &text[range]),
                Part::Command(range) => ("command", &text[range]),
            };
            parts(text).into_iter().map(part).collect::<Vec<_>>()
        };
        assert_eq!(split("\\dt"), [("command", "\\dt")]);
        assert_eq!(
            split("select 1;\n  \\df it's \r\nselect '\n\\dt;'; .mode json\n-- c\nselect 2"),
            [
                ("sql", "select 1"),
                ("command", "\\df it's"),
                ("sql", "select '\n\\dt;'"),
                ("command", ".mode json"),
                ("sql", "select 2")
            ]
        );
        // Not between statements: the engine will say what is wrong.
        assert_eq!(split("select 1\n\\dt"), [("sql", "select 1\n\\dt")]);
        assert_eq!(split("select\n.5;"), [("sql", "select\n.5")]);
        assert_eq!(split(" ; -- \\dt\n"), []);
    }

    #[test]
    fn a_statement_is_complete_with_its_semicolon() {
        for complete in ["select 1;", "select 1; -- done", "", "  -- only a comment"] {
            assert!(is_complete(complete), "{complete}");
        }
        for open in ["select 1", "select ';", "select 1; /* ", "select \"a;", "select $$;", "select 1; select"] {
            assert!(!is_complete(open), "{open}");
        }
    }

    #[test]
    fn tokens_cover_any_text() {
        for text in
            ["$", "$$", "'", "/*", "/**/", "*/", "-", "--", "1.5e3", "名称 = '长春'", "a$b", "/*/", "\u{0}\u{7f}"]
        {
            let tokens = tokens(text);
            let covered: String = tokens.iter().map(|token| &text[token.range.clone()]).collect();
            assert_eq!(covered, text);
        }
    }
}
