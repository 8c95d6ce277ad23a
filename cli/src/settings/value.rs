//! A setting's value, and where it came from.

use std::fmt;
use std::net::SocketAddr;

use super::keys::{Key, Kind};

/// A checked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text, an address, a path, or a ratio as it was written.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A truth value.
    Flag(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// Where a value came from, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag, as in `--listen`.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// A line of the project's `xiangyun.toml`.
    File {
        /// Line, from 1.
        line: usize,
    },
    /// Nobody said.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File { line } => write!(f, "{}:{line}", super::FILE_NAME),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Key {
    /// Reads a value as flags and environment variables give it. The error says what is expected and never repeats a
    /// secret.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let shown = if self.secret { "the value".to_owned() } else { format!("`{text}`") };
        match self.kind {
            Kind::Text | Kind::Path => Ok(Value::Text(text.into())),
            Kind::Flag => match text {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => Err(format!("{shown} is neither `true` nor `false`")),
            },
            Kind::Count { .. } => {
                let number = text.replace('_', "").parse().map_err(|_| format!("{shown} is not a whole number"))?;
                self.check_count(number)
            }
            Kind::Address => match text.parse::<SocketAddr>() {
                Ok(_) => Ok(Value::Text(text.into())),
                Err(_) => Err(format!("{shown} is not an address and port, as in `127.0.0.1:8080`")),
            },
            Kind::Ratio => match text.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(Value::Text(text.into())),
                _ => Err(format!("{shown} is not a number from 0 to 1")),
            },
        }
    }

    /// A number within the setting's bounds.
    pub(crate) fn check_count(&self, number: u64) -> Result<Value, String> {
        match self.kind {
            Kind::Count { least } if number < least => Err(format!("`{number}` is less than the least value, {least}")),
            _ => Ok(Value::Count(number)),
        }
    }

    /// What the file must hold, in words.
    pub(crate) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Text => "a text",
            Kind::Flag => "true or false",
            Kind::Count { .. } => "a whole number",
            Kind::Address => "an address and port as text",
            Kind::Path => "a file's path as text",
            Kind::Ratio => "a number from 0 to 1",
        }
    }
}
