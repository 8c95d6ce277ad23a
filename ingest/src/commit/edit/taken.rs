//! Rows that go before others come: those of a run that is made again, or of a file's earlier versions.

use datafusion::logical_expr::{Expr, ident, lit};
use xiangyun_engine::catalog::{FILE_COLUMN, RUN_COLUMN};

/// Which rows go: all of these runs, or of these files only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenOut {
    /// Run ids.
    pub runs: Vec<String>,
    /// Files within them; none for all.
    pub files: Option<Vec<String>>,
}

impl TakenOut {
    /// Whether no row goes.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() || self.files.as_ref().is_some_and(Vec::is_empty)
    }

    /// As filters, by which files are chosen.
    pub(super) fn filters(&self) -> Vec<Expr> {
        let within = |column: &str, values: &[String]| ident(column).in_list(values.iter().map(lit).collect(), false);
        let mut filters = vec![within(RUN_COLUMN, &self.runs)];
        filters.extend(self.files.as_ref().map(|files| within(FILE_COLUMN, files)));
        filters
    }

    /// As a predicate of SQL; none where no row goes.
    pub(super) fn sql(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let within = |column: &str, values: &[String]| {
            let values = values.iter().map(|value| format!("'{}'", value.replace('\'', "''")));
            format!("\"{column}\" IN ({})", values.collect::<Vec<_>>().join(", "))
        };
        let runs = within(RUN_COLUMN, &self.runs);
        Some(match &self.files {
            Some(files) => format!("{runs} AND {}", within(FILE_COLUMN, files)),
            None => runs,
        })
    }
}
