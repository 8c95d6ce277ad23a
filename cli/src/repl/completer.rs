//! Completion of tables, columns, functions and keywords.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use reedline::{Completer, CompletionResult, Span, Suggestion};
use xiangyun_engine::QueryContext;
use xiangyun_engine::query::SqlRequest;

use super::meta::Meta;

/// Words of the language that are completed and coloured, in the order of their letters.
const KEYWORDS: [&str; 72] = [
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT",
    "CROSS",
    "CURRENT_DATE",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FIRST",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "QUALIFY",
    "RANGE",
    "RECURSIVE",
    "RIGHT",
    "ROWS",
    "SELECT",
    "SHOW",
    "SUM",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "UNNEST",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
];

/// Suggestions for one word at the most.
const SUGGESTIONS: usize = 200;

/// Whether a word belongs to the language.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word.to_ascii_uppercase().as_str()).is_ok()
}

/// The names that can be completed.
#[derive(Debug, Default)]
pub(super) struct Words {
    tables: Vec<String>,
    columns: Vec<String>,
    /// Name, and what to show beside it.
    functions: Vec<(String, String)>,
}

impl Words {
    /// The names that the caller may see. A lake that cannot list them is no reason not to open the shell: the first
    /// statement will say what is wrong.
    pub(super) async fn of(queries: &QueryContext) -> Self {
        let tables = queries.tables().await.unwrap_or_default();
        let functions = queries.functions().into_iter().map(|function| (function.name, function.description));
        Self {
            tables: tables.into_iter().map(|table| table.name.to_string()).collect(),
            columns: columns(queries).await.unwrap_or_default(),
            functions: functions.collect(),
        }
    }

    /// What the word could become.
    fn matches(&self, word: &str, tables_only: bool) -> Vec<(String, Option<String>)> {
        let lower = word.to_lowercase();
        let starts = |name: &str| name.to_lowercase().starts_with(&lower);
        let mut found: Vec<_> =
            self.tables.iter().filter(|name| starts(name)).map(|name| (name.clone(), None)).collect();
        if tables_only {
            return found;
        }
        found.extend(self.columns.iter().filter(|name| starts(name)).map(|name| (name.clone(), None)));
        let functions = self.functions.iter().filter(|(name, _)| starts(name));
        found.extend(functions.map(|(name, description)| (format!("{name}("), Some(description.clone()))));
        let typed_lower = word.chars().any(char::is_lowercase);
        let keywords = KEYWORDS.iter().filter(|keyword| !word.is_empty() && starts(keyword));
        found.extend(keywords.map(|keyword| match typed_lower {
            true => (keyword.to_lowercase(), None),
            false => ((*keyword).to_owned(), None),
        }));
        found.truncate(SUGGESTIONS);
        found
    }
}

async fn columns(queries: &QueryContext) -> Result<Vec<String>, anyhow::Error> {
    let sql = "SELECT DISTINCT column_name FROM information_schema.columns ORDER BY column_name";
    let mut names = BTreeSet::new();
    for batch in queries.sql(SqlRequest::new(sql)).await?.collect().await? {
        let column = cast(batch.column(0), &DataType::Utf8)?;
        names.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

/// Completes the word before the cursor.
pub(super) struct WordCompleter(pub(super) Words);

impl Completer for WordCompleter {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let before = &line[..position];
        let start = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let tables_only = Meta::is_meta(line);
        let suggestions = self.0.matches(&before[start..], tables_only).into_iter().map(|(value, description)| {
            let append_whitespace = !value.ends_with('(');
            Suggestion {
                value,
                description,
                span: Span::new(start, position),
                append_whitespace,
                ..Suggestion::default()
            }
        });
        CompletionResult::fresh(suggestions.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        let words = Words {
            tables: vec!["approvals.cases".into(), "approvals.matters".into()],
            columns: vec!["applicant".into(), "filed_on".into()],
            functions: vec![("add_working_days".into(), "the day n working days later".into())],
        };
        let result = WordCompleter(words).complete(line, line.len());
        result.suggestions().iter().map(|suggestion| suggestion.value.clone()).collect()
    }

    #[test]
    fn the_word_before_the_cursor_is_completed() {
        assert_eq!(complete("select * from approvals.c"), ["approvals.cases"]);
        assert_eq!(complete("select app"), ["approvals.cases", "approvals.matters", "applicant"]);
        assert_eq!(complete("select ad"), ["add_working_days("]);
        assert_eq!(complete("sel"), ["select"]);
        assert_eq!(complete("select 1 WHE"), ["WHEN", "WHERE"]);
        assert_eq!(complete("select 长"), Vec::<String>::new());
        assert_eq!(complete("select '，f"), ["filed_on", "false", "filter", "first", "from", "full"]);
    }

    #[test]
    fn commands_to_the_shell_take_tables_only() {
        assert_eq!(complete("\\d a"), ["approvals.cases", "approvals.matters"]);
    }

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(KEYWORDS.is_sorted());
        assert!(is_keyword("select") && !is_keyword("selected"));
    }
}
