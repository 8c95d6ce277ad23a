//! Text → records: RFC 4180, strict about quotes, so that a stray one costs one line and not the rest of the file.

use super::super::text::is_padding;
use super::scan::{find, find_line_end};

/// Where the fields of a record stand in its text.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Byte range of each field's content, without the quotes around it, and whether it has doubled quotes inside.
    ranges: Vec<(usize, usize, bool)>,
}

impl Fields {
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether nothing but padding stands in the fields from `width` on.
    pub(super) fn is_blank_from(&self, text: &str, width: usize) -> bool {
        let surplus = self.ranges.get(width..).unwrap_or_default();
        surplus.iter().all(|&(start, end, _)| text[start..end].chars().all(is_padding))
    }

    /// The fields' values; `scratch` holds one that had doubled quotes.
    pub(super) fn for_each(&self, text: &str, scratch: &mut String, mut take: impl FnMut(usize, &str)) {
        for (index, &(start, end, doubled)) in self.ranges.iter().enumerate() {
            let field = &text[start..end];
            if doubled {
                // Quotes are doubled in quoted fields only, and the quote is the character before such a field.
                let quote = &text[start - 1..start];
                scratch.clear();
                let mut rest = field;
                while let Some(at) = rest.find(quote) {
                    scratch.push_str(&rest[..=at]);
                    rest = &rest[at + 2..];
                }
                scratch.push_str(rest);
                take(index, scratch);
            } else {
                take(index, field);
            }
        }
    }
}

/// What the beginning of a text holds.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Split {
    /// A record of so many bytes, its line end included, over so many lines.
    Record { bytes: usize, lines: u64 },
    /// A first line of so many bytes, its line end included, in a record whose quotes do not pair.
    BadQuote { line_bytes: usize, problem: QuoteProblem },
    /// The text ends within the record, and more may follow.
    NeedMore { in_quotes: bool },
}

/// How quotes can be wrong.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum QuoteProblem {
    /// A closing quote is followed by text.
    TextAfterQuote,
    /// A quote is opened and never closed.
    NeverClosed,
}

/// Finds the record at the beginning of `text`, which does not begin with a line end. With `last` the text is all
/// there is.
///
/// A field that begins with a quote ends at the next single quote, which must be followed by the delimiter, a line
/// end or the end of the text; two quotes inside stand for one. A quote within any other field is a character like
/// others, and so is every one where `quote` is none. Lines end with LF, CR LF or CR.
pub(super) fn split(text: &[u8], delimiter: u8, quote: Option<u8>, last: bool, fields: &mut Fields) -> Split {
    fields.ranges.clear();
    let (mut at, mut lines) = (0, 1);
    loop {
        // At the first byte of a field.
        let (start, end, doubled);
        if let Some(quote) = quote.filter(|quote| text.get(at) == Some(quote)) {
            start = at + 1;
            match quoted(text, start, quote, last, &mut lines) {
                Quoted::Closed { at: close, doubled: has_doubled } => (end, doubled) = (close, has_doubled),
                Quoted::NeedMore => return Split::NeedMore { in_quotes: true },
                Quoted::NeverClosed => return bad_quote(text, last, QuoteProblem::NeverClosed),
            }
            at = end + 1;
            match text.get(at) {
                None if !last => return Split::NeedMore { in_quotes: false },
                Some(byte) if *byte != delimiter && !matches!(byte, b'\n' | b'\r') => {
                    return bad_quote(text, last, QuoteProblem::TextAfterQuote);
                }
                _ => {}
            }
        } else {
            start = at;
            at = find(text, at, [delimiter, b'\n', b'\r']);
            (end, doubled) = (at, false);
        }
        if at == text.len() && !last {
            return Split::NeedMore { in_quotes: false };
        }
        fields.ranges.push((start, end, doubled));
        if text.get(at) == Some(&delimiter) {
            at += 1;
        } else {
            return match line_end(text, at, last) {
                Some(bytes) => Split::Record { bytes: at + bytes, lines },
                None => Split::NeedMore { in_quotes: false },
            };
        }
    }
}

/// Length of the line end at `at`; 0 at the end of the text, none where it cannot be told yet.
pub(super) fn line_end(text: &[u8], at: usize, last: bool) -> Option<usize> {
    match (text.get(at), text.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some(2),
        (Some(b'\r'), None) if !last => None,
        (Some(b'\r' | b'\n'), _) => Some(1),
        _ => Some(0),
    }
}

enum Quoted {
    Closed { at: usize, doubled: bool },
    NeedMore,
    NeverClosed,
}

fn quoted(text: &[u8], start: usize, quote: u8, last: bool, lines: &mut u64) -> Quoted {
    let (mut at, mut doubled) = (start, false);
    loop {
        at = find(text, at, [quote, b'\n', b'\r']);
        match text.get(at) {
            None if last => return Quoted::NeverClosed,
            None => return Quoted::NeedMore,
            Some(byte) if *byte == quote => match text.get(at + 1) {
                Some(next) if *next == quote => {
                    doubled = true;
                    at += 2;
                }
                None if !last => return Quoted::NeedMore,
                _ => return Quoted::Closed { at, doubled },
            },
            Some(b'\r') => {
                *lines += 1;
                at += if text.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
            }
            Some(_) => {
                *lines += 1;
                at += 1;
            }
        }
    }
}

/// The first line, once all of it is there: its rest would pass for another row.
fn bad_quote(text: &[u8], last: bool, problem: QuoteProblem) -> Split {
    let at = find_line_end(text, 0);
    match line_end(text, at, last) {
        Some(end) if last || end > 0 => Split::BadQuote { line_bytes: at + end, problem },
        _ => Split::NeedMore { in_quotes: false },
    }
}

/// Bytes of the first line, its line end included.
pub(super) fn first_line(text: &[u8]) -> usize {
    let at = find_line_end(text, 0);
    at + line_end(text, at, true).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn fields_of(text: &str) -> (Split, Vec<String>) {
        let (mut fields, mut values) = (Fields::default(), Vec::new());
        let outcome = split(text.as_bytes(), b',', Some(b'"'), true, &mut fields);
        fields.for_each(text, &mut String::new(), |_, value| values.push(value.to_owned()));
        (outcome, values)
    }

    #[test]
    fn records_are_split_as_rfc_4180_says() {
        let cases: [(&str, usize, u64, &[&str]); 9] = [
            ("a,b\nc", 4, 1, &["a", "b"]),
            ("a,b\r\nc", 5, 1, &["a", "b"]),
            ("a,b\rc", 4, 1, &["a", "b"]),
            ("\"a,1\",b", 7, 1, &["a,1", "b"]),
            ("\"a\n1\r\n2\",b\n", 11, 3, &["a\n1\r\n2", "b"]),
            ("\"say \"\"吉祥\"\"\",\"\"\n", 20, 1, &["say \"吉祥\"", ""]),
            ("a\"b\",c\"\n", 8, 1, &["a\"b\"", "c\""]),
            (",\n", 2, 1, &["", ""]),
            ("\"000(万)\"\"\"", 12, 1, &["000(万)\""]),
        ];
        for (text, bytes, lines, values) in cases {
            let (outcome, found) = fields_of(text);
            assert_eq!(outcome, Split::Record { bytes, lines }, "{text:?}");
            assert_eq!(found, values, "{text:?}");
        }
    }

    #[test]
    fn wrong_quotes_cost_one_line() {
        for (text, line_bytes, problem) in [
            ("a,\"b\"c\nd,e\n", 7, QuoteProblem::TextAfterQuote),
            ("a,\"b\nd,e\n", 5, QuoteProblem::NeverClosed),
            ("a,\"b\r\nd,\"e\"\n", 6, QuoteProblem::TextAfterQuote),
        ] {
            assert_eq!(fields_of(text).0, Split::BadQuote { line_bytes, problem }, "{text:?}");
            for cut in 0..line_bytes {
                let outcome = split(&text.as_bytes()[..cut], b',', Some(b'"'), false, &mut Fields::default());
                assert!(matches!(outcome, Split::NeedMore { .. }), "{text:?} cut at {cut}: {outcome:?}");
            }
        }
    }

    #[test]
    fn another_quote_or_none() {
        let values = |text: &str, quote| {
            let (mut fields, mut values) = (Fields::default(), Vec::new());
            split(text.as_bytes(), b';', quote, true, &mut fields);
            fields.for_each(text, &mut String::new(), |_, value| values.push(value.to_owned()));
            values
        };
        assert_eq!(values("'a;''b''';\"c\n", Some(b'\'')), ["a;'b'", "\"c"]);
        assert_eq!(values("\"a;b\"\n", None), ["\"a", "b\""]);
    }

    proptest::proptest! {
        /// Whatever is quoted on writing comes back on reading, cut anywhere or not at all.
        #[test]
        fn quoted_fields_come_back(values in proptest::collection::vec("[a\"\n\r,吉]{0,6}", 1..5)) {
            let line: Vec<_> = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
            let text = format!("{}\n", line.join(","));
            let (outcome, found) = fields_of(&text);
            let whole = matches!(outcome, Split::Record { bytes, .. } if bytes == text.len());
            proptest::prop_assert!(whole);
            proptest::prop_assert_eq!(found, values);
            for cut in 0..text.len() {
                let outcome = split(&text.as_bytes()[..cut], b',', Some(b'"'), false, &mut Fields::default());
                let waits = matches!(outcome, Split::NeedMore { .. });
                proptest::prop_assert!(waits, "{} gave {:?}", cut, outcome);
            }
        }
    }
}
