//! What of a file is in no row: counted, so that a run can say so.

/// Lines and rows of one file that are neither loaded nor rejected, and rows that were completed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Lines above the header or the first row.
    pub(super) above: u64,
    pub(super) blank: u64,
    pub(super) comments: u64,
    /// Lines of the footer that a pattern found, and the first of them.
    pub(super) footer_lines: u64,
    /// Rows of a footer of a declared length.
    pub(super) footer_rows: u64,
    /// The line on which the footer begins.
    pub(super) footer_from: Option<u64>,
    /// Rows with fewer fields than the header, and rows with empty fields beyond it.
    pub(super) padded: u64,
    pub(super) shortened: u64,
}

impl LeftOut {
    /// What a run's record says about `file`; nothing where every line is a row or the header.
    pub(super) fn notes(&self, file: &str) -> Vec<String> {
        let count = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let from = self.footer_from.map(|line| format!(" from line {line} on")).unwrap_or_default();
        let parts: Vec<_> = [
            count(self.above, "line at the top", "lines at the top"),
            count(self.blank, "blank line", "blank lines"),
            count(self.comments, "comment", "comments"),
            count(self.footer_lines, "line of the footer", "lines of the footer").map(|text| text + &from),
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
        assert_eq!(LeftOut::default().notes("a.csv"), Vec::<String>::new());
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
            left_out.notes("a.csv"),
            [
                "`a.csv`: left out 3 lines at the top, 1 blank line, 2 lines of the footer from line 9 on",
                "`a.csv`: 1 row had fewer fields than the header",
                "`a.csv`: 4 rows had empty fields beyond the header",
            ]
        );
    }
}
