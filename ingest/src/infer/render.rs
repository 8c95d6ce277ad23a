//! Guesses as TOML with comments.

use std::fmt::Write;

use toml::Value;
use xiangyun_engine::catalog::{CodeList, ColumnType, TableName};

use super::Sample;
use super::column::GuessedColumn;
use crate::pipeline::SourceDef;

/// What both files speak of.
pub(super) struct Written<'a> {
    pub(super) table: &'a TableName,
    pub(super) pipeline: &'a str,
    pub(super) path: &'a str,
    pub(super) def: &'a SourceDef,
    pub(super) sample: &'a Sample,
}

impl Written<'_> {
    /// `tables/<table>.toml`.
    pub(super) fn contract(&self, columns: &[GuessedColumn]) -> String {
        let personal = columns.iter().any(|column| column.is_personal);
        let level = if personal { "general-4" } else { "general-2" };
        let why = if personal { "guess: columns tell of persons" } else { "guess: nothing tells of persons" };
        // A code says who is meant better than a name does.
        let unique = || columns.iter().filter(|column| column.is_unique && is_key(column));
        let key = unique().find(|column| column.code_list.is_some()).or_else(|| unique().next());
        let mut text = format!(
            "# A first contract, from {} rows of {}. What is marked `guess` was read off these rows;\n\
             # what is marked `write` only the agency knows.\n\
             version = 1\n\
             name = {}\n\
             agency = \"?\"                          # write: the agency's full name\n\
             title = {{ zh = {title}, en = {title} }}   # write\n\
             description = {{ zh = \"?\", en = \"?\" }}  # write\n\
             owner = \"?\"                           # write: who answers for the data\n\
             level = \"{level}\"                   # {why}\n\
             sharing = \"none\"                      # write: unconditional, conditional or none\n\
             sharing_conditions = \"not decided yet\" # write\n",
            self.sample.rows,
            self.path,
            quoted(&self.table.to_string()),
            title = quoted(self.table.table()),
        );
        match key {
            Some(key) => {
                let _ = writeln!(
                    text,
                    "primary_key = [{}]               # guess: no value occurs twice",
                    quoted(&key.name)
                );
            }
            None => text.push_str("# primary_key = []                    # no column has each value once\n"),
        }
        for column in columns {
            text.push_str(&self.column(column));
        }
        text
    }

    fn column(&self, column: &GuessedColumn) -> String {
        let mut text = format!("\n[[columns]]\nname = {}\n", quoted(&column.name));
        let seen = match column.examples.is_empty() || column.is_personal {
            true => String::new(),
            false => format!(
                ", as in {}",
                column.examples.iter().map(|value| one_line(value)).collect::<Vec<_>>().join(" · ")
            ),
        };
        let _ = writeln!(text, "type = \"{}\"  # guess{seen}", column.column_type);
        if column.nullable {
            text.push_str("nullable = true  # guess: some rows have no value\n");
        } else {
            text.push_str("# nullable = true  # every row of the sample has a value\n");
        }
        if column.header != column.name {
            let _ = writeln!(text, "title = {{ zh = {0}, en = {1} }}", quoted(&column.header), quoted(&column.name));
        }
        if let Some(unit) = &column.unit {
            let _ = writeln!(text, "unit = {}  # guess: from the header", quoted(unit));
        }
        let list = column.code_list.map(|list| match list {
            CodeList::Uscc => "uscc",
            CodeList::IdentityNumber => "identity-number",
            CodeList::Division => "division",
            CodeList::Industry => "industry",
        });
        if let Some(list) = list {
            let _ = writeln!(text, "code_list = \"{list}\"  # guess: nearly all values are such codes");
        }
        if column.is_personal {
            text.push_str("level = \"general-4\"  # guess: it tells of persons\n");
        }
        text
    }

    /// `pipelines/<pipeline>.toml`.
    pub(super) fn pipeline(&self, columns: &[GuessedColumn]) -> String {
        let mut missing: Vec<&str> =
            columns.iter().flat_map(|column| column.missing.iter().map(String::as_str)).collect();
        missing.sort_unstable();
        missing.dedup();
        let mut text = format!(
            "# A first pipeline, from {} rows of {}.\nversion = 1\nname = {}\ntable = {}\n",
            self.sample.rows,
            self.path,
            quoted(self.pipeline),
            quoted(&self.table.to_string()),
        );
        let _ = writeln!(text, "source = {}", self.source(&missing));
        let renamed: Vec<_> = columns.iter().filter(|column| column.header != column.name).collect();
        text.push_str("mode = \"append\"  # write: append adds files, replace takes the place of all rows\n");
        if columns.iter().any(|column| column.is_unique && is_key(column)) {
            text.push_str("duplicates = \"reject\"\n");
        } else {
            text.push_str("duplicates = \"warn\"  # guess: there is no key, so equal rows may be meant\n");
        }
        for column in columns {
            if let Some(choices) = &column.choices {
                let list = choices.iter().map(|choice| quoted(choice)).collect::<Vec<_>>().join(", ");
                let _ = write!(
                    text,
                    "\n[[checks]]  # guess: the sample has only these values\ncolumn = {}\nrule = {{ one-of = [{list}] }}\non_fail = \"warn\"\n",
                    quoted(&column.name),
                );
            }
        }
        if !renamed.is_empty() {
            text.push_str("\n[columns]  # column of the table = column of the file\n");
            for column in renamed {
                let _ = writeln!(text, "{} = {}", column.name, quoted(&column.header));
            }
        }
        text
    }

    /// The source with its settings in one line, those that are not as usual only.
    fn source(&self, missing: &[&str]) -> String {
        let Ok(Value::Table(mut table)) = Value::try_from(self.def) else { return String::new() };
        if !missing.is_empty() && table.contains_key("null_values") {
            let values = missing.iter().map(|text| Value::String((*text).to_owned()));
            table.insert("null_values".into(), Value::Array(values.collect()));
        }
        let is_usual = |key: &str, value: &Value| match (key, value) {
            ("encoding", Value::String(text)) => text == "auto",
            ("delimiter", Value::String(text)) => text == ",",
            (_, Value::Array(values)) => values.is_empty(),
            (_, Value::Boolean(set)) => !set,
            _ => false,
        };
        let kept: Vec<String> = table
            .iter()
            .filter(|(key, value)| !is_usual(key, value))
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        format!("{{ {} }}", kept.join(", "))
    }
}

/// A key is a code or a number, hardly ever an amount or a day.
fn is_key(column: &GuessedColumn) -> bool {
    matches!(column.column_type, ColumnType::Text | ColumnType::Int64)
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn one_line(text: &str) -> String {
    // TOML takes no control character in a comment.
    text.replace(char::is_control, " ")
}
