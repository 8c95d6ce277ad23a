//! The commands of the shell and of scripts that are no SQL, as psql and DuckDB spell them.

use xiangyun_engine::catalog::TableName;
use xiangyun_engine::{Error, ErrorKind};

use crate::output::OutputFormat;

/// A command that is no SQL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meta {
    Help,
    Quit,
    Tables,
    Describe(TableName),
    /// The functions whose names hold this text.
    Functions(String),
    /// None asks for the mode in force.
    Mode(Option<OutputFormat>),
    Timing,
}

pub(super) const HELP: &str = "\
\\d, \\dt, .tables       list the tables and views
\\d TABLE, .schema TABLE show a table's columns
\\df [TEXT]             list the functions, those with TEXT in their name
.mode [FORMAT]         show or choose the output: table, csv, json, ndjson, markdown
\\timing, .timer        show the time of each statement, or stop showing it
\\?, .help              this list
\\q, .quit, Ctrl-D      leave
Ctrl-C cancels the running statement. Tab completes names. A statement ends with ;
";

impl Meta {
    /// Whether a line is for the shell and not SQL.
    pub(super) fn is_meta(line: &str) -> bool {
        let line = line.trim_start();
        line.starts_with('\\') || line.starts_with('.')
    }

    /// Reads a line; none where it is SQL.
    pub(crate) fn parse(line: &str) -> Option<Result<Self, Error>> {
        if !Self::is_meta(line) {
            return None;
        }
        let line = line.trim().trim_end_matches(';');
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        Some(match (name, argument) {
            ("\\?" | "\\h" | ".help", _) => Ok(Self::Help),
            ("\\q" | ".quit" | ".exit", _) => Ok(Self::Quit),
            ("\\d" | "\\dt" | ".tables", "") => Ok(Self::Tables),
            ("\\d" | "\\dt" | ".schema", name) => name.parse().map(Self::Describe).map_err(Error::from),
            ("\\df", part) => Ok(Self::Functions(part.to_ascii_lowercase())),
            (".mode", "") => Ok(Self::Mode(None)),
            (".mode", format) => match OutputFormat::named(format) {
                Some(format) => Ok(Self::Mode(Some(format))),
                None => Err(unknown(format!("`{format}` is not a format"), "use table, csv, json, ndjson or markdown")),
            },
            ("\\timing" | ".timer", _) => Ok(Self::Timing),
            _ => Err(unknown(format!("unknown command `{name}`"), "`\\?` lists the commands")),
        })
    }
}

fn unknown(message: String, hint: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_hint(hint)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parse(line: &str) -> Meta {
        Meta::parse(line).unwrap().unwrap()
    }

    #[test]
    fn both_dialects_are_understood() {
        for line in ["\\d", "\\dt", ".tables", "\\dt;", "  \\d  "] {
            assert_eq!(parse(line), Meta::Tables, "{line}");
        }
        let name: TableName = "approvals.cases".parse().unwrap();
        assert_eq!(parse("\\d approvals.cases"), Meta::Describe(name.clone()));
        assert_eq!(parse(".schema approvals.cases"), Meta::Describe(name));
        assert_eq!(parse("\\df WORK"), Meta::Functions("work".into()));
        assert_eq!(parse(".mode markdown"), Meta::Mode(Some(OutputFormat::Markdown)));
        assert_eq!(parse("\\timing"), Meta::Timing);
        assert_eq!(parse("\\q"), Meta::Quit);
    }

    #[test]
    fn what_is_no_command_is_refused_with_a_hint() {
        assert!(Meta::parse("select 1").is_none());
        for line in ["\\x", ".mode yaml", "\\d nodot"] {
            assert!(Meta::parse(line).unwrap().unwrap_err().hint().is_some(), "{line}");
        }
    }
}
