//! What of a file is in no row: counted, so that a run can say so.

use super::super::text::truncated;

/// What the places of a file are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Unit {
    /// Lines of a text.
    Line,
    /// Rows of a sheet.
    Row,
}

/// Lines and rows of one file that are neither loaded nor rejected, and rows that were completed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source) struct LeftOut {
    /// Lines above the header or the first row.
    pub(in crate::source) above: u64,
    pub(in crate::source) blank: u64,
    pub(in crate::source) comments: u64,
    /// Lines of the footer that a pattern found, and the first of them.
    pub(in crate::source) footer_lines: u64,
    /// Rows of a footer of a declared length.
    pub(in crate::source) footer_rows: u64,
    /// The line on which the footer begins.
    pub(in crate::source) footer_from: Option<u64>,
    /// The text of the footer's first lines; of a row that was split, its values with commas between them.
    pub(in crate::source) footer: Vec<String>,
    /// Rows with fewer fields than the header, and rows with empty fields beyond it.
    pub(in crate::source) padded: u64,
    pub(in crate::source) shortened: u64,
}

/// Lines of a footer that are kept, and bytes of each.
const FOOTER_KEPT: usize = 20;
const FOOTER_LINE_BYTES: usize = 4 << 10;

impl LeftOut {
    /// Keeps a line of the footer, for those who look for totals in it.
    pub(in crate::source) fn keep_footer(&mut self, line: &str) {
        if self.footer.len() < FOOTER_KEPT {
            self.footer.push(truncated(line, FOOTER_LINE_BYTES).into());
        }
    }

    /// What a run's record says about `file`; nothing where every line is a row or the header.
    pub(in crate::source) fn notes(&self, file: &str, unit: Unit) -> Vec<String> {
        let (line, lines) = match unit {
            Unit::Line => ("line", "lines"),
            Unit::Row => ("row", "rows"),
        };
        let count = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let from = self.footer_from.map(|from| format!(" from {line} {from} on")).unwrap_or_default();
        let parts: Vec<_> = [
            count(self.above, &format!("{line} at the top"), &format!("{lines} at the top")),
            count(self.blank, &format!("blank {line}"), &format!("blank {lines}")),
            count(self.comments, "comment", "comments"),
            count(self.footer_lines, &format!("{line} of the footer"), &format!("{lines} of the footer"))
                .map(|text| text + &from),
            count(self.footer_rows, "row of the footer", "rows of the footer").map(|text| text + &from),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut notes = Vec::new();
        if !parts.is_empty() {
            notes.push(format!("`{file}`: left out {}", parts.join(", ")));
        }
        let rows = [
            count(self.padded, "row had fewer fields than the header", "rows had fewer fields than the header"),
            count(self.shortened, "row had empty fields beyond the header", "rows had empty fields beyond the header"),
        ];
        notes.extend(rows.into_iter().flatten().map(|text| format!("`{file}`: {text}")));
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_what_and_how_many() {
        assert_eq!(LeftOut::default().notes("a.csv", Unit::Line), Vec::<String>::new());
        let left_out = LeftOut {
            above: 3,
            blank: 1,
            footer_lines: 2,
            footer_from: Some(9),
            padded: 1,
            shortened: 4,
            ..LeftOut::default()
        };
        assert_eq!(
            left_out.notes("a.csv", Unit::Line),
            [
                "`a.csv`: left out 3 lines at the top, 1 blank line, 2 lines of the footer from line 9 on",
                "`a.csv`: 1 row had fewer fields than the header",
                "`a.csv`: 4 rows had empty fields beyond the header",
            ]
        );
        let left_out = LeftOut { above: 1, footer_rows: 2, footer_from: Some(9), ..LeftOut::default() };
        let said = "`a.xlsx`: left out 1 row at the top, 2 rows of the footer from row 9 on";
        assert_eq!(left_out.notes("a.xlsx", Unit::Row), [said]);
    }
}
